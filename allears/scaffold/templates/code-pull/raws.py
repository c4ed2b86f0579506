"""An item of the platform → the raw that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode, encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex

_MATTERS = ("text", "is_deleted")
"""A change of these is a new revision; counters and signed links are none."""


def raw_of(item: Mapping[str, Any], now: datetime) -> Raw:
    """Never raises: what cannot be read is stored too, and `parse` refuses it."""
    return Raw(
        key=str(item.get("id") or sha256_hex(encode_stable(item))),
        digest=sha256_hex(encode_stable([item.get(name) for name in _MATTERS])),
        body=encode(item),
        media_type="application/json",
        received_at=now,
    )
