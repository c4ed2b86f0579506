"""Times as Chinese marketplaces write them: naive ones are Beijing's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = 10**11
"""Numbers from here on are no seconds: those would lie in the year 5138."""


def moment(value: object) -> datetime | None:
    """`2026-01-01 08:00:00`, or seconds or milliseconds since 1970 as a number or in quotes; None for all else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    try:
        if text.isascii() and text.isdecimal() and len(text) <= 16:
            number = int(text)
            return _EPOCH + timedelta(milliseconds=number if number >= _MILLISECONDS else number * 1000)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)


def in_beijing(at: datetime) -> str:
    """`2026-01-01 08:00:00`."""
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
