"""What Telegram sends ("Bot API: Available types"): the fields that are used. Optional ones are absent, never null."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

_HAN = re.compile(r"[\u3400-\u9fff]{1,2}")


def full_name(first: str, last: str) -> str:
    """A Chinese one as it is said: 李雷, of which Telegram asks for 雷 first."""
    is_chinese = _HAN.fullmatch(first) and _HAN.fullmatch(last)
    return f"{last}{first}" if is_chinese else f"{first} {last}".strip()


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""

    @property
    def name(self) -> str:
        return full_name(self.first_name, self.last_name)


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    type: str = "private"
    """private, group, supergroup or channel."""
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    is_direct_messages: bool = False
    """What people write to a channel: a supergroup in form, and private."""

    @property
    def name(self) -> str:
        return self.title or full_name(self.first_name, self.last_name)

    @property
    def is_private(self) -> bool:
        return self.type == "private"

    @property
    def is_public(self) -> bool:
        return not self.is_private and not self.is_direct_messages


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Any of the kinds that `getFile` knows."""

    file_id: str
    file_unique_id: str = ""
    file_size: int = 0
    file_name: str = ""
    mime_type: str = ""


class Sticker(msgspec.Struct, frozen=True, kw_only=True):
    emoji: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    phone_number: str
    first_name: str = ""
    last_name: str = ""
    user_id: int = 0

    @property
    def name(self) -> str:
        return full_name(self.first_name, self.last_name)


class Location(msgspec.Struct, frozen=True, kw_only=True):
    latitude: float
    longitude: float
    live_period: int = 0


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    location: Location
    title: str = ""
    address: str = ""


class PollOption(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    question: str
    options: list[PollOption] = []


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    offset: int
    length: int
    """Both in UTF-16 code units."""
    url: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a forwarded message comes from: a user, a hidden user (name only), a chat or a channel."""

    date: int
    sender_user: User | None = None
    sender_user_name: str = ""
    sender_chat: Chat | None = None
    chat: Chat | None = None

    @property
    def name(self) -> str:
        place = self.sender_user or self.sender_chat or self.chat
        return self.sender_user_name or (place.name if place else "")

    @property
    def id(self) -> str:
        place = self.sender_user or self.sender_chat or self.chat
        return str(place.id) if place else ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The message that is replied to."""

    message_id: int
    chat: Chat
    from_: User | None = msgspec.field(default=None, name="from")


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A message of any kind."""

    message_id: int
    date: int
    chat: Chat
    from_: User | None = msgspec.field(default=None, name="from")
    sender_chat: Chat | None = None
    business_connection_id: str = ""
    message_thread_id: int = 0
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    edit_date: int = 0
    forward_origin: Origin | None = None
    reply_to_message: Answered | None = None

    text: str = ""
    caption: str = ""
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    photo: list[File] = []
    live_photo: File | None = None
    document: File | None = None
    video: File | None = None
    video_note: File | None = None
    animation: File | None = None
    audio: File | None = None
    voice: File | None = None
    sticker: Sticker | None = None
    contact: Contact | None = None
    location: Location | None = None
    venue: Venue | None = None
    poll: Poll | None = None
    dice: Sticker | None = None
    story: dict[str, Any] | None = None
    checklist: dict[str, Any] | None = None
    paid_media: dict[str, Any] | None = None
    game: dict[str, Any] | None = None

    @property
    def posted_at(self) -> datetime:
        """Of an edit when it was made, after the message also where Telegram's whole seconds do not tell."""
        return datetime.fromtimestamp(max(self.edit_date, self.date + 1) if self.edit_date else self.date, UTC)


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """Only a business account's chats tell of deletions."""

    business_connection_id: str
    chat: Chat
    message_ids: list[int]


class Update(msgspec.Struct, frozen=True, kw_only=True):
    update_id: int
    message: Post | None = None
    edited_message: Post | None = None
    channel_post: Post | None = None
    edited_channel_post: Post | None = None
    business_message: Post | None = None
    edited_business_message: Post | None = None
    deleted_business_messages: Deleted | None = None

    @property
    def said(self) -> Post | None:
        return self.message or self.channel_post or self.business_message

    @property
    def edited(self) -> Post | None:
        return self.edited_message or self.edited_channel_post or self.edited_business_message


HEARD = tuple(name for name in Update.__struct_fields__ if name != "update_id")
"""What we ask Telegram for: without reactions, and without what customers never cause."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    retry_after: float = 0
    migrate_to_chat_id: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a method answers."""

    ok: bool = False
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int = 0
    description: str = ""
    parameters: Parameters | None = None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    first_name: str = ""
    username: str = ""
    can_read_all_group_messages: bool = False


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    url: str = ""
    pending_update_count: int = 0
    last_error_date: int = 0
    last_error_message: str = ""


class FilePath(msgspec.Struct, frozen=True, kw_only=True):
    file_path: str = ""
    file_size: int = 0


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """As much of an update as tells it from others."""

    update_id: int
