"""What Trustpilot pushes ("Webhooks": an address for service reviews, one for product reviews). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from allears_sdk.sweep import unreadable
from connectors._shop.rows import name_of
from connectors.trustpilot.reviews import PRODUCT, removed, written

_PREFIXES = {"service-review-": "", "product-review-": PRODUCT}
CREATED, UPDATED, DELETED = "created", "updated", "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    raw: Raw
    is_first: bool = False
    """It tells of a new review: where that is known, this comes late, and tells how it read once."""


def read_events(body: bytes, now: datetime) -> Iterator[Event | str]:
    """Several may come in one request. A text is the name of one that says nothing here. What cannot be read is kept,
    for a person."""
    try:
        events = msgspec.json.decode(body)["events"]
        given = events if isinstance(events, list) else [events]
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = "not the JSON that Trustpilot documents"
        key = sha256_hex(body)
        media_type = "application/octet-stream"
        yield Event(raw=Raw(key=key, body=body, media_type=media_type, received_at=now, quarantine=reason))
        return
    for event in given:
        yield _read(event, now)


def _read(event: Any, now: datetime) -> Event | str:
    name = event.get("eventName") if isinstance(event, dict) else None
    if not isinstance(name, str):
        return _unread(event, now)
    prefix = next((one for one in _PREFIXES if name.startswith(one)), "")
    what = name.removeprefix(prefix)
    if not prefix or what not in (CREATED, UPDATED, DELETED):
        return name[:60]
    data = event.get("eventData")
    if not isinstance(data, dict) or not (review := name_of(data)):
        return _unread(event, now)
    key = f"{_PREFIXES[prefix]}{review}"
    return Event(raw=(removed if what == DELETED else written)(data, key, now), is_first=what == CREATED)


def _unread(event: Any, now: datetime) -> Event:
    return Event(raw=unreadable(event, now, "an event without a name, or without a review's id").raws[0])
