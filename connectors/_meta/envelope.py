"""A delivery: up to 1,000 things that happened, each of which becomes a raw of its own, and is read as one.

What Meta wrote is kept byte for byte; only the brackets around it are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from allears_sdk.codec import decode, encode
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex

JSON = "application/json"
CHANGES = "changes"
MILLISECONDS = 1e11
"""Times above this are not in seconds: both occur, and documents do not always say which."""

Bytes = msgspec.Raw
NOTHING = Bytes(b"null")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int = ""
    time: float = 0.0
    changes: list[Bytes] = []
    messaging: list[Bytes] = []
    standby: list[Bytes] = []
    field: str = ""
    value: Bytes = NOTHING
    """With Instagram Login a change stands in the entry itself."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    object: str = ""
    entry: list[Bytes] = []


class Change(msgspec.Struct, frozen=True, kw_only=True):
    field: str = ""
    value: Bytes = NOTHING


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened at one account."""

    object: str
    account: str
    time: float
    place: str
    """"changes"; of a direct message's event "messaging", or "standby" while another app has the talk."""
    field: str = ""
    """Of a change."""
    value: bytes

    @property
    def is_event(self) -> bool:
        return self.place != CHANGES

    @property
    def sent_at(self) -> datetime | None:
        return moment(self.time)

    def body(self, value: Any = None) -> bytes:
        """As a delivery that holds nothing else; with `value`, a piece of the item's own."""
        inside = Bytes(self.value) if value is None else value
        happened = inside if self.is_event else {"field": self.field, "value": inside}
        time = int(self.time) if self.time.is_integer() else self.time
        entry = {"id": self.account, "time": time, self.place: [happened]}
        return encode({"object": self.object, "entry": [entry]})


def items_of(body: bytes) -> Iterator[Item | bytes]:
    """What a delivery holds; bytes for a part that cannot be read. Raises ValueError when it is no delivery at all."""
    delivery = decode(body, Delivery)
    if not delivery.object:
        raise ValueError("no delivery: it does not say of what object")
    for part in delivery.entry:
        try:
            entry = decode(bytes(part), Entry)
        except (ValueError, RecursionError):
            yield encode({"object": delivery.object, "entry": [part]})
            continue
        yield from _items(delivery.object, entry)


def only_item(raw: Raw) -> Item:
    """Of a raw that `Item.body` made. Raises ValueError."""
    found = list(items_of(raw.body))
    if len(found) != 1 or not isinstance(found[0], Item):
        raise ValueError("not one thing that happened, but more or none")
    return found[0]


def unreadable(body: bytes, received_at: datetime) -> Raw:
    """Kept as it came: `parse` says what is wrong with it."""
    return Raw(key=f"unread:{sha256_hex(body)}", body=body, media_type=JSON, received_at=received_at)


def moment(number: float | str) -> datetime | None:
    """Unix seconds or milliseconds, as a number or its digits. None for what is no time."""
    try:
        seconds = float(number)
        if not seconds > 0:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _items(object_: str, entry: Entry) -> Iterator[Item | bytes]:
    account = str(entry.id)

    def item(place: str, value: Bytes, field: str = "") -> Item:
        return Item(object=object_, account=account, time=entry.time, place=place, field=field, value=bytes(value))

    yield from (item("messaging", one) for one in entry.messaging)
    yield from (item("standby", one) for one in entry.standby)
    if entry.field:
        yield item(CHANGES, entry.value, entry.field)
    for part in entry.changes:
        try:
            change = decode(bytes(part), Change)
        except (ValueError, RecursionError):
            yield encode({"object": object_, "entry": [{"id": account, "time": entry.time, CHANGES: [part]}]})
            continue
        yield item(CHANGES, change.value, change.field)
