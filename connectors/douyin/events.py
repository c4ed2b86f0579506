"""What is pushed: who knocks, and an event → its raw ("Webhooks 概述", its list of events). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from allears_sdk.codec import convert, decode
from allears_sdk.connector import Answer, Request
from allears_sdk.message import Raw
from allears_sdk.signing import same, sha256_hex

SIGNATURE, DELIVERY = "X-Douyin-Signature", "Msg-Id"
VERIFY, NEW_VIDEO, ENDED = "verify_webhook", "create_video", "unauthorize"
RECEIVED, SENT, RECALLED = "im_receive_msg", "im_send_msg", "im_recall_msg"
SILENT = frozenset(
    {
        *("im_enter_direct_msg", "im_message_read", "im_authorize", "im_group_fans_create_event"),
        *("authorize", "contract_authorize", "contract_unauthorize"),
    }
)
"""Told, but nothing that anybody says."""
TALK = "im_"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    open_id: str = ""
    nick_name: str | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True):
    server_message_id: str = ""
    conversation_short_id: str = ""
    conversation_type: int | str = 1
    message_type: str = ""
    text: str | None = None
    create_time: int | str = 0
    user_infos: list[Person] | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    from_user_id: str = ""
    to_user_id: str = ""
    content: dict[str, Any] | str = ""

    def read(self) -> Content:
        """Some events hold an object, others its JSON. Raises ValueError."""
        return decode(self.content, Content) if isinstance(self.content, str) else convert(self.content, Content)


def is_signed(request: Request, secrets: Sequence[str]) -> bool:
    """Over the bytes as they came: secret and body, one behind the other. Every secret is tried: no early end."""
    given = request.header(SIGNATURE)
    fits = [same(given, signature(secret, request.body)) for secret in secrets]
    return any(fits)


def signature(secret: str, body: bytes) -> str:
    return hashlib.sha1(secret.encode() + body, usedforsecurity=False).hexdigest()


def challenge(event: Event) -> Answer:
    """The console's check of the address. Raises ValueError."""
    content = event.content
    found = decode(content, dict[str, Any]) if isinstance(content, str) else content
    given = found.get("challenge")
    if isinstance(given, bool) or not isinstance(given, int | str) or len(str(given)) > 100:
        raise ValueError("no challenge")
    return Answer(body=msgspec.json.encode({"challenge": given}), media_type="application/json")


def read(body: bytes) -> Event | None:
    """None for what cannot be read."""
    try:
        return decode(body, Event)
    except (ValueError, RecursionError):
        return None


def raw_of(event: Event | None, request: Request) -> Raw:
    return Raw(
        key=_key(event, request),
        body=request.body,
        media_type="application/json",
        received_at=request.received_at,
        context={"kind": "event"},
    )


def _key(event: Event | None, request: Request) -> str:
    """The message's own id, by which a recall names it; else the delivery's, which a repetition keeps."""
    message = ""
    if event is not None and event.event in (RECEIVED, SENT, RECALLED):
        try:
            message = event.read().server_message_id
        except (ValueError, RecursionError):
            message = ""
    if event is not None and message:
        return f"recall:{message}" if event.event == RECALLED else f"m:{message}"
    delivery = request.header(DELIVERY)
    return f"d:{delivery}" if delivery else f"unread:{sha256_hex(request.body)}"
