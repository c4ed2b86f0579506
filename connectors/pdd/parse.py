"""An after-sales case → messages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Message, Raw
from connectors._marketplace.after_sales import Case, messages_of
from connectors._marketplace.times import moment
from connectors.pdd.settings import PddSettings

_TYPES = {2: "仅退款", 3: "退货退款", 4: "换货", 5: "补寄", 6: "维修"}
_STATES = {
    2: "买家申请退款，待商家处理",
    3: "买家申请退货退款，待商家处理",
    4: "商家同意退款",
    5: "平台同意退款",
    6: "商家驳回",
    7: "已同意退货，待用户发货",
    8: "平台处理中",
    9: "平台拒绝退款",
    10: "已完成",
    11: "买家撤销",
    12: "逾期未处理，已关闭",
    13: "逾期未处理，已关闭",
}
_PLATFORM = frozenset({5, 8, 9})
"""The platform has been called in."""
_WITHDRAWN = 11


class AfterSales(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers may come in quotes."""

    id: str | int
    order_sn: str | None = None
    after_sales_status: str | int | None = None
    after_sales_type: str | int | None = None
    after_sale_reason: str | None = None
    goods_name: str | None = None
    outer_id: str | None = None
    refund_amount: str | int | float | None = None
    order_amount: str | int | float | None = None
    created_time: str | int | None = None
    updated_time: str | int | None = None


def parse(raw: Raw, settings: PddSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        return messages_of(_case(decode(raw.body, AfterSales)), raw, settings.plain_reasons)
    except ValueError as error:
        raise BadMessage(f"{raw.key}: {error}") from None


def _case(found: AfterSales) -> Case:
    state, kind = _number(found.after_sales_status), _number(found.after_sales_type)
    facts = (
        ("售后编号", str(found.id)),
        ("类型", _TYPES.get(kind, str(kind))),
        ("状态", _STATES.get(state, str(state))),
        ("原因", found.after_sale_reason or ""),
        ("退款金额", _yuan(found.refund_amount)),
        ("订单金额", _yuan(found.order_amount)),
        ("商家编码", found.outer_id or ""),
    )
    return Case(
        reason=found.after_sale_reason or "",
        order=found.order_sn or "",
        product=found.goods_name or "",
        customer=Author(),
        platform="拼多多",
        facts=facts,
        opened_at=moment(found.created_time),
        changed_at=moment(found.updated_time),
        is_withdrawn=state == _WITHDRAWN,
        is_disputed=state in _PLATFORM,
    )


def _number(value: str | int | None) -> int:
    """Raises ValueError for what is none; 0 where nothing is said."""
    return int(value or 0)


def _yuan(amount: str | int | float | None) -> str:
    return "" if amount is None else f"{amount} 元"
