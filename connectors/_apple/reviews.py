"""What the reading of a review has in common, whichever way it comes."""

from __future__ import annotations

from datetime import datetime

JSON = "application/json"
BEST = 5


def moment(text: object) -> datetime | None:
    """RFC 3339 with an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
