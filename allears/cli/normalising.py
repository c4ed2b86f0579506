"""What `allears normalise` does with one input. Runs in worker processes: imports stay light."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.errors import BadMessage
from allears_sdk.message import MESSAGE_JSON, OUTLOOK_MSG, RFC822, Message, Raw, Role, Visibility
from allears_sdk.reference import reference, seed
from normalizer import readers
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.fields.consulted import LoadEncoder, encoder_for, nobody
from normalizer.own_rules import OwnRules
from normalizer.rules import Rules
from normalizer.rules.layers import compose
from normalizer.trim import new_text

# fmt: off
PUBLIC = frozenset({
    "app_review", "app_store", "google_play", "huawei_appgallery", "steam", "shop_review", "ecommerce_review",
    "maps_review", "google_business", "yelp", "tripadvisor", "trustpilot", "dianping", "meituan_review",
    "taobao_review", "jd_review", "amazon_review", "weibo", "xiaohongshu", "douyin_comment", "douyin",
    "bilibili", "kuaishou", "zhihu", "tieba", "v2ex", "x", "twitter", "facebook_page", "facebook_comment",
    "instagram_comment", "youtube", "tiktok", "reddit", "mastodon", "bluesky", "forum", "discourse",
})
# fmt: on
"""Kinds of channels where everybody reads along, for messages that do not state their `visibility`."""

_LINE_BREAKS = tuple((character.encode(), f"\\u{ord(character):04x}".encode()) for character in "\x85\u2028\u2029")
"""JSON lets them stand in strings, but many readers of lines break there."""

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an Outlook message begins."""

