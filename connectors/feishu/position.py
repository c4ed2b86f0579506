"""The cursor: up to when we heard everything, and how far each chat was read back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allears_sdk.connector import Cursor

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Position:
    heard_until: datetime
    swept_at: datetime
    chats: dict[str, int] = field(default_factory=dict)
    """By chat id, when the last message that was read back was said, in milliseconds. One-to-one chats stand nowhere
    else: Feishu does not list them."""
    is_first: bool = False

    @classmethod
    def load(cls, cursor: Cursor | None, begin: datetime) -> Position:
        """On a first run everything from `begin` on is to be read."""
        if cursor is None:
            return cls(heard_until=begin, swept_at=begin, is_first=True)
        chats: Mapping[str, Any] = cursor["chats"]
        return cls(
            heard_until=datetime.fromisoformat(cursor["heard_until"]),
            swept_at=datetime.fromisoformat(cursor["swept_at"]),
            chats={chat: int(until) for chat, until in chats.items()},
        )

    def forget(self, before: int, *, keep: Collection[str]) -> None:
        """Chats in which nothing was said since."""
        self.chats = {chat: until for chat, until in self.chats.items() if until >= before or chat in keep}

    def dump(self) -> Cursor:
        return {
            "version": VERSION,
            "heard_until": self.heard_until.isoformat(),
            "swept_at": self.swept_at.isoformat(),
            "chats": dict(self.chats),
        }


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
