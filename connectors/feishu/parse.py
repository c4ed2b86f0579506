"""A stored event, or an item of a chat's history → Message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.feishu.content import Content, Frame, read_content
from connectors.feishu.events import GONE, MESSAGES, RECALLED, SAID, UPDATED, edited, names_us
from connectors.feishu.settings import FeishuSettings

Fields = Mapping[str, Any]
_ID_KINDS = ("open_id", "union_id", "user_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What an event and an item of the history have in common."""

    fields: Fields
    kind: str
    content: str
    chat_type: str
    ids: tuple[str, ...]
    sender_type: str
    tenant: str
    is_edited: bool = False
    is_recalled: bool = False


def parse(raw: Raw, settings: FeishuSettings) -> tuple[Message, ...]:
    """Raises BadMessage."""
    try:
        value = decode(raw.body, dict[str, Any])
    except ValueError as error:
        raise BadMessage(f"message {raw.key}: {error}") from None
    header = _object(value, "header")
    if not header:
        return (_message(_item(value, str(raw.context.get("chat_type", ""))), raw, settings),)
    kind = header.get("event_type")
    if kind not in MESSAGES:
        raise BadMessage(f"event {raw.key}: {kind} is no message")
    event = _object(value, "event")
    if kind == RECALLED:
        return (_recalled(event, raw),)
    return (_message(_event(event, is_edited=kind == UPDATED), raw, settings, header),)


def _event(event: Fields, *, is_edited: bool) -> Spoken:
    message, sender = _object(event, "message"), _object(event, "sender")
    who = _object(sender, "sender_id")
    return Spoken(
        fields=message,
        kind=_string(message, "message_type"),
        content=_string(message, "content"),
        chat_type=_string(message, "chat_type"),
        ids=_ids({"id": who}),
        sender_type=_string(sender, "sender_type"),
        tenant=_string(sender, "tenant_key"),
        is_edited=is_edited,
    )


def _item(item: Fields, chat_type: str) -> Spoken:
    sender = _object(item, "sender")
    return Spoken(
        fields=item,
        kind=_string(item, "msg_type"),
        content=_string(_object(item, "body"), "content"),
        chat_type=chat_type,
        ids=tuple(filter(None, (_string(sender, "id"),))),
        sender_type=_string(sender, "sender_type"),
        tenant=_string(sender, "tenant_key"),
        is_edited=bool(item.get("updated")),
        is_recalled=bool(item.get("deleted")),
    )


def _message(spoken: Spoken, raw: Raw, settings: FeishuSettings, header: Fields | None = None) -> Message:
    fields = spoken.fields
    message_id, chat = _string(fields, "message_id"), _string(fields, "chat_id")
    if not message_id or not chat:
        raise BadMessage(f"message {raw.key}: it has no message_id or chat_id")
    author = _author(spoken, settings)
    said_at, changed_at = read_moment(fields.get("create_time")), read_moment(fields.get("update_time"))
    if spoken.is_recalled:
        return _withdrawn(message_id, chat, changed_at or raw.received_at, author)
    content = _content(spoken, message_id, settings, raw)
    version = edited(fields.get("update_time") or (header or {}).get("create_time")) if spoken.is_edited else SAID
    return Message(
        text=content.text,
        external_id=message_id,
        revision=version,
        kind=Kind.EDITED if spoken.is_edited else Kind.SAID,
        thread=_thread(spoken, chat),
        author=author,
        participants=_addressed(spoken, settings) if author.role is Role.COMPANY else (),
        posted_at=(changed_at if spoken.is_edited else None) or said_at,
        attachments=content.attachments,
        visibility=Visibility.PRIVATE if _is_to_us(spoken, settings) else Visibility.PUBLIC,
    )


def _is_to_us(spoken: Spoken, settings: FeishuSettings) -> bool:
    """What is merely said in a group is no complaint because of that. Without the permission to hear everything, all
    that we hear names the bot."""
    if spoken.chat_type == "p2p":
        return True
    mentions = _mentioned(spoken)
    return names_us(mentions, settings.bot_open_id) if settings.bot_open_id else bool(mentions)


