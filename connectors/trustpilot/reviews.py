"""Reviews as raws, the same ones whether they are pushed or read; the company's answer is a raw of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed, Page, digest_of, raw_of, unreadable
from connectors._shop.rows import inner, line, moment, name_of, words

PRODUCT = "product:"
"""Begins the keys of what is said about a product."""
ANSWER = "answer:"
"""Begins the keys of the company's answers."""
DELETED = "deleted"
"""The digest of a review that was taken away."""


def read_page(answer: Mapping[str, Any], name: str, prefix: str, now: datetime, following: str) -> Page:
    """`name`: of the list in the answer. `following`: the position of the next page, if this one holds anything: behind
    the end Trustpilot gives empty ones. Raises Unavailable for what is no page."""
    rows = answer.get(name)
    if not isinstance(rows, list):
        raise Unavailable("Trustpilot's answer is not a list of reviews")
    return Page(items=[_listed(row, prefix, now) for row in rows], next=following if rows else "")


def _listed(row: Any, prefix: str, now: datetime) -> Listed:
    review, at = name_of(row), moment(row.get("createdAt")) if isinstance(row, dict) else None
    if not review or at is None:
        return unreadable(row, now, "a review without an id or a date", [review, words(row, "text")])
    return Listed(raws=tuple(_raws(row, f"{prefix}{review}", now)), at=at)


def _raws(row: Mapping[str, Any], key: str, now: datetime) -> Iterator[Raw]:
    yield written(row, key, now)
    if answer := inner(row, "companyReply"):
        yield raw_of(f"{ANSWER}{key}", answer, now, digest_of(line(answer, "text")), review=key)


def written(row: Mapping[str, Any], key: str, now: datetime) -> Raw:
    """Likes, tags and answers change nothing of what a customer says."""
    matters = digest_of(str(row.get("stars")), line(row, "title"), line(row, "text") or line(row, "content"))
    return raw_of(key, row, now, matters)


def removed(row: Mapping[str, Any], key: str, now: datetime) -> Raw:
    return raw_of(key, row, now, DELETED, **{DELETED: True})
