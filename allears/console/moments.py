"""Times and sizes as people read them."""

from __future__ import annotations

from datetime import datetime, tzinfo

from allears.console.texts import Texts

_STEPS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


def span(seconds: float, texts: Texts) -> str:
    """A length of time in its largest unit: "3 min", "2 d"; whole units, rounded down."""
    for size, name in _STEPS:
        if seconds >= size:
            return texts(f"age.{name}", count=int(seconds // size))
    return texts("age.seconds", count=0)


def age(moment: datetime | None, now: datetime, texts: Texts) -> str:
    """How long ago (or until) `moment`; "never" for None."""
    if moment is None:
        return texts("overview.never")
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return texts("age.now")
    return texts("age.ago" if seconds > 0 else "age.in_future", age=span(abs(seconds), texts))


def stamp(moment: datetime, now: datetime, zone: tzinfo | None) -> str:
    """Date and time in `zone` (None: this machine's), without the year when it is this one's."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d %H:%M")


def size(count: int, texts: Texts) -> str:
    """Bytes in a unit that fits."""
    if count < 1024:
        return texts("unit.bytes", count=count)
    if count < 1024 * 1024:
        return texts("unit.kilobytes", count=round(count / 1024))
    return texts("unit.megabytes", count=f"{count / 1024 / 1024:.1f}")
