"""A review, or the company's answer to one → a message. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._shop.rows import moment, stars_of
from connectors.trustpilot.reviews import ANSWER, DELETED, PRODUCT

_PAGE = "https://www.trustpilot.com/reviews/"


class Consumer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The API says `displayName`, what is pushed `name`."""

    id: str | None = None
    display_name: str | None = None
    name: str | None = None
    email: str | None = None


class Product(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    sku: str | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A review of a product has `content`, one of the company `title` and `text`."""

    id: str
    stars: int
    created_at: str
    updated_at: str | None = None
    title: str | None = None
    text: str | None = None
    content: str | None = None
    language: str | None = None
    reference_id: str | None = None
    referral_email: str | None = None
    link: str | None = None
    consumer: Consumer | None = None
    product: Product | None = None


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    consumer: Consumer | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    text: str
    created_at: str | None = None
    updated_at: str | None = None


def parse(raw: Raw) -> Message:
    """Raises BadMessage."""
    try:
        if raw.key.startswith(ANSWER):
            return _read_answer(raw)
        return _read_deleted(raw) if raw.context.get(DELETED) else _read_review(raw)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read_review(raw: Raw) -> Message:
    said = decode(raw.body, Review)
    stars, is_edited = stars_of(said.stars), raw.ordinal > 1
    product = said.product or Product()
    return Message(
        text=(said.text or said.content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if is_edited else Kind.SAID,
        author=_author(said.consumer, said.referral_email),
        posted_at=_changed_at(said, raw) if is_edited else moment(said.created_at),
        subject=(said.title or "").strip(),
        rating=None if stars is None else Rating(value=stars),
        product=(product.name or product.sku or "").strip(),
        order=(said.reference_id or "").strip(),
        permalink=_link(said, raw),
        visibility=Visibility.PUBLIC,
        language=(said.language or "").strip(),
    )


def _read_deleted(raw: Raw) -> Message:
    gone = decode(raw.body, Gone)
    return Message(
        text="",
        external_id=raw.key,
        kind=Kind.WITHDRAWN,
        author=_author(gone.consumer, None),
        posted_at=raw.received_at,
        visibility=Visibility.PUBLIC,
    )


def _read_answer(raw: Raw) -> Message:
    answer = decode(raw.body, Reply)
    return Message(
        text=answer.text.strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(raw.context["review"]),),
        author=Author(role=Role.COMPANY),
        posted_at=moment(answer.updated_at) or moment(answer.created_at),
        visibility=Visibility.PUBLIC,
    )


def _author(who: Consumer | None, invited: str | None) -> Author:
    who = who or Consumer()
    return Author(
        id=who.id or "",
        name=(who.display_name or who.name or "").strip(),
        email=(who.email or invited or "").strip().lower(),
    )


def _changed_at(said: Review, raw: Raw) -> datetime:
    """What is pushed does not say when it was changed: just now."""
    return moment(said.updated_at) or raw.received_at


def _link(said: Review, raw: Raw) -> str:
    """A review of a product has no page of its own."""
    if said.link and said.link.startswith("https://"):
        return said.link
    return "" if raw.key.startswith(PRODUCT) else f"{_PAGE}{said.id}"
