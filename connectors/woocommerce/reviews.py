"""A page of reviews, or of the trash, as raws ("WooCommerce REST API: Product reviews"). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import Response
from allears_sdk.sweep import Listed, Page, digest_of, raw_of, unreadable
from connectors._shop.rows import moment, name_of, words

TRASHED = "trashed"
"""The digest of a review that lies in the trash."""
_TAGS = re.compile(r"<[^<>]*>")


def read_page(response: Response, number: int, now: datetime) -> Page:
    """Raises Unavailable for what is no page. One may be shorter than asked for without being the last: what the key's
    user may not read is left out of it."""
    rows = rows_of(response)
    return Page(items=[_listed(row, now) for row in rows], next=_following(response, number, has_rows=bool(rows)))


def read_trash(response: Response, number: int, now: datetime) -> Page:
    rows = rows_of(response)
    return Page(items=list(_trashed(rows, now)), next=_following(response, number, has_rows=bool(rows)))


def rows_of(response: Response) -> list[Any]:
    rows = response.json()
    if not isinstance(rows, list):
        raise Unavailable("the shop's answer is not a list of reviews")
    return rows


def _following(response: Response, number: int, *, has_rows: bool) -> str:
    """Behind the last page WordPress gives empty ones; some servers on the way take the header out."""
    pages = whole(response.header("x-wp-totalpages"), -1)
    has_more = has_rows if pages < 0 else number < pages
    return str(number + 1) if has_more else ""


def _listed(row: Any, now: datetime) -> Listed:
    review, at = name_of(row), moment(row.get("date_created_gmt")) if isinstance(row, dict) else None
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date", [review, words(row, "review")])
    matters = digest_of(str(row.get("rating")), " ".join(_TAGS.sub(" ", words(row, "review")).split()))
    return Listed(raws=(raw_of(review, row, now, matters),), at=at)


def _trashed(rows: list[Any], now: datetime) -> Iterator[Listed]:
    for row in rows:
        if (review := name_of(row)) and (at := moment(row.get("date_created_gmt"))):
            yield Listed(raws=(raw_of(review, row, now, TRASHED, **{TRASHED: True}),), at=at)
