"""A message or an event of 微信客服 → Message ("接收消息和事件", 企业微信 document 94670). Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from connectors._wechat.fields import Fields, read_json
from connectors._wechat.said import moment
from connectors.wechat_kf.events import read_event
from connectors.wechat_kf.thread import thread_of

MEDIA_LIFE = timedelta(days=3)
"""Assumed: 企业微信 says it of temporary files; of customer service nothing is said."""
_CUSTOMER, _AGENT = "3", "5"
_MEDIA = {"image": "image/jpeg", "voice": "audio/amr", "video": "video/mp4", "file": "application/octet-stream"}
_MAX_MERGED = 200


def parse(raw: Raw, *, ask_profile: bool) -> Message | None:
    """None for an event that says nothing of a chat. Raises BadMessage."""
    try:
        fields = read_json(raw.body)
    except ValueError as error:
        raise BadMessage(f"message {raw.key}: {error}") from None
    if not fields.word("msgid") or not fields.word("msgtype"):
        raise BadMessage(f"message {raw.key}: neither id nor type")
    if fields.word("msgtype") == "event":
        return read_event(fields)
    return _said(raw, fields, ask_profile=ask_profile)


def _said(raw: Raw, fields: Fields, *, ask_profile: bool) -> Message:
    kind = fields.word("msgtype")
    inner = fields.inner(kind)
    order, product = _hints(kind, inner)
    return Message(
        text=_text(kind, inner),
        external_id=fields.word("msgid"),
        revision="1",
        thread=thread_of(fields),
        author=_author(fields, ask_profile=ask_profile),
        posted_at=moment(fields.word("send_time")),
        attachments=_attachments(kind, inner, fields, raw),
        order=order,
        product=product,
    )


def _author(fields: Fields, *, ask_profile: bool) -> Author:
    origin, user = fields.word("origin"), fields.word("external_userid")
    if origin == _CUSTOMER:
        return Author(id=user, profile=Ref(locator={"user": user}) if ask_profile and user else None)
    role = Role.COMPANY if origin == _AGENT else Role.BOT
    return Author(role=role, id=fields.word("servicer_userid"))


def _text(kind: str, inner: Fields) -> str:
    write = _WRITERS.get(kind)
    if write is not None:
        return write(inner)
    return "" if kind in _MEDIA else _lines(f"[{kind}]", inner, "title", "content", "desc", "url")


def _lines(head: str, inner: Fields, *names: str) -> str:
    told = [text for name in names if (text := inner.text(name).strip())]
    return "\n".join([f"{head} {told[0]}", *told[1:]]) if told else head


def _location(inner: Fields) -> str:
    place = f"({inner.word('latitude')}, {inner.word('longitude')})"
    told = ("[位置]", inner.text("name").strip(), inner.text("address").strip(), place)
    return " ".join(part for part in told if part)


def _menu(inner: Fields) -> str:
    choices = [
        one.inner(one.word("type")).text("content") or one.inner(one.word("type")).text("name")
        for one in inner.each("list")
    ]
    told = [inner.text("head_content"), *choices, inner.text("tail_content")]
    return "\n".join(["[菜单]", *(text.strip() for text in told if text.strip())])


def _merged(inner: Fields) -> str:
    """A forwarded chat, a line for each message: what is not text is named by its type."""
    items = inner.each("item")
    lines = [f"{one.text('sender_name').strip()}: {_merged_words(one)}" for one in items[:_MAX_MERGED]]
    more = [f"… {len(items) - _MAX_MERGED}"] if len(items) > _MAX_MERGED else []
    return "\n".join([f"[聊天记录] {inner.text('title').strip()}".rstrip(), *lines, *more])


def _merged_words(item: Fields) -> str:
    try:
        content = read_json(item.text("msg_content").encode())
    except ValueError:
        return item.text("msg_content").strip()
    kind = content.word("msgtype") or item.word("msgtype")
    words = content.inner("text").text("content") or content.text("content")
    return words.strip() or f"[{kind}]"


_WRITERS: dict[str, Callable[[Fields], str]] = {
    "text": lambda inner: inner.text("content"),
    "location": _location,
    "link": lambda inner: _lines("[链接]", inner, "title", "desc", "url"),
    "business_card": lambda inner: _lines("[名片]", inner, "userid"),
    "miniprogram": lambda inner: _lines("[小程序]", inner, "title", "pagepath"),
    "msgmenu": _menu,
    "channels_shop_product": lambda inner: _lines("[视频号商品]", inner, "title", "product_id", "shop_nickname"),
    "channels_shop_order": lambda inner: _lines(
        "[视频号订单]", inner, "order_id", "product_titles", "price_wording", "state", "shop_nickname"
    ),
    "merged_msg": _merged,
    "channels": lambda inner: _lines("[视频号]", inner, "nickname", "title"),
    "note": lambda inner: "[笔记]",
    "meeting": lambda inner: _lines("[会议]", inner, "title", "topic"),
    "schedule": lambda inner: _lines("[日程]", inner, "title"),
}


def _hints(kind: str, inner: Fields) -> tuple[str, str]:
    """Order and product."""
    if kind == "channels_shop_order":
        return inner.word("order_id"), inner.text("product_titles").strip()
    return "", inner.text("title").strip() if kind == "channels_shop_product" else ""


def _attachments(kind: str, inner: Fields, fields: Fields, raw: Raw) -> tuple[Attachment, ...]:
    media = inner.word("media_id")
    if kind not in _MEDIA or not media:
        return ()
    before = (moment(fields.word("send_time")) or raw.received_at) + MEDIA_LIFE
    file = Attachment(
        name=inner.text("filename").strip() or inner.text("file_name").strip(),
        title=kind,
        media_type=_MEDIA[kind],
        ref=Ref(locator={"media_id": media}, fetch_before=before),
    )
    return (file,)
