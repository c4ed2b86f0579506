"""A review → a message. Pure."""

from __future__ import annotations

import re
from html import unescape

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.markup import plain
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Visibility
from connectors._shop.rows import moment, stars_of
from connectors.woocommerce.reviews import TRASHED

APPROVED = "approved"
_BREAK = re.compile(r"(<br ?/?>)\r?\n")
"""WordPress writes every line break twice."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    id: int | str
    date_created_gmt: str
    review: str
    rating: int
    status: str | None = None
    product_id: int | str | None = None
    product_name: str | None = None
    product_permalink: str | None = None
    reviewer: str | None = None
    reviewer_email: str | None = None


def parse(raw: Raw) -> Message:
    """Raises BadMessage."""
    try:
        return _read(raw, decode(raw.body, Review))
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read(raw: Raw, said: Review) -> Message:
    is_trashed, is_edited, stars = bool(raw.context.get(TRASHED)), raw.ordinal > 1, stars_of(said.rating)
    return Message(
        text="" if is_trashed else plain(_BREAK.sub(r"\1", said.review)),
        external_id=raw.key,
        kind=Kind.WITHDRAWN if is_trashed else Kind.EDITED if is_edited else Kind.SAID,
        author=Author(name=unescape(said.reviewer or "").strip(), email=(said.reviewer_email or "").strip().lower()),
        posted_at=raw.received_at if is_edited or is_trashed else moment(said.date_created_gmt),
        rating=None if stars is None or is_trashed else Rating(value=stars),
        product=unescape(said.product_name or "").strip() or (f"#{said.product_id}" if said.product_id else ""),
        permalink=_link(said),
        visibility=Visibility.PUBLIC if said.status == APPROVED else Visibility.PRIVATE,
    )


def _link(said: Review) -> str:
    """Where the review stands on the product's page."""
    page = (said.product_permalink or "").strip()
    return f"{page.partition('#')[0]}#comment-{said.id}" if page.startswith("https://") else ""
