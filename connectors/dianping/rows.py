"""Reviews as raws."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.numbers import id_of
from allears_sdk.sweep import Listed, digest_of, raw_of, unreadable
from connectors._marketplace.times import moment


def read_rows(data: Any, about: dict[str, Any], text_field: str, now: datetime) -> list[Listed]:
    """Raises Unavailable for what is no list; nothing at all is an empty one."""
    rows = data.get("reviewInfoDTOList") if isinstance(data, dict) else data
    if rows is not None and not isinstance(rows, list):
        raise Unavailable("Dianping's answer is not a list of reviews")
    return [_listed(row, about, text_field, now) for row in rows or []]


def _listed(row: Any, about: dict[str, Any], text_field: str, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    review = id_of(known.get("reviewId") or known.get("reviewid"))
    if not review:
        said = [str(known.get(name) or "") for name in ("reviewTime", "consumeOrderId")]
        return unreadable(row, now, "a review without an id", said)
    parts = [known.get(name) for name in ("star", "accurateStar", "scoreDetails")]
    digest = digest_of(*parts, known.get(text_field) if text_field else "")
    return Listed(raws=(raw_of(review, row, now, digest, **about),), at=moment(known.get("reviewTime")))
