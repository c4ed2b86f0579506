"""A complaint with its history → messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from allears_sdk.codec import convert, decode, encode_stable
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from allears_sdk.signing import sha256_hex
from connectors.wechat_pay.words import ACTS, facts_of, role_of

_CREATED = "USER_CREATE_COMPLAINT"
_REVOKED = "USER_REVOKE_COMPLAINT"


class Media(msgspec.Struct, frozen=True, kw_only=True):
    media_url: list[str] | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    transaction_id: str | None = None
    out_trade_no: str | None = None
    amount: int | None = None
    """In fen."""


class ServiceOrder(msgspec.Struct, frozen=True, kw_only=True):
    order_id: str | None = None
    out_order_no: str | None = None


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """What WeChat Pay calls 投诉单; only the fields that are used."""

    complaint_id: str
    complaint_detail: str | None = None
    complaint_time: str | int | None = None
    complaint_state: str | None = None
    complaint_media_list: list[Media] | Media | None = None
    complaint_order_info: list[Order] | None = None
    service_order_info: list[ServiceOrder] | None = None
    payer_openid: str | None = None
    problem_description: str | None = None
    problem_type: str | None = None
    user_complaint_times: int | None = None
    apply_refund_amount: int | None = None
    complaint_full_refunded: bool | None = None
    in_platform_service: bool | None = None
    need_immediate_service: bool | None = None
    user_tag_list: list[str] | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    text: Mapping[str, Any] | None = None
    image: Mapping[str, Any] | None = None


class NormalMessage(msgspec.Struct, frozen=True, kw_only=True):
    blocks: list[Block] | None = None
    sender_identity: str | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the negotiation history (协商历史)."""

    log_id: str
    operator: str | None = None
    operate_time: str | int | None = None
    operate_type: str | None = None
    operate_details: str | None = None
    image_list: list[str] | None = None
    complaint_media_list: list[Media] | Media | None = None
    user_appy_platform_service_reason: str | None = None
    user_appy_platform_service_reason_description: str | None = None
    normal_message: NormalMessage | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    complaint: Complaint
    history: list[Step]


def parse(raw: Raw) -> list[Message]:
    """The complaint itself, the facts around it, and every step of its history. Raises BadMessage."""
    try:
        item = decode(raw.body, Item)
    except ValueError as error:
        raise BadMessage(f"complaint {raw.key}: {error}") from None
    customer = Author(id=item.complaint.payer_openid or "", phone=str(raw.context.get("phone") or ""))
    steps = sorted(item.history, key=lambda step: (_moment(step.operate_time) or raw.received_at, step.log_id))
    beginning = next((step for step in steps if step.operate_type == _CREATED), None)
    said = _opening(item.complaint, beginning, customer, raw)
    rest = [_step(step, item.complaint.complaint_id, customer) for step in steps if not _repeats(step, said)]
    return [said, _facts(item.complaint, raw), *rest]


def _opening(complaint: Complaint, beginning: Step | None, customer: Author, raw: Raw) -> Message:
    media = urls_of(complaint.complaint_media_list)
    log = ""
    if not media and beginning is not None:
        media, log = images_of(beginning), beginning.log_id
    text, subject, order = complaint.complaint_detail or "", complaint.problem_description or "", _order(complaint)
    matters = encode_stable([text, subject, order, customer.id, customer.phone, len(media)])
    return Message(
        external_id=complaint.complaint_id,
        revision=sha256_hex(matters)[:16],
        kind=Kind.SAID if raw.ordinal == 1 else Kind.EDITED,
        is_complaint=True,
        text=text,
        subject=subject,
        author=customer,
        posted_at=_moment(complaint.complaint_time),
        order=order,
        attachments=_pictures(media, complaint.complaint_id, log, "投诉图片"),
    )


