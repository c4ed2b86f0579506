"""A comment, or the shop's answer to one → messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Role, Visibility
from allears_sdk.signing import sha256_hex
from connectors._marketplace.times import moment
from connectors.meituan.rows import REPLY
from connectors.meituan.settings import MeituanSettings

BEST = 5
Number = int | str | None
"""Of the scores, 0 or less is none."""


class Dish(msgspec.Struct, frozen=True, kw_only=True):
    food_name: str | None = None
    count: Number = None


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """ "QueryCommentListData" of the platform's own clients; only the fields that are used."""

    comment_id: str | int
    comment_content: str | None = None
    comment_time: str | int | None = None
    comment_lables: str | None = None
    comment_pictures: str | None = None
    food_comment_score: Number = None
    """Of the whole (总体); the others are its parts."""
    order_comment_score: Number = None
    packing_score: Number = None
    delivery_comment_score: Number = None
    add_comment: str | None = None
    add_comment_time: str | int | None = None
    praise_food_list: str | None = None
    critic_food_list: str | None = None
    over_delivery_time_desc: str | None = None
    comment_order_detail: list[Dish] | None = None
    e_reply_content: str | None = None
    e_reply_time: str | int | None = None


def parse(raw: Raw, settings: MeituanSettings) -> list[Message]:
    """Raises BadMessage."""
    try:
        said = decode(raw.body, Comment)
        if raw.key.startswith(REPLY):
            return [_answer(raw, said)]
        return [_comment(raw, said, settings), *_later(said), *_facts(raw, said)]
    except ValueError as error:
        raise BadMessage(f"comment {raw.key}: {error}") from None


def _comment(raw: Raw, said: Comment, settings: MeituanSettings) -> Message:
    rating = _score(said.food_comment_score)
    lines = [(said.comment_content or "").strip()]
    lines += [f"{label}：{words}" for label, words in _chosen(said) if words]
    return Message(
        text="\n".join(line for line in lines if line) or _overall(rating),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        posted_at=moment(said.comment_time),
        rating=None if rating is None else Rating(value=rating),
        product=settings.name_of(str(raw.context.get("poi") or "")),
        attachments=_pictures(said),
        visibility=Visibility.PUBLIC,
    )


def _overall(rating: int | None) -> str:
    """What was said, where all that was said is a number: a ticket needs a title."""
    return "" if rating is None else f"总体：{rating} 星"


def _chosen(said: Comment) -> Iterator[tuple[str, str]]:
    """What a customer says by choosing it."""
    yield "标签", (said.comment_lables or "").strip(" ,")
    yield "点踩", (said.critic_food_list or "").strip(" ,")


def _later(said: Comment) -> Iterator[Message]:
    """追评: under the same id, weeks later; known by what it says."""
    if added := (said.add_comment or "").strip():
        yield Message(
            text=added,
            external_id=f"{said.comment_id}-added-{sha256_hex(added)[:12]}",
            revision="1",
            thread=(str(said.comment_id),),
            posted_at=moment(said.add_comment_time),
            visibility=Visibility.PUBLIC,
        )


def _facts(raw: Raw, said: Comment) -> Iterator[Message]:
    text = "\n".join(f"{label}：{value}" for label, value in _lines(said) if value)
    if text:
        yield Message(
            text=text,
            external_id=f"{said.comment_id}-facts",
            kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
            thread=(str(said.comment_id),),
            author=Author(role=Role.BOT, name="美团外卖"),
            posted_at=moment(said.comment_time),
            visibility=Visibility.PUBLIC,
        )


def _lines(said: Comment) -> Iterator[tuple[str, str]]:
    parts = (("质量", said.order_comment_score), ("包装", said.packing_score), ("配送", said.delivery_comment_score))
    for label, score in parts:
        value = _score(score)
        yield label, "" if value is None else f"{value} 星"
    dishes = [f"{dish.food_name}×{dish.count or 1}" for dish in said.comment_order_detail or [] if dish.food_name]
    yield "所点菜品", "、".join(dishes)
    yield "点赞", (said.praise_food_list or "").strip(" ,")
    yield "配送时长", (said.over_delivery_time_desc or "").strip()


def _answer(raw: Raw, said: Comment) -> Message:
    return Message(
        text=(said.e_reply_content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(str(said.comment_id),),
        author=Author(role=Role.COMPANY),
        posted_at=moment(said.e_reply_time),
        visibility=Visibility.PUBLIC,
    )


def _score(score: Number) -> int | None:
    """Raises ValueError for what no scale of five has."""
    value = int(score) if isinstance(score, int) or (score and score.strip()) else 0
    if value > BEST:
        raise ValueError(f"rated {value}, not 1 to {BEST}")
    return value if value > 0 else None


def _pictures(said: Comment) -> tuple[Attachment, ...]:
    found = [url.strip() for url in (said.comment_pictures or "").split(",")]
    return tuple(
        Attachment(name="", title=f"图片 {index}", media_type="image/*", ref=Ref(locator={"url": url}))
        for index, url in enumerate(found, 1)
        if url.startswith(("https://", "http://"))
    )
