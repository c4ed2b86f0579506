"""What LINE pushes ("Webhook Event Objects"): the fields that are used."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """Each event is a raw of its own, byte for byte."""

    destination: str
    events: list[msgspec.Raw]


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str = ""
    user_id: str = ""
    """Absent in a group for whoever has not agreed."""
    group_id: str = ""
    room_id: str = ""

    @property
    def room(self) -> str:
        """Where it was said: a group, a room of several, else the talk with this user."""
        return self.group_id or self.room_id or self.user_id

    @property
    def is_shared(self) -> bool:
        return bool(self.group_id or self.room_id)


class Context(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    is_redelivery: bool = False


class Heading(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """As much of an event as tells what becomes of it."""

    type: str = ""
    webhook_event_id: str = ""
    reply_token: str = ""
    source: Source = Source()
    delivery_context: Context = Context()


class Provider(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str = "line"
    original_content_url: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    type: str = ""
    text: str = ""
    """Of a text, and of a sticker with words."""
    quoted_message_id: str = ""
    content_provider: Provider | None = None
    file_name: str = ""
    file_size: int = 0
    title: str | None = None
    address: str | None = None
    latitude: float = 0.0
    longitude: float = 0.0


class Unsend(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    message_id: str


class Postback(msgspec.Struct, frozen=True, kw_only=True):
    data: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    timestamp: int
    """Milliseconds; of the event, also when it is delivered again."""
    webhook_event_id: str = ""
    source: Source = Source()
    message: Content | None = None
    unsend: Unsend | None = None
    postback: Postback | None = None

    @property
    def at(self) -> datetime:
        """Raises ValueError, OverflowError or OSError for what is no time."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)
