"""Moments in seconds, or in thousandths of them."""

from __future__ import annotations

from datetime import UTC, datetime

_LATEST = 253_402_300_799.0


def moment(told: object, *, per_second: int = 1) -> datetime | None:
    """Aware; None for what is none."""
    text = str(told)
    if isinstance(told, bool) or not (text.isascii() and text.isdigit() and len(text) < 16):
        return None
    seconds = int(text) / per_second
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None