def _facts(complaint: Complaint, raw: Raw) -> Message:
    """What WeChat Pay knows of the payment, and where the complaint stands: context beside the customer's words."""
    text = facts_of(complaint)
    return Message(
        external_id=f"{complaint.complaint_id}-facts",
        revision=sha256_hex(text)[:16],
        kind=Kind.SAID if raw.ordinal == 1 else Kind.EDITED,
        thread=(complaint.complaint_id,),
        text=text,
        author=Author(role=Role.BOT, name="微信支付"),
        posted_at=_moment(complaint.complaint_time) if raw.ordinal == 1 else raw.received_at,
    )


def _step(step: Step, complaint: str, customer: Author) -> Message:
    identity = step.normal_message.sender_identity if step.normal_message else None
    role = role_of(step.operate_type or "", identity or "")
    text = _words(step)
    posted_at = _moment(step.operate_time)
    if step.operate_type == _REVOKED:
        return Message(
            external_id=complaint,
            revision=step.log_id,
            kind=Kind.WITHDRAWN,
            text=text,
            author=customer,
            posted_at=posted_at,
            is_complaint=True,
        )
    return Message(
        external_id=step.log_id,
        revision="1",
        thread=(complaint,),
        text=text,
        author=customer if role is Role.CUSTOMER else Author(role=role, name=step.operator or ""),
        posted_at=posted_at,
        attachments=_pictures(images_of(step), complaint, step.log_id, "凭证"),
    )


def _repeats(step: Step, said: Message) -> bool:
    """The history begins with the complaint itself."""
    words = (step.operate_details or "").strip()
    return step.operate_type == _CREATED and (not words or words in said.text)


def _words(step: Step) -> str:
    """What was said; else what was done."""
    blocks = (step.normal_message.blocks or []) if step.normal_message else []
    said = [
        step.operate_details,
        *(str((block.text or {}).get("text") or "") for block in blocks),
        step.user_appy_platform_service_reason,
        step.user_appy_platform_service_reason_description,
    ]
    words = "\n".join(dict.fromkeys(one.strip() for one in said if one and one.strip()))
    return words or ACTS.get(step.operate_type or "", "")


def urls_of(media: list[Media] | Media | None) -> list[str]:
    listed = media if isinstance(media, list) else [media] if media is not None else []
    return [url for one in listed for url in one.media_url or []]


def images_of(step: Step) -> list[str]:
    """Addresses of the pictures; the older list names the same ones."""
    blocks = (step.normal_message.blocks or []) if step.normal_message else []
    inside = [str(block.image["media_id"]) for block in blocks if block.image and block.image.get("media_id")]
    return [*(urls_of(step.complaint_media_list) or step.image_list or []), *inside]


def read_images(entry: Mapping[str, Any]) -> list[str]:
    """Of a history entry as WeChat Pay gives it."""
    try:
        return images_of(convert(entry, Step))
    except ValueError:
        return []


def _pictures(urls: list[str], complaint: str, log: str, title: str) -> tuple[Attachment, ...]:
    return tuple(_picture(url, complaint, log, index, title) for index, url in enumerate(urls))


def _picture(url: str, complaint: str, log: str, index: int, title: str) -> Attachment:
    locator = {"url": url, "complaint": complaint, "log": log, "index": index}
    return Attachment(name="", title=f"{title} {index + 1}", media_type="image/*", ref=Ref(locator=locator))


def _order(complaint: Complaint) -> str:
    """The merchant's own number first: that is what its people know."""
    return next(_orders(complaint), "")


def _orders(complaint: Complaint) -> Iterator[str]:
    for order in complaint.complaint_order_info or []:
        yield from filter(None, (order.out_trade_no, order.transaction_id))
    for service in complaint.service_order_info or []:
        yield from filter(None, (service.out_order_no, service.order_id))


def _moment(value: str | int | None) -> datetime | None:
    """RFC 3339 with an offset; in some answers milliseconds since 1970."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
        moment = datetime.fromisoformat(value or "")
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else None