_FIELDS = frozenset(one.name for one in fields(Message))
_KEYS = _FIELDS | {"connector", "channel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is the same for all inputs of one run."""

    channel: str
    region: str
    timezone: str
    now: datetime
    own: OwnRules = field(default_factory=OwnRules)
    thoroughly: bool = True
    """With the encoder, where it is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    source: str
    body: bytes
    is_mail: bool

    @property
    def size(self) -> int:
        return len(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    source: str
    error: str
    size: int = 0


def normalise_all(batch: Iterable[Given | Failed], settled: Settled) -> tuple[bytes, int]:
    """JSON lines, and how many of them are errors. Never raises."""
    results = [one if isinstance(one, Failed) else _attempt(one, settled) for one in batch]
    lines = [_encode({"source": one.source, "error": one.error}) if isinstance(one, Failed) else one for one in results]
    return b"".join(line + b"\n" for line in lines), sum(isinstance(one, Failed) for one in results)


def _attempt(given: Given, settled: Settled) -> bytes | Failed:
    try:
        return _encode(_record(given, settled))
    except BadMessage as error:
        return Failed(source=given.source, error=str(error))
    except RecursionError:
        return Failed(source=given.source, error="nested too deeply")
    except Exception as error:  # whatever the input did to us, the run goes on
        return Failed(source=given.source, error=f"{type(error).__name__}: {error}")


def _encode(value: Any) -> bytes:
    try:
        line = encode(value)
    except UnicodeEncodeError:  # a lone surrogate, in a file name say
        line = json.dumps(_scrub(value)).encode()
    for character, escape in _LINE_BREAKS:
        line = line.replace(character, escape)
    return line


def _scrub(value: Any) -> Any:
    from allears_sdk.codec import plain

    text = json.dumps(plain(value), default=str)
    return json.loads(text.encode("utf-8", "replace"))


def _record(given: Given, settled: Settled) -> dict[str, Any]:
    ignored: list[str] = []
    if given.is_mail:
        messages = _read(given.body, OUTLOOK_MSG if given.body.startswith(_COMPOUND_FILE) else RFC822, settled)
        facts = Facts(channel=settled.channel, connector="email", region=settled.region)
    else:
        messages, facts, ignored = _from_json(given.body, settled)
    encoder = encoder_for(thoroughly=settled.thoroughly)
    found = record_of(given.source, messages, facts, settled.now, compose(settled.own), encoder)
    return found | {"ignored": ignored} if ignored else found


def record_of(
    source: str,
    messages: Sequence[Message],
    facts: Facts,
    now: datetime,
    rules: Rules | None = None,
    encoder: LoadEncoder = nobody,
) -> dict[str, Any]:
    """What becomes of messages that make one conversation, and the words it was read from."""
    heard = _heard(messages, now)
    conversation = Conversation(
        reference=_reference(heard[0].message, facts), opened_at=heard[0].received_at, messages=heard
    )
    opener = next((one.message for one in heard if one.message.author.role is Role.CUSTOMER), heard[0].message)
    found: dict[str, Any] = {
        "source": source,
        "message": shown(opener),
        "new_text": "\n".join(
            new_text(one.message) for one in heard if one.message is opener or one.message.author.role is Role.CUSTOMER
        ),
        "complaint": derive(conversation, facts, rules, encoder=encoder),
    }
    if len(heard) > 1:
        found["messages"] = [one.message for one in heard]
    return found


def shown(message: Message) -> Message:
    """What a person sees who opens it: an envelope without words of its own shows the message inside."""
    if message.text or message.html or message.original is None:
        return message
    inner = shown(message.original)
    return replace(message, text=inner.text, html=inner.html)


def _read(body: bytes, media_type: str, settled: Settled) -> Sequence[Message]:
    return readers.read(
        Raw(
            key="normalise",
            body=body,
            media_type=media_type,
            received_at=settled.now,
            context={"timezone": settled.timezone},
        )
    )


def _from_json(body: bytes, settled: Settled) -> tuple[Sequence[Message], Facts, list[str]]:
    """One Message or an array of them, each beside the channel it came from."""
    try:
        value = json.loads(body)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadMessage(f"not JSON: {error}") from None
    objects = value if isinstance(value, list) else [value]
    if not objects or not all(isinstance(one, dict) for one in objects):
        raise BadMessage("not a message, nor an array of messages")
    kind, channel = (_first(objects, key) for key in ("connector", "channel"))
    said = [_message(part, kind) for one in objects for part in _burst(one)]
    messages = _read(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass"), MESSAGE_JSON, settled)
    facts = Facts(channel=channel or kind or settled.channel, connector=kind, region=settled.region)
    return messages, facts, sorted({key for one in objects for key in one} - _KEYS)


def _first(objects: Sequence[dict[str, Any]], key: str) -> str:
    return next((str(one[key]) for one in objects if one.get(key)), "")


def _burst(given: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Several texts in one message are several messages: a burst in a chat."""
    texts = given.get("text", "")
    if isinstance(texts, str):
        return [given]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadMessage("`text` must be a string, or a list of strings")
    external_id = given.get("external_id")
    ids = [f"{external_id}/{at}" if external_id and at else external_id for at in range(len(texts))]
    parts = [given | {"text": text, "external_id": id_} for text, id_ in zip(texts, ids, strict=True)]
    return parts or [given | {"text": ""}]


def _message(given: dict[str, Any], kind: str) -> dict[str, Any]:
    """What a Message holds; other keys people keep beside it (labels, notes) are named in the result."""
    own = {key: value for key, value in given.items() if key in _FIELDS and value is not None}
    if (given.get("connector") or kind) in PUBLIC and "visibility" not in own:
        own["visibility"] = Visibility.PUBLIC.value
    return own


def _heard(messages: Sequence[Message], now: datetime) -> tuple[Heard, ...]:
    """In order of when they were said; where that is not known, as they stand."""
    heard = [
        Heard(
            message=replace(message, external_id=message.external_id or f"#{at}", revision=message.revision or "1"),
            received_at=min(message.posted_at or now, now),
        )
        for at, message in enumerate(messages, start=1)
    ]
    if all(message.posted_at for message in messages):
        heard.sort(key=lambda one: one.received_at)
    return tuple(heard)


def _reference(message: Message, facts: Facts) -> str:
    root = message.thread[-1] if message.thread else next(iter(message.known_as), message.external_id)
    words = () if message.thread or not message.external_id.startswith("#") else (message.text,)
    return reference(seed("normalise", facts.channel, root, message.author.id, *words))
