"""Reviews and after-sales cases of JD, as raws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.numbers import id_of, whole
from allears_sdk.spans import Rows
from allears_sdk.sweep import Listed, digest_of, raw_of, unreadable
from connectors._marketplace.times import moment

REVIEW, REPLY, CASE = "review:", "reply:", "after-sales:"
"""Begin the keys."""
_TELLING = ("afsOrderStatusInfo", "customerApplyInfo", "refundInfo")


def read_reviews(answer: Mapping[str, Any], now: datetime) -> Rows:
    """Raises Unavailable for what is no list."""
    if "comments" not in answer:  # some methods wrap their result once more
        answer = next((one for one in answer.values() if isinstance(one, dict) and "totalItem" in one), answer)
    rows = answer.get("comments") or []
    total = whole(answer.get("totalItem"), -1)
    if not isinstance(rows, list) or total < len(rows):
        raise Unavailable("JD's list of reviews is not what it documents")
    return Rows(items=[_review(row, now) for row in rows], total=total)


def _review(row: Any, now: datetime) -> Listed:
    known = row if isinstance(row, dict) else {}
    review, at = id_of(known.get("commentId")), moment(known.get("creationTime"))
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a time")
    return Listed(raws=tuple(_raws(known, review, now)), at=at)


def _raws(row: Mapping[str, Any], review: str, now: datetime) -> Iterator[Raw]:
    matters = digest_of(str(row.get("score")), row.get("content"))
    yield raw_of(f"{REVIEW}{review}", row, now, matters)
    replies = row.get("replies")
    for reply in replies if isinstance(replies, list) else ():
        number = id_of(reply.get("replyId")) if isinstance(reply, dict) else ""
        if number:
            yield raw_of(f"{REPLY}{number}", reply, now, digest_of(reply.get("content")), review=review)


def read_cases(answer: Mapping[str, Any]) -> tuple[list[Any], int]:
    """The rows of a page, and how many there are in all. Raises Unavailable."""
    rows, pages = answer.get("data") or [], answer.get("paginationData")
    total = whole(pages.get("totalItems"), -1) if isinstance(pages, dict) else -1
    if not isinstance(rows, list) or total < len(rows):
        raise Unavailable("JD's list of after-sales cases is not what it documents")
    return rows, total


def number_of(row: Any) -> str:
    """ "" for a row without one."""
    return id_of(row.get("afsOrderId")) if isinstance(row, dict) else ""


def case(found: Any, number: str, now: datetime) -> Listed:
    """Of the case's own page, or its row where there is no number to ask with."""
    if not number or not isinstance(found, dict):
        return unreadable(found, now, f"after-sales case {number or 'without a number'}: this is none")
    base = found.get("afsOrderBaseInfo")
    raw = raw_of(f"{CASE}{number}", found, now, digest_of(*(found.get(name) for name in _TELLING)))
    return Listed(raws=(raw,), at=moment(base.get("modifiedTime")) if isinstance(base, dict) else None)
