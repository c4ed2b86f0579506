"""A review, or the answer to one → a message ("Reply to Reviews"). Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._google.reviews import ANSWER, BEST
from connectors.google_play.pages import moment
from connectors.google_play.settings import GooglePlaySettings


class UserComment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    text: str | None = None
    original_text: str | None = None
    last_modified: dict[str, Any] | None = None
    star_rating: int | None = None
    reviewer_language: str | None = None
    app_version_name: str | None = None


class Comment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    user_comment: UserComment | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    review_id: str
    author_name: str | None = None
    comments: list[Comment]


class DeveloperComment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    text: str
    last_modified: dict[str, Any] | None = None


def parse(raw: Raw, settings: GooglePlaySettings) -> Message:
    """Raises BadMessage."""
    try:
        return _read_answer(raw) if raw.key.startswith(ANSWER) else _read_review(raw, settings)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read_review(raw: Raw, settings: GooglePlaySettings) -> Message:
    review, app = decode(raw.body, Review), str(raw.context.get("app") or "")
    said = next((one.user_comment for one in review.comments if one.user_comment), None)
    if said is None or said.star_rating is None or not 1 <= said.star_rating <= BEST:
        raise ValueError(f"rated {said and said.star_rating}, not 1 to {BEST}")
    title, text = _words(said.original_text or said.text or "")
    return Message(
        text=text,
        subject=title,
        external_id=review.review_id,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(name=(review.author_name or "").strip()),
        posted_at=moment(said.last_modified),
        rating=Rating(value=said.star_rating),
        product=" ".join(part for part in (settings.name_of(app), said.app_version_name) if part),
        permalink=f"https://play.google.com/store/apps/details?id={quote_plus(app)}&reviewId={quote_plus(review.review_id)}",
        visibility=Visibility.PUBLIC,
        language=(said.reviewer_language or "").replace("_", "-"),
    )


def _words(text: str) -> tuple[str, str]:
    """Title and text: old clients' are joined by a tab, new ones have no title."""
    title, tab, rest = text.partition("\t")
    return (title.strip(), rest.strip()) if tab and rest.strip() else ("", text.strip())


def _read_answer(raw: Raw) -> Message:
    answer = decode(raw.body, DeveloperComment)
    return Message(
        text=answer.text,
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(raw.context["review"]),),
        author=Author(role=Role.COMPANY),
        posted_at=moment(answer.last_modified),
        visibility=Visibility.PUBLIC,
    )
