"""A review, or the owner's answer to one → a message. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._google.reviews import ANSWER
from connectors.google_business.pages import moment, original

Stars = Literal["STAR_RATING_UNSPECIFIED", "ONE", "TWO", "THREE", "FOUR", "FIVE"]
_RATINGS: dict[Stars, Rating] = {
    "ONE": Rating(value=1),
    "TWO": Rating(value=2),
    "THREE": Rating(value=3),
    "FOUR": Rating(value=4),
    "FIVE": Rating(value=5),
}


class Reviewer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    display_name: str | None = None
    is_anonymous: bool | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    update_time: str
    star_rating: Stars = "STAR_RATING_UNSPECIFIED"
    reviewer: Reviewer | None = None
    comment: str | None = None
    review_reply_url: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    comment: str
    update_time: str | None = None


def parse(raw: Raw) -> Message:
    """Raises BadMessage."""
    try:
        return _read_answer(raw) if raw.key.startswith(ANSWER) else _read_review(raw)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read_review(raw: Raw) -> Message:
    said = decode(raw.body, Review)
    who = said.reviewer
    return Message(
        text=original(said.comment or ""),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(name=(who.display_name or "").strip() if who and not who.is_anonymous else ""),
        posted_at=moment(said.update_time),
        rating=_RATINGS.get(said.star_rating),
        product=str(raw.context.get("place") or ""),
        permalink=link if (link := said.review_reply_url or "").startswith("https://") else "",
        visibility=Visibility.PUBLIC,
    )


def _read_answer(raw: Raw) -> Message:
    answer = decode(raw.body, Reply)
    return Message(
        text=original(answer.comment),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(raw.context["review"]),),
        author=Author(role=Role.COMPANY),
        posted_at=moment(answer.update_time or ""),
        visibility=Visibility.PUBLIC,
    )
