"""A review, or the answer to one → a message ("CustomerReview", "CustomerReviewResponseV1"). Pure."""

from __future__ import annotations

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._apple.reviews import BEST, moment
from connectors._apple.settings import AppStoreSettings, page_of, product_of

ANSWER = "answer:"
"""Begins the keys of answers."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    rating: int | None = None
    title: str | None = None
    body: str | None = None
    reviewerNickname: str | None = None  # noqa: N815  # Apple's name
    createdDate: str | None = None  # noqa: N815  # Apple's name
    territory: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    responseBody: str  # noqa: N815  # Apple's name
    lastModifiedDate: str | None = None  # noqa: N815  # Apple's name


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    attributes: Review


class ReplyItem(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    attributes: Reply


def parse(raw: Raw, settings: AppStoreSettings) -> Message:
    """Raises BadMessage."""
    try:
        return _read_answer(raw) if raw.key.startswith(ANSWER) else _read_review(raw, settings)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read_review(raw: Raw, settings: AppStoreSettings) -> Message:
    item = decode(raw.body, ReviewItem)
    said, app = item.attributes, str(raw.context.get("app") or "")
    if said.rating is None or not 1 <= said.rating <= BEST:
        raise ValueError(f"rated {said.rating}, not 1 to {BEST}")
    return Message(
        text=said.body or "",
        subject=(said.title or "").strip(),
        external_id=item.id,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(name=(said.reviewerNickname or "").strip()),
        posted_at=moment(said.createdDate),
        rating=Rating(value=float(said.rating)),
        product=product_of(settings.name_of(app), place=said.territory or ""),
        permalink=page_of(app),
        visibility=Visibility.PUBLIC,
    )


def _read_answer(raw: Raw) -> Message:
    item = decode(raw.body, ReplyItem)
    return Message(
        text=item.attributes.responseBody,
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(raw.context["review"]),),
        author=Author(role=Role.COMPANY),
        posted_at=moment(item.attributes.lastModifiedDate),
        visibility=Visibility.PUBLIC,
    )
