"""A review, an answer to one, or an after-sales case → messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Role, Visibility
from connectors._marketplace.after_sales import Case, messages_of
from connectors._marketplace.times import moment
from connectors.jd.rows import CASE, REPLY, REVIEW
from connectors.jd.settings import JdSettings

IMAGES = ".360buyimg.com"
"""Where JD keeps pictures."""


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    img_url: str | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbers may come in quotes."""

    comment_id: str | int
    score: str | int
    content: str | None = None
    creation_time: str | int | None = None
    skuid: str | int | None = None
    sku_name: str | None = None
    nickname: str | None = msgspec.field(default=None, name="nickName")
    open_id_buyer: str | None = msgspec.field(default=None, name="open_id_buyer")
    order_id: str | int | None = None
    images: list[Image] | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    content: str | None = None
    creation_time: str | int | None = None
    nickname: str | None = msgspec.field(default=None, name="nickName")


class Sku(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sku_name: str | None = None
    sku_num: str | int | None = None


class AfterSales(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    order_id: str | int | None = None
    afs_order_base_info: dict[str, Any] = {}
    afs_order_status_info: dict[str, Any] = {}
    customer_apply_info: dict[str, Any] = {}
    refund_info: dict[str, Any] | None = None
    order_info: dict[str, Any] = {}
    sku_info_list: list[Sku] | None = None


def parse(raw: Raw, settings: JdSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        if raw.key.startswith(CASE):
            return messages_of(_case(raw, decode(raw.body, AfterSales), settings), raw, settings.plain_reasons)
        if raw.key.startswith(REPLY):
            return (_reply(raw, decode(raw.body, Reply)),)
        return (_review(raw, decode(raw.body, Review), settings),)
    except ValueError as error:
        raise BadMessage(f"{raw.key}: {error}") from None


def _review(raw: Raw, review: Review, settings: JdSettings) -> Message:
    score, best = int(review.score), 3 if settings.score_scale == "class" else 5
    if not 1 <= score <= best:
        raise ValueError(f"rated {score}, not 1 to {best}; see score_scale")
    return Message(
        text=(review.content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(id=review.open_id_buyer or "", name=review.nickname or ""),
        posted_at=moment(review.creation_time),
        rating=Rating(value=score, best=best, worst=1),
        product=review.sku_name or "",
        order=str(review.order_id or ""),
        permalink=f"https://item.jd.com/{review.skuid}.html" if review.skuid else "",
        attachments=tuple(_picture(number, image) for number, image in enumerate(review.images or (), 1)),
        visibility=Visibility.PUBLIC,
    )


def _picture(number: int, image: Image) -> Attachment:
    """Asked for at JD alone, whatever the address says."""
    path = image_path(image.img_url or "")
    if not path:
        return Attachment(name="", title=f"评价图片 {number}", media_type="image/*", skipped="not an address of JD's")
    return Attachment(name="", title=f"评价图片 {number}", media_type="image/*", ref=Ref(locator={"path": path}))


def image_path(address: str) -> str:
    """Host and path of a picture at JD, "" for anything else; the scheme is often left out."""
    try:
        place = urlsplit(address if "//" in address else f"//{address}")
        host = place.hostname or ""
    except ValueError:
        return ""
    is_ours = host.endswith(IMAGES) and place.path.startswith("/") and not place.query
    return f"{host}{place.path}" if is_ours else ""


def _reply(raw: Raw, reply: Reply) -> Message:
    return Message(
        text=(reply.content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(f"{REVIEW}{raw.context.get('review')}",),
        author=Author(role=Role.COMPANY, name=reply.nickname or ""),
        posted_at=moment(reply.creation_time),
        visibility=Visibility.PUBLIC,
    )


def _case(raw: Raw, found: AfterSales, settings: JdSettings) -> Case:
    number, applied, refund = raw.key.removeprefix(CASE), found.customer_apply_info, found.refund_info or {}
    status = found.afs_order_status_info
    amount = _text(refund, "applyRefundAmount")
    facts = (
        ("服务单号", number),
        ("状态", "/".join(filter(None, (_text(status, "mainStatus"), _text(status, "subStatus"))))),
        ("客户期望", _text(applied, "customerExpect")),
        ("原因", _text(applied, settings.reason_field)),
        ("退款状态", _text(refund, "refundStatus")),
        ("申请退款金额", f"{amount} 元" if amount else ""),
    )
    return Case(
        title=f"京东售后服务单 {number}",
        reason=_text(applied, settings.reason_field),
        words=_text(applied, settings.words_field),
        order=_text(found.order_info, "orderId") or str(found.order_id or ""),
        product="、".join(sku.sku_name for sku in found.sku_info_list or () if sku.sku_name),
        customer=Author(),
        platform="京东",
        facts=facts,
        opened_at=moment(found.afs_order_base_info.get("applyTime")),
        changed_at=moment(found.afs_order_base_info.get("modifiedTime")),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    """ "" for what is not there, or no text and no number."""
    value = values.get(name)
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
