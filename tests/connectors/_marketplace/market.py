"""What the simulated marketplaces share: signatures checked by another hand, closed spans in numbered pages."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Item = dict[str, Any]
CHINA = timezone(timedelta(hours=8))


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def md5_of(secret: str, given: dict[str, str]) -> str:
    text = secret
    for name in sorted(given):
        text += name + given[name]
    return hashlib.md5((text + secret).encode("utf-8"), usedforsecurity=False).hexdigest().upper()


def china(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def from_china(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)


def within(rows: Sequence[Item], begin: datetime, end: datetime, time: Callable[[Item], datetime]) -> list[Item]:
    """The newest first; a row without a readable time counts as inside."""
    return sorted((row for row in rows if begin <= time(row) <= end), key=time, reverse=True)


def page_of(rows: Sequence[Item], number: int, size: int) -> list[Item]:
    return list(rows[(number - 1) * size : number * size])
