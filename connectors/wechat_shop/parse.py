"""An after-sales order with its dispute → messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from allears_sdk.codec import decode, encode_stable
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from allears_sdk.signing import sha256_hex
from connectors._wechat.said import moment
from connectors.wechat_shop.place import CANCELLED, STATE
from connectors.wechat_shop.settings import WechatShopSettings
from connectors.wechat_shop.words import ASKS_PLATFORM, DISPUTES, STATUSES, STEPS, TYPES, role_of, yuan

Id = str | int
_PLAIN = "after-sales for a reason that is no complaint"


class Product(msgspec.Struct, frozen=True, kw_only=True):
    product_id: Id | None = None
    count: int | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    amount: int | None = None
    """In fen."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    waybill_id: Id | None = None
    delivery_name: str | None = None


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    reject_reason: str | None = None


class Details(msgspec.Struct, frozen=True, kw_only=True):
    desc: str | None = None
    prove_imgs: list[str] | None = None
    media_id_list: list[str] | None = None
    tel_number: Id | None = None


class AfterSale(msgspec.Struct, frozen=True, kw_only=True):
    """售后单; only the fields that are used."""

    after_sale_order_id: Id
    create_time: Id
    status: str | None = None
    type: str | None = None
    openid: str | None = None
    order_id: Id | None = None
    reason: Id | None = None
    reason_text: str | None = None
    update_time: Id | None = None
    complaint_id: Id | None = None
    product_info: Product | None = None
    refund_info: Refund | None = None
    return_info: Sent | None = None
    merchant_upload_info: Merchant | None = None
    details: Details | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a dispute's history (纠纷历史)."""

    item_type: int
    time: Id | None = None
    content: str | None = None
    media_id_list: list[str] | None = None
    phone_number: Id | None = None


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    status: int | None = None
    history: list[Step] | Step | None = None

    @property
    def steps(self) -> list[Step]:
        return self.history if isinstance(self.history, list) else [self.history] if self.history else []


class Item(msgspec.Struct, frozen=True, kw_only=True):
    after_sale_order: AfterSale
    complaint: Dispute | None = None
    product: str = ""
    is_disputed: bool = False


def parse(raw: Raw, settings: WechatShopSettings) -> list[Message]:
    """What the customer asks for, the facts around it, the shop's refusal, and the dispute. Raises BadMessage."""
    try:
        item = decode(raw.body, Item)
    except ValueError as error:
        raise BadMessage(f"after-sales order {raw.key}: {error}") from None
    return list(_messages(item, raw, settings))


def _messages(item: Item, raw: Raw, settings: WechatShopSettings) -> Iterator[Message]:
    order = item.after_sale_order
    customer = Author(id=order.openid or "", phone=str(_details(order).tel_number or ""))
    is_plain = not item.is_disputed and _is_plain(order, settings)
    if not raw.key.startswith(STATE):
        yield _opening(item, raw, customer, is_plain=is_plain)
    yield _facts(item, raw)
    if not raw.key.startswith(STATE):
        return
    if order.merchant_upload_info and (refusal := (order.merchant_upload_info.reject_reason or "").strip()):
        yield _refusal(order, refusal)
    steps = item.complaint.steps if item.complaint else []
    for step in sorted(steps, key=lambda step: (str(step.time or ""), step.item_type)):
        yield _step(step, order, customer)
    if order.status == CANCELLED:
        yield _withdrawal(order, customer, is_plain=is_plain)


def _opening(item: Item, raw: Raw, customer: Author, *, is_plain: bool) -> Message:
    order, reason = item.after_sale_order, (item.after_sale_order.reason_text or "").strip()
    kind = TYPES.get(order.type or "", order.type or "")
    words = _words(order)
    text = "\n".join(part for part in (reason, words) if part) or kind
    pictures = _details(order).media_id_list or _details(order).prove_imgs or []
    return Message(
        external_id=str(order.after_sale_order_id),
        kind=Kind.SAID if raw.ordinal == 1 else Kind.EDITED,
        is_complaint=not is_plain,
        is_automatic=is_plain and not words,
        automatic_reason=_PLAIN if is_plain and not words else "",
        subject="：".join(part for part in (kind, reason) if part),
        text=text,
        author=customer,
        posted_at=_moment(order.create_time),
        product=item.product or str((order.product_info and order.product_info.product_id) or ""),
        order=str(order.order_id or ""),
        attachments=_pictures(pictures),
    )


