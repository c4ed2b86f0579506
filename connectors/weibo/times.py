"""Times as Weibo writes them: `Wed Jun 01 00:50:25 +0800 2011`, whatever the language of this machine."""

from __future__ import annotations

from datetime import datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_time(text: object) -> datetime | None:
    """None for what is none."""
    parts = text.split() if isinstance(text, str) and len(text) < 40 else []
    if len(parts) != 6 or parts[1] not in _MONTHS:
        return None
    month = _MONTHS.index(parts[1]) + 1
    try:
        return datetime.strptime(f"{parts[5]} {month} {parts[2]} {parts[3]} {parts[4]}", "%Y %m %d %H:%M:%S %z")
    except ValueError:
        return None
