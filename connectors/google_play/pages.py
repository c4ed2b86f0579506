"""A page of reviews with the developer's answers, as raws ("Reply to Reviews")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, digest_of, unreadable
from connectors._google.reviews import JSON, answer_to, inner, text_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_page(answer: Mapping[str, Any], app: str, now: datetime) -> Page:
    """Raises Unavailable for what is no page. A quiet week has no `reviews` at all."""
    rows = answer.get("reviews", [])
    if not isinstance(rows, list):
        raise Unavailable("Google Play's answer is not a list of reviews")
    items = [_listed(row, app, now) for row in rows]
    return Page(items=items, next=text_of(inner(answer, "tokenPagination"), "nextPageToken"))


def _listed(row: Any, app: str, now: datetime) -> Listed:
    review, said = text_of(row, "reviewId"), _comment(row, "userComment")
    at = moment(said.get("lastModified"))
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date")
    return Listed(raws=tuple(_raws(row, review, said, app, now)), at=at)


def _raws(row: Any, review: str, said: Mapping[str, Any], app: str, now: datetime) -> Iterator[Raw]:
    matters = digest_of(said.get("starRating"), said.get("originalText") or said.get("text"))
    yield Raw(key=review, digest=matters, body=encode(row), media_type=JSON, received_at=now, context={"app": app})
    if answer := _comment(row, "developerComment"):
        yield answer_to(review, answer, answer.get("text"), now)


def _comment(row: Any, name: str) -> Mapping[str, Any]:
    """The customer's or the developer's: they come in no order."""
    comments = row.get("comments") if isinstance(row, dict) else None
    found = [inner(one, name) for one in comments] if isinstance(comments, list) else []
    return next((one for one in found if one), {})


def moment(stamp: object) -> datetime | None:
    """{"seconds": "1795319982", "nanos": 512000000}; None for anything else."""
    if not isinstance(stamp, dict):
        return None
    try:
        return _EPOCH + timedelta(seconds=int(stamp["seconds"]), microseconds=int(stamp.get("nanos") or 0) // 1000)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
