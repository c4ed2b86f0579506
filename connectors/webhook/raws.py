"""A request → raws: one for each item, keyed by its id, so that one that cannot be read loses no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.codec import encode, encode_stable, plain
from allears_sdk.connector import Request
from allears_sdk.message import Attachment, Message, Raw, Role
from allears_sdk.signing import sha256_hex
from connectors.webhook.body import MULTIPART, URLENCODED, decode_body
from connectors.webhook.parse import CONTENT_TYPE, cut, is_wanted, item_id, read_item
from connectors.webhook.settings import REFERENCE, WebhookSettings

MAX_ITEMS = 1000
MAX_GROWTH = 4
"""Cutting repeats what stands around the items; beyond this many times the request it is stored in one piece."""
_JSON = "application/json"
_FORM = "application/x-form"
"""Not `multipart/form-data`: the house would read that as a form of its own."""


def raws_of(request: Request, settings: WebhookSettings) -> list[Raw]:
    """Never raises: what cannot be read is stored whole, and `parse` refuses it. Empty: nothing here is wanted."""
    whole = _whole(request)
    try:
        body = decode_body(request.body, request.header("content-type"), settings.map.json_fields)
        wanted = [pair for pair in cut(body, settings.map) if is_wanted(settings.map, body, pair[0])]
    except ValueError:
        return [whole]
    if not wanted:
        return []
    if len(wanted) == 1:
        return [_raw(whole, settings, body, *wanted[0], content=request.body)]
    if not _is_worth_cutting(body, [item for item, _ in wanted], len(request.body)):
        return [whole]
    return list(_cut_up(whole, settings, body, wanted))


def _whole(request: Request) -> Raw:
    content_type = request.header("content-type")
    kind = content_type.partition(";")[0].strip().lower()
    form = {MULTIPART: _FORM, URLENCODED: URLENCODED}.get(kind, _JSON)
    return Raw(
        key=sha256_hex(request.body),
        body=request.body,
        media_type=form,
        received_at=request.received_at,
        context={CONTENT_TYPE: content_type} if kind == MULTIPART else {},
    )


def _cut_up(whole: Raw, settings: WebhookSettings, body: Any, wanted: list[tuple[Any, Any]]) -> Iterator[Raw]:
    """As if the sender had sent one request for each; of the same one in it twice, the last."""
    made: dict[str, Raw] = {}
    for item, alone in wanted:
        raw = _raw(whole, settings, body, item, alone, content=encode(alone))
        made[raw.key] = replace(raw, media_type=_JSON, context={})
    yield from made.values()


def _raw(whole: Raw, settings: WebhookSettings, body: Any, item: Any, alone: Any, *, content: bytes) -> Raw:
    message = _message(settings, body, item, whole)
    known = message.external_id if message else _id(settings, body, item)
    key = known or (whole.key if content is whole.body else sha256_hex(encode_stable(alone)))
    return replace(
        whole,
        key=key,
        body=content,
        digest=_digest(message, item) if known else "",
        thread=_thread(message, key) if REFERENCE in settings.answer.body else "",
    )


def _message(settings: WebhookSettings, body: Any, item: Any, whole: Raw) -> Message | None:
    """None for what `parse` will refuse."""
    try:
        return read_item(settings, body, item, whole.received_at)
    except ValueError:
        return None


def _id(settings: WebhookSettings, body: Any, item: Any) -> str:
    try:
        return item_id(settings.map, body, item)
    except ValueError:
        return ""


def _thread(message: Message | None, key: str) -> str:
    """The conversation whose reference the answer carries: a customer's only."""
    if message is None or message.author.role is not Role.CUSTOMER:
        return ""
    return next(iter(message.thread), key)


def _digest(message: Message | None, item: Any) -> str:
    """Of what the mapping finds; counters of deliveries and signatures of links are not among it."""
    if message is None:
        return sha256_hex(encode_stable(item))
    if message.revision:
        return sha256_hex(f"{message.kind}:{message.revision}")
    return sha256_hex(encode_stable(plain(_matters(message))))


def _matters(message: Message) -> Message:
    return replace(message, attachments=tuple(map(_lasting, message.attachments)), posted_at=None)


def _lasting(attachment: Attachment) -> Attachment:
    """Links are signed anew each time: their paths stay."""
    url = str(attachment.ref.locator["url"]) if attachment.ref else ""
    try:
        title = urlsplit(url).path
    except ValueError:
        title = url
    return Attachment(name=attachment.name, title=title)


def _is_worth_cutting(body: Any, items: list[Any], size: int) -> bool:
    if len(items) > MAX_ITEMS:
        return False
    around = max(len(encode(body)) - sum(len(encode(item)) for item in items), 0)
    return len(items) * around <= MAX_GROWTH * max(size, 4096)
