"""What a message holds: its words, and its files as references. Pure."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from datetime import datetime, timedelta

from allears_sdk.message import Attachment, Ref
from connectors.whatsapp.payload import Content, Form, Location, Media, Order

_ENDINGS = {"audio/ogg": ".ogg", "audio/amr": ".amr", "image/webp": ".webp", "image/jpeg": ".jpg"}
"""Those that the standard table lacks, or names unusually."""
_FILES = ("image", "video", "audio", "document")
_UNSAID = "[unsupported message]"
"""Stands for what WhatsApp shows its users and does not hand to businesses: somebody has to look."""
_TOKEN = "flow_token"  # noqa: S105 - the name of a form's field


def text_of(content: Content) -> str:
    """All that can be read, line by line. What has no words of its own (a place, a sticker) is written out."""
    return "\n".join(line for line in _lines(content) if line)


def files_of(content: Content, said_at: datetime | None, media_days: float) -> tuple[Attachment, ...]:
    found = ((kind, getattr(content, kind)) for kind in _FILES)
    return tuple(_attachment(kind, file, said_at, media_days) for kind, file in found if file is not None and file.id)


def product_of(content: Content) -> str:
    """By the seller's own number: asked about, or ordered."""
    asked = content.context.referred_product if content.context else None
    items = [*([asked] if asked else []), *(content.order.product_items if content.order else [])]
    return "、".join(dict.fromkeys(one.product_retailer_id for one in items if one.product_retailer_id))


def _attachment(kind: str, file: Media, said_at: datetime | None, media_days: float) -> Attachment:
    media_type = file.mime_type.partition(";")[0].strip().lower()
    ending = _ENDINGS.get(media_type) or mimetypes.guess_extension(media_type) or ""
    kind = "voice" if file.voice else kind
    stamp = f"-{said_at:%Y%m%d-%H%M%S}" if said_at else ""
    name = file.filename or f"{kind}{stamp}-{file.id[-6:]}{ending}"
    until = said_at + timedelta(days=media_days) if said_at else None
    locator = {"media": file.id, "name": name}
    ref = Ref(locator=locator, fetch_before=until)
    return Attachment(name=name, title=kind, media_type=media_type or "application/octet-stream", ref=ref)


def _lines(content: Content) -> Iterator[str]:
    if content.context and (content.context.forwarded or content.context.frequently_forwarded):
        yield "↪"
    yield content.text.body if content.text else ""
    yield from (file.caption or "" for kind in _FILES if (file := getattr(content, kind)) is not None)
    yield "[sticker]" if content.sticker else ""
    yield _place(content.location) if content.location else ""
    for card in content.contacts:
        yield " ".join(("☎", card.name.formatted_name, *(one.phone for one in card.phones)))
    yield content.button.text if content.button else ""
    yield from _chosen(content)
    yield from _ordered(content.order) if content.order else ()
    if content.type == "unsupported" or content.errors:
        yield " ".join((_UNSAID, *(f"({one.code} {one.title})" for one in content.errors)))


def _place(location: Location) -> str:
    named = ", ".join(part for part in (location.name, location.address) if part)
    where = f"{location.latitude:.6f}, {location.longitude:.6f}"
    return f"📍 {named} ({where})" if named else f"📍 {where}"


def _chosen(content: Content) -> Iterator[str]:
    answer = content.interactive
    if answer is None:
        return
    for choice in (answer.button_reply, answer.list_reply):
        if choice is not None:
            yield choice.title
            yield choice.description or ""
    if answer.nfm_reply is not None:
        yield from _filled_in(answer.nfm_reply)


def _filled_in(form: Form) -> Iterator[str]:
    """A form (Flow): its fields, one to a line."""
    try:
        fields = json.loads(form.response_json)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        yield form.response_json or form.body or ""
        return
    for name, value in fields.items():
        if name != _TOKEN:
            yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _ordered(order: Order) -> Iterator[str]:
    yield order.text or ""
    for item in order.product_items:
        yield f"{item.quantity} × {item.product_retailer_id}"
