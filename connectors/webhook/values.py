"""What paths find → texts, times, numbers. Raises ValueError that says what was expected, never what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from allears_sdk.codec import encode
from allears_sdk.message import Rating

_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138."""


def as_text(value: Any) -> str:
    """Lists are joined by commas; what is no text is written as JSON has it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ", ".join(filter(None, map(as_text, value)))
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return encode(value).decode()


def joined(found: Sequence[Any], separator: str) -> str:
    return separator.join(filter(None, map(as_text, found)))


def as_time(value: Any, written: str, zone: str) -> datetime:
    """Aware. `written`: as strptime has it; "": ISO 8601, RFC 2822 or Unix time."""
    text = as_text(value)
    moment = datetime.strptime(text, written) if written else _moment(text)  # noqa: DTZ007 the zone follows
    return moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment


def as_rating(value: Any, best: float, worst: float) -> Rating:
    number = float(as_text(value))
    if not math.isfinite(number):
        raise ValueError("not a number")
    return Rating(value=number, best=best, worst=worst)


def _moment(text: str) -> datetime:
    try:
        number = float(text)
    except ValueError:
        return _written_moment(text)
    try:
        return datetime.fromtimestamp(number / (1000 if abs(number) >= _MILLISECONDS_FROM else 1), UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("no such time") from None


def _written_moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        raise ValueError("not a time (ISO 8601, RFC 2822, Unix); see time_format") from None
