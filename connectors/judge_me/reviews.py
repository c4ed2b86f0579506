"""Reviews as raws, the same ones whether they are pushed or read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.sweep import Listed, Page, digest_of, raw_of, unreadable
from connectors._shop.rows import line, moment, name_of, words


def read_page(answer: Mapping[str, Any], now: datetime, following: str) -> Page:
    """`following`: the position of the next page, if this one holds anything: how long full ones are, is not promised.
    Raises Unavailable for what is no page."""
    rows = answer.get("reviews")
    if not isinstance(rows, list):
        raise Unavailable("Judge.me's answer is not a list of reviews")
    return Page(items=[read_row(row, now) for row in rows], next=following if rows else "")


def read_row(row: Any, now: datetime) -> Listed:
    """What the shop does with a review (hidden, featured, curated) changes nothing of what a customer says."""
    review, at = name_of(row), moment(row.get("created_at")) if isinstance(row, dict) else None
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date", [review, words(row, "body")])
    matters = digest_of(_number(row.get("rating")), line(row, "title"), line(row, "body"))
    return Listed(raws=(raw_of(review, row, now, matters),), at=at)


def _number(rating: object) -> str:
    """5 and 5.0 are one."""
    return f"{rating:g}" if isinstance(rating, int | float) else str(rating)
