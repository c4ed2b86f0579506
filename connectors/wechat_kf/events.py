"""What happened around a chat: sessions, recalled messages, answers that did not arrive.

In an event the ids of account and customer stand inside `event`, not beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qs, unquote

from allears_sdk.message import Author, Kind, Message, Role
from connectors._wechat.fields import Fields
from connectors._wechat.said import moment
from connectors.wechat_kf.thread import thread_of

_FAILURES = {
    "1": "客服账号已删除",
    "2": "应用已关闭",
    "4": "会话已过期，超过48小时",
    "5": "会话已关闭",
    "6": "超过5条限制",
    "7": "未绑定视频号",
    "8": "主体未验证",
    "9": "未绑定视频号且主体未验证",
    "10": "用户拒收",
}
_CHANGES = {"1": "从接待池接入会话", "2": "转接会话", "3": "结束会话", "4": "重新接入会话"}
_ORDER = ("order", "order_id", "orderid", "order_no", "orderno", "oid")
_PRODUCT = ("product", "product_id", "sku", "goods", "goods_id", "item")
"""Names under which shops put an order or a product into the link to their customer service."""


def read_event(fields: Fields) -> Message | None:
    """None for what says nothing of a chat: an agent takes a break, a customer merely looks in."""
    event = fields.inner("event")
    kind, posted_at = event.word("event_type"), moment(fields.word("send_time"))
    if not event.word("external_userid"):
        return None
    return _READERS.get(kind, _unknown)(event, fields.word("msgid"), posted_at)


def _context(event: Fields, message: str, posted_at: datetime | None, text: str) -> Message:
    """Shown between the words of the chat."""
    return Message(
        text=text,
        external_id=message,
        revision="1",
        thread=thread_of(event),
        author=Author(role=Role.BOT),
        posted_at=posted_at,
        is_automatic=True,
        automatic_reason=f"event {event.word('event_type')}",
    )


def _unknown(event: Fields, message: str, posted_at: datetime | None) -> Message:
    return _context(event, message, posted_at, f"[{event.word('event_type')}]")


def _entered(event: Fields, message: str, posted_at: datetime | None) -> Message | None:
    """A customer came in, perhaps from an order's page: that is a hint to what they will say."""
    param = unquote(event.text("scene_param")).strip()
    if not param:
        return None
    named = {name.lower(): values[0] for name, values in parse_qs(param).items()}
    order = next((named[name] for name in _ORDER if name in named), "")
    product = next((named[name] for name in _PRODUCT if name in named), "")
    text = " ".join(["[进入会话]", *filter(None, (event.word("scene"), param))])
    return replace(_context(event, message, posted_at, text), order=order, product=product)


def _not_sent(event: Fields, message: str, posted_at: datetime | None) -> Message:
    reason = _FAILURES.get(event.word("fail_type"), f"原因 {event.word('fail_type')}")
    return _context(event, message, posted_at, f"[消息发送失败] {reason}")


def _session(event: Fields, message: str, posted_at: datetime | None) -> Message:
    change = _CHANGES.get(event.word("change_type"), f"会话变更 {event.word('change_type')}")
    who = " → ".join(filter(None, (event.word("old_servicer_userid"), event.word("new_servicer_userid"))))
    return _context(event, message, posted_at, f"[{change}] {who}".rstrip())


def _rejects(event: Fields, message: str, posted_at: datetime | None) -> Message:
    text = "[客服拒收该客户消息]" if event.word("reject_switch") == "1" else "[客服取消拒收该客户消息]"
    return _context(event, message, posted_at, text)


def _recalled_by(role: Role) -> Callable[[Fields, str, datetime | None], Message]:
    def read(event: Fields, message: str, posted_at: datetime | None) -> Message:
        customer = event.word("external_userid")
        return Message(
            text="",
            external_id=event.word("recall_msgid") or message,
            revision=message,
            kind=Kind.WITHDRAWN,
            thread=thread_of(event),
            author=Author(id=customer)
            if role is Role.CUSTOMER
            else Author(role=role, id=event.word("servicer_userid")),
            posted_at=posted_at,
        )

    return read


_READERS: dict[str, Callable[[Fields, str, datetime | None], Message | None]] = {
    "enter_session": _entered,
    "msg_send_fail": _not_sent,
    "session_status_change": _session,
    "user_recall_msg": _recalled_by(Role.CUSTOMER),
    "servicer_recall_msg": _recalled_by(Role.COMPANY),
    "reject_customer_msg_switch_change": _rejects,
}
"""`servicer_status_change` tells of agents, not of a chat."""
