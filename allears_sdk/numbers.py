"""Numbers as platforms write them: plainly, in quotes, or not at all."""

from __future__ import annotations

MAX_DIGITS = 15


def whole(value: object, otherwise: int) -> int:
    """A whole number, not negative, also in quotes; `otherwise` for anything else."""
    text = "" if isinstance(value, bool) else str(value).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else otherwise


def id_of(value: object) -> str:
    """Of an item: a number or a short text; "" for anything else."""
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    text = str(value).strip() if is_id else ""
    return text if len(text) < 64 else ""
