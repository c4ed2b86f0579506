"""A rating, the shop's answer to one, or a refund → messages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from connectors._marketplace.after_sales import Case, messages_of
from connectors._marketplace.times import moment
from connectors.taobao.rows import ADDED, ANSWER, RATING, REFUND
from connectors.taobao.settings import TaobaoSettings

_RESULTS = {"good": 3, "neutral": 2, "bad": 1}
"""好评, 中评, 差评."""
_STATES = {
    "WAIT_SELLER_AGREE": "买家已申请，等待卖家同意",
    "WAIT_BUYER_RETURN_GOODS": "卖家已同意，等待买家退货",
    "WAIT_SELLER_CONFIRM_GOODS": "买家已退货，等待卖家确认收货",
    "SELLER_REFUSE_BUYER": "卖家拒绝退款",
    "CLOSED": "退款关闭",
    "SUCCESS": "退款成功",
}


class TradeRate(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers may come in quotes."""

    oid: str | int
    created: str
    tid: str | int | None = None
    role: str | None = None
    nick: str | None = None
    ouid: str | None = None
    result: str | None = None
    content: str | None = None
    reply: str | None = None
    item_title: str | None = None
    num_iid: str | int | None = None


class Added(msgspec.Struct, frozen=True, kw_only=True):
    append_content: str
    append_time: str | None = None
    user_nick: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    refund_id: str | int
    tid: str | int | None = None
    oid: str | int | None = None
    title: str | None = None
    buyer_nick: str | None = None
    status: str | None = None
    created: str | None = None
    modified: str | None = None
    refund_fee: str | int | float | None = None
    reason: str | None = None
    desc: str | None = None
    good_status: str | None = None
    refund_phase: str | None = None
    dispute_type: str | None = None


def parse(raw: Raw, settings: TaobaoSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        if raw.key.startswith(REFUND):
            return messages_of(_case(decode(raw.body, Refund)), raw, settings.plain_reasons)
        if raw.key.startswith(ADDED):
            return (_added(raw, decode(raw.body, Added)),)
        rate = decode(raw.body, TradeRate)
        return (_answer(raw, rate) if raw.key.startswith(ANSWER) else _rating(raw, rate),)
    except ValueError as error:
        raise BadMessage(f"{raw.key}: {error}") from None


def _rating(raw: Raw, rate: TradeRate) -> Message:
    if rate.result not in _RESULTS:
        raise ValueError(f"rated {rate.result!r}, not good, neutral or bad")
    return Message(
        text=(rate.content or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(_root(rate),),
        author=Author(id=rate.ouid or "", name=rate.nick or ""),
        posted_at=moment(rate.created),
        rating=Rating(value=_RESULTS[rate.result], best=3, worst=1),
        product=rate.item_title or "",
        order=str(rate.tid or rate.oid),
        permalink=f"https://item.taobao.com/item.htm?id={rate.num_iid}" if rate.num_iid else "",
        visibility=Visibility.PUBLIC,
    )


def _added(raw: Raw, added: Added) -> Message:
    rated = str(raw.context.get("rating") or "")
    return Message(
        text=added.append_content.strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(rated, ":".join(rated.split(":")[:3])),  # as `_root`
        author=Author(name=added.user_nick or ""),
        posted_at=moment(added.append_time),
        visibility=Visibility.PUBLIC,
    )


def _answer(raw: Raw, rate: TradeRate) -> Message:
    return Message(
        text=(rate.reply or "").strip(),
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(f"{RATING}{raw.key.removeprefix(ANSWER)}", _root(rate)),
        author=Author(role=Role.COMPANY),
        visibility=Visibility.PUBLIC,
    )


def _root(rate: TradeRate) -> str:
    """What a buyer says of one order line belongs together, should Taobao date an edit anew."""
    return f"{RATING}{rate.oid}:{rate.role or 'buyer'}"


def _case(refund: Refund) -> Case:
    state = refund.status or ""
    facts = (
        ("退款编号", str(refund.refund_id)),
        ("状态", _STATES.get(state, state)),
        ("退款原因", refund.reason or ""),
        ("退款金额", f"{refund.refund_fee} 元" if refund.refund_fee is not None else ""),
        ("货物状态", refund.good_status or ""),
        ("退款阶段", refund.refund_phase or ""),
        ("纠纷类型", refund.dispute_type or ""),
        ("子订单", str(refund.oid or "")),
    )
    return Case(
        reason=refund.reason or "",
        words=refund.desc or "",
        order=str(refund.tid or refund.oid or ""),
        product=refund.title or "",
        customer=Author(name=refund.buyer_nick or ""),
        platform="淘宝",
        facts=facts,
        opened_at=moment(refund.created),
        changed_at=moment(refund.modified),
    )
