"""How much of something an account may use up in a window of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Period(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    since: datetime
    until: datetime
    """The first moment that no longer belongs to it; both in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Channels that name the same account and unit spend from one count, each up to its own `most`."""

    account: str
    """Vendor and what tells its accounts apart. It is shown: no secrets, or a digest. `youtube:project 1234`."""
    unit: str
    """What is counted: `units`, `calls`, `USD`."""
    most: int
    """Whole numbers: of money its millionths, say."""
    period: Period
    parts: int = 1
    """So many of what is counted make one unit, as people see it."""
    zone: str = "UTC"
    """IANA name: where the vendor's days and months begin."""

    def window(self, now: datetime) -> Window:
        """The one that `now` (aware) lies in."""
        start, end = _ends(self.period, now.astimezone(ZoneInfo(self.zone)))
        return Window(since=start.astimezone(UTC), until=end.astimezone(UTC))


def _ends(period: Period, local: datetime) -> tuple[datetime, datetime]:
    if period is Period.HOUR:
        start = local.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return start, start + timedelta(hours=1)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period is Period.DAY:
        return day, day + timedelta(days=1)  # by the calendar: it may have 23 hours, or 25
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)
