"""Times and JSON as the journal's columns hold them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec


def stamp(moment: datetime) -> float:
    """Aware datetime → seconds since 1970. Naive ones are a bug and raise ValueError."""
    if moment.tzinfo is None:
        raise ValueError("naive datetime in the journal")
    return moment.timestamp()


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def known_moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def load(text: str | bytes) -> Any:
    return msgspec.json.decode(text)
