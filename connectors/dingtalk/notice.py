"""What a robot is told → raw, and where it may be answered. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from allears_sdk.codec import encode
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex

MEDIA_TYPE = "application/json"
_GROUP = "2"
_MOST_KEY_CHARACTERS = 200


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Where a conversation can be answered for a while. The URL lets anybody who has it speak as our robot."""

    url: str
    until: datetime
    is_group: bool = False


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    raw: Raw
    conversation: str = ""
    session: Session | None = None


class _Told(msgspec.Struct, rename="camel"):
    msg_id: str = ""
    conversation_id: str = ""
    conversation_type: str | int = ""
    session_webhook: str | None = None
    session_webhook_expired_time: int | str | None = None


def read_notice(body: bytes, now: datetime) -> Notice:
    """What cannot be understood becomes a raw that `parse` refuses, or a letter that says what to change."""
    try:
        told = msgspec.json.decode(body, type=_Told)
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Notice(raw=Raw(key=_digest(body), body=body, media_type=MEDIA_TYPE, received_at=now))
    quarantine = ""
    if "encrypt" in fields and not told.msg_id:
        quarantine = "the app encrypts what it posts: switch that off, or use websocket mode"
    fields.pop("sessionWebhook", None)  # see Session
    raw = Raw(
        key=told.msg_id if 0 < len(told.msg_id) <= _MOST_KEY_CHARACTERS else _digest(body),
        body=encode(fields),
        media_type=MEDIA_TYPE,
        received_at=now,
        quarantine=quarantine,
    )
    return Notice(raw=raw, conversation=told.conversation_id, session=_session(told))


def moment(value: object) -> datetime | None:
    """DingTalk's times are Unix milliseconds, as number or text."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 14) or not int(text):
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC)


def _session(told: _Told) -> Session | None:
    until = moment(told.session_webhook_expired_time)
    if not told.session_webhook or until is None:
        return None
    return Session(url=told.session_webhook, until=until, is_group=str(told.conversation_type) == _GROUP)


def _digest(body: bytes) -> str:
    return f"sha256:{sha256_hex(body)}"
