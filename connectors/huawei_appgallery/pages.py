"""A page of reviews, as raws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, digest_of, unreadable

JSON = "application/json"
AGAIN = "again:"
"""Begins the keys of what a customer wrote below our answer."""
_WROTE_AGAIN = "6"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_page(data: Mapping[str, Any], app: str, now: datetime, following: str) -> Page:
    """`following`: the position of the next page, if there is one. Raises Unavailable for what is no page."""
    rows = data.get("reviewList")
    if not isinstance(rows, list):
        raise Unavailable("AppGallery Connect's answer is not a list of reviews")
    has_next = str(data.get("hasNext", "")).lower() in ("true", "1") and bool(rows)
    return Page(items=[_listed(row, app, now) for row in rows], next=following if has_next else "")


def _listed(row: Any, app: str, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    review, at = known.get("reviewId"), moment(known.get("dateline"))
    if not isinstance(review, str | int) or not str(review) or at is None:
        return unreadable(row, now, "a review without an id or a date")
    return Listed(raws=tuple(_raws(known, str(review), app, now)), at=at)


def _raws(row: Mapping[str, Any], review: str, app: str, now: datetime) -> Iterator[Raw]:
    matters, about = digest_of(str(row.get("rating")), row.get("content")), {"app": app}
    yield Raw(key=review, digest=matters, body=encode(row), media_type=JSON, received_at=now, context=about)
    if str(row.get("devReplyState")) == _WROTE_AGAIN:
        yield Raw(key=f"{AGAIN}{review}", body=encode(row), media_type=JSON, received_at=now, context=about)


def moment(milliseconds: object) -> datetime | None:
    """A number, or one in quotes; None for anything else."""
    try:
        return _EPOCH + timedelta(milliseconds=int(milliseconds)) if isinstance(milliseconds, int | str) else None
    except (ValueError, OverflowError):
        return None