def _recalled(event: Fields, raw: Raw) -> Message:
    message_id, chat = _string(event, "message_id"), _string(event, "chat_id")
    if not message_id or not chat:
        raise BadMessage(f"event {raw.key}: a recall has no message_id or chat_id")
    # Of a message that we do not have (yet) nobody knows whether a customer said it: it opens nothing.
    author = Author(role=Role.COMPANY) if raw.context.get("is_unknown") else Author()
    return _withdrawn(message_id, chat, read_moment(event.get("recall_time")) or raw.received_at, author)


def _withdrawn(message_id: str, chat: str, at: datetime, author: Author) -> Message:
    return Message(
        text="",
        external_id=message_id,
        revision=GONE,
        kind=Kind.WITHDRAWN,
        thread=(message_id, chat),
        author=author,
        posted_at=at,
    )


def _thread(spoken: Spoken, chat: str) -> tuple[str, ...]:
    """What it answers, the topic, the chat."""
    above = [_string(spoken.fields, name) for name in ("parent_id", "root_id", "thread_id")]
    return tuple(dict.fromkeys((*filter(None, above), chat)))


def _addressed(spoken: Spoken, settings: FeishuSettings) -> tuple[str, ...]:
    """The customers that one of our own people names."""
    who = (_ids(mention)[:1] for mention in _mentioned(spoken))
    return tuple(id_ for ids in who for id_ in ids if id_ != settings.bot_open_id and id_ not in settings.staff)


def _author(spoken: Spoken, settings: FeishuSettings) -> Author:
    ids = spoken.ids
    if spoken.sender_type not in ("user", "anonymous", "unknown", ""):
        return Author(role=Role.BOT, id=ids[0] if ids else "")
    is_company = bool(settings.staff.intersection(ids)) or (
        bool(settings.staff_tenant) and spoken.tenant == settings.staff_tenant
    )
    can_ask = settings.ask_profile and not is_company and bool(ids) and ids[0].startswith("ou_")
    return Author(
        role=Role.COMPANY if is_company else Role.CUSTOMER,
        id=ids[0] if ids else "",
        profile=Ref(locator={"user": ids[0]}) if can_ask else None,
    )


def _content(spoken: Spoken, message_id: str, settings: FeishuSettings, raw: Raw) -> Content:
    try:
        fields = decode(spoken.content, dict[str, Any])
    except ValueError:
        raise BadMessage(f"message {raw.key}: the content of this {spoken.kind} is no JSON object") from None
    frame = Frame(message_id=message_id, mentions=_mentions(spoken, settings), is_chinese=settings.is_chinese)
    content = read_content(spoken.kind, fields, frame)
    return Content(text=content.text.strip(), attachments=content.attachments)


def _mentions(spoken: Spoken, settings: FeishuSettings) -> dict[str, str]:
    """Our bot's own name is left out: it only says whom one speaks to."""
    names = {}
    for mention in _mentioned(spoken):
        is_bot = bool(settings.bot_open_id) and settings.bot_open_id in _ids(mention)
        names[str(mention.get("key"))] = "" if is_bot else f"@{mention.get('name', '')}"
    return names


def _mentioned(spoken: Spoken) -> list[Fields]:
    mentions = spoken.fields.get("mentions")
    return [one for one in mentions if isinstance(one, dict)] if isinstance(mentions, list) else []


def _ids(mention: Fields) -> tuple[str, ...]:
    """An event gives several ids of each person, the history one; the open_id comes first."""
    who = mention.get("id")
    found = [who.get(name) for name in _ID_KINDS] if isinstance(who, dict) else [who]
    return tuple(id_ for id_ in found if isinstance(id_, str) and id_)


def read_moment(value: Any) -> datetime | None:
    """Feishu's times are Unix milliseconds, as text."""
    text = str(value) if isinstance(value, str | int) else ""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 14):
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC) if int(text) else None


def _object(value: Fields, name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _string(value: Fields, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
