"""Stream mode's frames: JSON with `type`, `headers` and `data`, which is JSON again, as text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from allears_sdk.codec import encode

TOPIC = "/v1.0/im/bot/messages/get"


class BadFrame(ValueError):
    """The bytes are no frame."""


class Kind(Enum):
    MESSAGE = auto()
    PING = auto()
    DISCONNECT = auto()
    OTHER = auto()


class _Headers(msgspec.Struct, rename="camel"):
    topic: str = ""
    message_id: str = ""


class _Frame(msgspec.Struct):
    type: str = ""
    headers: _Headers = msgspec.field(default_factory=_Headers)
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    kind: Kind
    topic: str
    message_id: str
    data: str


def read_frame(text: str | bytes) -> Frame:
    """Raises BadFrame."""
    try:
        frame = msgspec.json.decode(text, type=_Frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadFrame("Stream mode sent what is no frame") from None
    topic = frame.headers.topic
    return Frame(kind=_kind(frame.type, topic), topic=topic, message_id=frame.headers.message_id, data=frame.data)


def answer_to(frame: Frame) -> str:
    """A ping is answered with its own data; of a message DingTalk wants to know that it is safe with us."""
    data = frame.data if frame.kind is Kind.PING else '{"response":{}}'
    headers = {"messageId": frame.message_id, "contentType": "application/json"}
    return encode({"code": 200, "headers": headers, "message": "OK", "data": data}).decode()


def _kind(type_: str, topic: str) -> Kind:
    if type_ == "SYSTEM":
        return {"ping": Kind.PING, "disconnect": Kind.DISCONNECT}.get(topic, Kind.OTHER)
    return Kind.MESSAGE if (type_, topic) == ("CALLBACK", TOPIC) else Kind.OTHER