def _facts(item: Item, raw: Raw) -> Message:
    """Where the order stands: context beside the customer's words."""
    order, is_later = item.after_sale_order, raw.key.startswith(STATE)
    text = "\n".join(f"{name}：{value}" for name, value in _lines(item) if value)
    return Message(
        external_id=f"{order.after_sale_order_id}-facts",
        revision=f"{'state' if is_later else 'made'}-{raw.ordinal}",
        kind=Kind.EDITED if is_later or raw.ordinal > 1 else Kind.SAID,
        thread=(str(order.after_sale_order_id),),
        text=text,
        author=Author(role=Role.BOT, name="微信小店"),
        posted_at=_moment(order.update_time if is_later else order.create_time) or raw.received_at,
    )


def _lines(item: Item) -> Iterator[tuple[str, str]]:
    order, dispute = item.after_sale_order, item.complaint
    yield "售后单号", str(order.after_sale_order_id)
    yield "售后类型", TYPES.get(order.type or "", order.type or "")
    yield "售后状态", STATUSES.get(order.status or "", order.status or "")
    yield "订单号", str(order.order_id or "")
    yield "商品编号", str((order.product_info and order.product_info.product_id) or "")
    yield "数量", str((order.product_info and order.product_info.count) or "")
    yield "退款金额", yuan(order.refund_info.amount if order.refund_info else None)
    if sent := order.return_info:
        yield "退货物流", " ".join(str(part) for part in (sent.delivery_name, sent.waybill_id) if part)
    if dispute is not None:
        yield "纠纷单号", str(order.complaint_id or "")
        yield "纠纷状态", DISPUTES.get(dispute.status or 0, str(dispute.status or ""))


def _refusal(order: AfterSale, text: str) -> Message:
    return Message(
        external_id=f"{order.after_sale_order_id}-refused-{sha256_hex(text)[:12]}",
        revision="1",
        thread=(str(order.after_sale_order_id),),
        text=text,
        author=Author(role=Role.COMPANY),
        posted_at=_moment(order.update_time),
    )


def _step(step: Step, order: AfterSale, customer: Author) -> Message:
    """Steps have no number: they are known by what they say."""
    role, content = role_of(step.item_type), (step.content or "").strip()
    known_by = sha256_hex(encode_stable([content, step.media_id_list or []]))[:12]
    own = Author(id=customer.id, phone=str(step.phone_number or "") or customer.phone)
    return Message(
        external_id=f"{order.complaint_id}:{step.time or 0}:{step.item_type}:{known_by}",
        revision="1",
        thread=(str(order.after_sale_order_id),),
        text=content or STEPS.get(step.item_type, f"纠纷进展 {step.item_type}"),
        author=own if role is Role.CUSTOMER else Author(role=role, name="" if role is Role.COMPANY else "微信小店"),
        posted_at=_moment(step.time),
        attachments=_pictures(step.media_id_list or []),
        is_complaint=step.item_type == ASKS_PLATFORM,
    )


def _withdrawal(order: AfterSale, customer: Author, *, is_plain: bool) -> Message:
    return Message(
        external_id=str(order.after_sale_order_id),
        revision="withdrawn",
        kind=Kind.WITHDRAWN,
        text=STATUSES[CANCELLED],
        author=customer,
        posted_at=_moment(order.update_time),
        is_complaint=not is_plain,
        is_automatic=is_plain and not _words(order),
        automatic_reason=_PLAIN if is_plain and not _words(order) else "",
    )


def _is_plain(order: AfterSale, settings: WechatShopSettings) -> bool:
    number, reason = str(order.reason or ""), order.reason_text or ""
    return any(one in reason or one == number for one in settings.plain_reasons)


def _words(order: AfterSale) -> str:
    return (_details(order).desc or "").strip()


def _details(order: AfterSale) -> Details:
    return order.details or Details()


def _pictures(media: list[str]) -> tuple[Attachment, ...]:
    found = [one for one in media if one]
    return tuple(
        Attachment(name="", title=f"凭证 {index}", media_type="image/*", ref=Ref(locator={"media_id": one}))
        for index, one in enumerate(found, 1)
    )


def _moment(seconds: Id | None) -> datetime | None:
    return moment(str(seconds or ""))
