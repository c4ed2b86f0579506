"""Envelope → raw: which events are messages, by what they are known, and which of them are for us."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from allears_sdk.codec import encode
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.feishu.envelope import Envelope, Header
from connectors.feishu.settings import FeishuSettings

RECEIVED = "im.message.receive_v1"
RECALLED = "im.message.recalled_v1"
UPDATED = "im.message.updated_v1"
MEDIA_TYPE = "application/json"

MESSAGES = frozenset({RECEIVED, RECALLED, UPDATED})
IGNORED = frozenset(
    {
        "im.message.message_read_v1",
        "im.message.reaction.created_v1",
        "im.message.reaction.deleted_v1",
        "im.chat.access_event.bot_p2p_chat_entered_v1",
        "im.chat.disbanded_v1",
        "im.chat.member.bot.added_v1",
        "im.chat.member.bot.deleted_v1",
        "im.chat.member.user.added_v1",
        "im.chat.member.user.deleted_v1",
        "im.chat.member.user.withdrawn_v1",
        "im.chat.updated_v1",
    }
)

SAID = "said"
GONE = "recalled"


class _Message(msgspec.Struct):
    message_id: str = ""
    chat_id: str = ""
    chat_type: str = ""
    update_time: str | int = ""
    mentions: list[dict[str, Any]] | None = None


class _Event(msgspec.Struct):
    message: _Message | None = None
    message_id: str = ""
    chat_id: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What we must know of an event to store it."""

    raw: Raw
    chat: str = ""
    is_for_us: bool = True
    is_recall: bool = False


def edited(at: object) -> str:
    """Which version of a message it is; the same in an event and in a chat's history."""
    return f"edited-{at}"


def read_event(envelope: Envelope, settings: FeishuSettings, now: datetime) -> Notice | None:
    """None for an event that is no message. What cannot be understood becomes a raw that `parse` refuses."""
    header = envelope.header or Header(event_type=envelope.type, event_id=envelope.uuid)
    if envelope.header is None:
        return Notice(raw=_outdated(envelope, now)) if envelope.uuid else None
    if header.event_type not in MESSAGES:
        return None
    body = _body(header, envelope.event)
    try:
        event = msgspec.json.decode(envelope.event, type=_Event)
    except msgspec.DecodeError:
        event = _Event()
    message = event.message or _Message(message_id=event.message_id, chat_id=event.chat_id)
    key = message.message_id or f"event:{header.event_id or sha256_hex(body)}"
    raw = Raw(key=key, digest=_version(header, message), body=body, media_type=MEDIA_TYPE, received_at=now)
    is_recall = header.event_type == RECALLED
    is_for_us = is_recall or concerns_us(message.chat_type, message.mentions or (), settings)
    return Notice(raw=raw, chat=message.chat_id, is_for_us=is_for_us, is_recall=is_recall)


def concerns_us(chat_type: str, mentions: Iterable[Any], settings: FeishuSettings) -> bool:
    """By the setting `groups`."""
    if chat_type in ("", "p2p") or settings.groups == "all":
        return True
    if settings.groups == "none":
        return False
    return names_us(mentions, settings.bot_open_id)


def names_us(mentions: Iterable[Any], bot_open_id: str) -> bool:
    """Whether our bot is among them. An event gives several ids of each, the history one."""
    found = (mention.get("id") for mention in mentions if isinstance(mention, dict))
    return any(bot_open_id in (who.values() if isinstance(who, dict) else (who,)) for who in found)


def _version(header: Header, message: _Message) -> str:
    if header.event_type == RECALLED:
        return GONE
    return SAID if header.event_type == RECEIVED else edited(message.update_time or header.create_time)


def _body(header: Header, event: msgspec.Raw) -> bytes:
    """As it came, but for the verification token: that is a secret."""
    kept = Header(**{name: getattr(header, name) for name in header.__struct_fields__ if name != "token"})
    return encode({"schema": "2.0", "header": kept, "event": event if event else msgspec.Raw(b"null")})


def _outdated(envelope: Envelope, now: datetime) -> Raw:
    return Raw(
        key=f"event:{envelope.uuid}",
        body=bytes(envelope.event),
        media_type=MEDIA_TYPE,
        received_at=now,
        quarantine='an event of version 1.0: subscribe to "Message received" of version 2.0 (im.message.receive_v1)',
    )
