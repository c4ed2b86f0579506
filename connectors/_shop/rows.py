"""Pages that are counted from 1, and the fields of their rows, which may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from allears_sdk.numbers import id_of

BEST = 5


def moment(text: object) -> datetime | None:
    """RFC 3339; without an offset it is UTC, as Trustpilot and WooCommerce say. None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found and found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def words(row: Any, name: str) -> str:
    """What is said there, without the space around it; "" for what is no text."""
    found = row.get(name) if isinstance(row, dict) else None
    return found.strip() if isinstance(found, str) else ""


def line(row: Any, name: str) -> str:
    """What is said there, for a digest: however the space in it is written, since that differs from way to way."""
    return " ".join(words(row, name).split())


def name_of(row: Any) -> str:
    """Its `id`, a number or a text; "" where it has none."""
    return id_of(row.get("id")) if isinstance(row, dict) else ""


def inner(row: Any, name: str) -> Mapping[str, Any]:
    found = row.get(name) if isinstance(row, dict) else None
    return found if isinstance(found, dict) else {}


def stars_of(value: float | None) -> float | None:
    """None for what is not rated. Raises ValueError for what no scale of five has."""
    if value is None or value == 0:
        return None
    if not 1 <= value <= BEST:
        raise ValueError(f"rated {value}, not 1 to {BEST}")
    return value
