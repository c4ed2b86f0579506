"""Where a message stands: its id for the journal, and the way back to it for an answer."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.telegram.payload import Post


@dataclass(frozen=True, slots=True)
class Place:
    """A message's number counts within its chat; a business account's chats are apart from the bot's own."""

    business: str
    chat: int
    message: int

    @classmethod
    def of(cls, post: Post) -> Place:
        return cls(post.business_connection_id, post.chat.id, post.message_id)

    @classmethod
    def read(cls, name: str) -> Place:
        """A message's `name` → its place. Raises ValueError."""
        chat_name, _, message = name.rpartition("/")
        business, _, chat = chat_name.rpartition(":")
        return cls(business, int(chat), int(message))

    @property
    def chat_name(self) -> str:
        return f"{self.business}:{self.chat}" if self.business else str(self.chat)

    @property
    def name(self) -> str:
        return f"{self.chat_name}/{self.message}"
