"""A review → a message. Pure."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Visibility
from connectors._shop.rows import moment, stars_of
from connectors.judge_me.settings import JudgeMeSettings

MAX_PICTURES = 20
SPAM = "spam"
_SIZES = ("original", "huge", "compact", "small")
"""The largest first."""


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    id: int | str | None = None
    email: str | None = None
    name: str | None = None
    phone: str | None = None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    urls: dict[str, str | None] = {}


class Review(msgspec.Struct, frozen=True, kw_only=True):
    id: int | str
    rating: int | float
    created_at: str
    updated_at: str | None = None
    title: str | None = None
    body: str | None = None
    reviewer: Reviewer | None = None
    product_title: str | None = None
    product_handle: str | None = None
    product_external_id: int | str | None = None
    pictures: tuple[Picture, ...] | None = None
    curated: str | None = None
    hidden: bool | None = None
    published: bool | None = None


def parse(raw: Raw, settings: JudgeMeSettings) -> Message:
    """Raises BadMessage."""
    try:
        return _read(raw, decode(raw.body, Review), settings)
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _read(raw: Raw, said: Review, settings: JudgeMeSettings) -> Message:
    stars, is_edited, is_spam = stars_of(said.rating), raw.ordinal > 1, said.curated == SPAM
    is_shown = said.published is not False and not said.hidden and not is_spam
    handle = (said.product_handle or "").strip()
    return Message(
        text=(said.body or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if is_edited else Kind.SAID,
        author=_author(said.reviewer or Reviewer()),
        posted_at=moment(said.updated_at if is_edited and said.updated_at else said.created_at),
        subject=(said.title or "").strip(),
        attachments=tuple(_attachment(one) for one in (said.pictures or ())[:MAX_PICTURES] if _address(one)),
        rating=None if stars is None else Rating(value=stars),
        product=(said.product_title or "").strip() or handle or str(said.product_external_id or ""),
        permalink=f"https://{settings.shop_domain}/products/{quote(handle, safe='')}" if handle else "",
        visibility=Visibility.PUBLIC if is_shown else Visibility.PRIVATE,
        is_automatic=is_spam,
        automatic_reason="curated: spam" if is_spam else "",
    )


def _author(who: Reviewer) -> Author:
    return Author(
        id=str(who.id or ""),
        name=(who.name or "").strip(),
        email=(who.email or "").strip().lower(),
        phone=(who.phone or "").strip(),
    )


def _attachment(picture: Picture) -> Attachment:
    locator = {"picture": _address(picture)}
    return Attachment(name="", title="picture", media_type="image/jpeg", ref=Ref(locator=locator))


def _address(picture: Picture) -> str:
    return next((found for size in _SIZES if (found := picture.urls.get(size))), "")
