"""A review → messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._marketplace.times import moment
from connectors.dianping.settings import DianpingSettings

POINTS_PER_STAR = 10
BEST = 5
NAMES = {"1": "大众点评", "2": "美团"}
_NO_WORDS = "接口不提供，见开店宝 / in 开店宝"


class Score(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    title: str | None = None
    score: int | None = None
    accurate_score: int | None = None


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    title: str | None = None
    content: str | int | float | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """ "ReviewInfoDTO" of the platform's own clients."""

    star: int | None = None
    accurate_star: int | None = None
    """In tenths of a star; with halves, where `star` has none."""
    review_time: str | int | None = None
    consume_order_id: str | int | None = None
    consume_amount: str | int | float | None = None
    consume_time: str | int | None = None
    serial_numbers: str | None = None
    score_details: list[Score] | None = None
    trade_details: list[Trade] | None = None


def parse(raw: Raw, settings: DianpingSettings) -> list[Message]:
    """Raises BadMessage."""
    try:
        said = decode(raw.body, Review)
        words = _words(raw, settings)
        return [_review(raw, said, words, settings), *_facts(raw, said, words)]
    except ValueError as error:
        raise BadMessage(f"review {raw.key}: {error}") from None


def _review(raw: Raw, said: Review, words: str, settings: DianpingSettings) -> Message:
    stars = _stars(said.accurate_star or said.star)
    return Message(
        text="\n".join(line for line in (words or _overall(stars), *_scores(said)) if line),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        posted_at=moment(said.review_time),
        rating=None if stars is None else Rating(value=stars),
        product=settings.name_of(str(raw.context.get("shop") or "")),
        order=str(said.consume_order_id or ""),
        visibility=Visibility.PUBLIC,
    )


def _words(raw: Raw, settings: DianpingSettings) -> str:
    found: Any = decode(raw.body, dict[str, Any]).get(settings.text_field) if settings.text_field else ""
    return found.strip() if isinstance(found, str) else ""


def _overall(stars: float | None) -> str:
    """What was said, where all that was said is a number: a ticket needs a title."""
    return "" if stars is None else f"总体：{stars:g} 星"


def _scores(said: Review) -> Iterator[str]:
    for one in said.score_details or []:
        stars = _stars(one.accurate_score or one.score)
        if one.title and stars is not None:
            yield f"{one.title}：{stars:g} 星"


def _facts(raw: Raw, said: Review, words: str) -> Iterator[Message]:
    """What was bought, and where the words are: context, since whatever stood in the text would count as said."""
    told = [("评语", "" if words else _NO_WORDS), ("消费金额", said.consume_amount), ("消费时间", said.consume_time)]
    told += [("券号", said.serial_numbers)]
    told += [(one.title or "", one.content) for one in said.trade_details or [] if one.title]
    text = "\n".join(f"{label}：{value}" for label, value in told if value)
    if text:
        yield Message(
            text=text,
            external_id=f"{raw.key}-facts",
            kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
            thread=(raw.key,),
            author=Author(role=Role.BOT, name=_platform(raw)),
            posted_at=moment(said.review_time),
            visibility=Visibility.PUBLIC,
        )


def _platform(raw: Raw) -> str:
    return NAMES.get(str(raw.context.get("platform")), "大众点评")


def _stars(points: int | None) -> float | None:
    """Raises ValueError for what no scale of five stars has."""
    stars = (points or 0) / POINTS_PER_STAR
    if not 0 <= stars <= BEST:
        raise ValueError(f"rated {points}, not 5 to {BEST * POINTS_PER_STAR}")
    return stars or None
