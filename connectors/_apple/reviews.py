"""What the reading of a review has in common, whichever way it comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode, encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from allears_sdk.sweep import Listed

JSON = "application/json"
BEST = 5


def moment(text: object) -> datetime | None:
    """RFC 3339 with an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def unreadable(item: Any, now: datetime, reason: str, said: Sequence[str] = ()) -> Listed:
    """Kept as it is, for a person. `said`: what to know it by, where it says something; counts change daily."""
    key = sha256_hex(encode_stable(said if any(said) else item))
    return Listed(raws=(Raw(key=key, body=encode(item), media_type=JSON, received_at=now, quarantine=reason),), at=None)
