"""One event → Messages. Pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from connectors.line.payload import Content, Event
from connectors.line.settings import LineSettings

_FILES = {"image": ("image/jpeg", "jpg"), "video": ("video/mp4", "mp4"), "audio": ("audio/x-m4a", "m4a")}
_FILE = "file"
_UNKNOWN_TYPE = "application/octet-stream"


class _One(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[Event]


def parse(raw: Raw, settings: LineSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for what is no message."""
    try:
        (event,) = decode(raw.body, _One).events
        if event.message is not None:
            return (_said(event, event.message, settings),)
        if event.unsend is not None:
            return (_unsent(event, event.unsend.message_id),)
        return () if event.postback is None else (_pressed(event, event.postback.data, settings),)
    except (ValueError, RecursionError, OverflowError, OSError) as error:  # the last two: a time that is none
        raise BadMessage(f"{raw.key}: {error}") from None


def _said(event: Event, content: Content, settings: LineSettings) -> Message:
    files = tuple(_files(event, content))
    text = "\n".join(line for line in _lines(content) if line)
    quoted = (content.quoted_message_id,) if content.quoted_message_id else ()
    return Message(
        text=text or ("" if files else f"[{content.type or 'empty message'}]"),
        external_id=content.id,
        thread=(*quoted, *_room(event)),
        author=_author(event, settings),
        posted_at=event.at,
        attachments=files,
    )


def _unsent(event: Event, message: str) -> Message:
    return Message(
        text="",
        external_id=message,
        revision=event.webhook_event_id,
        kind=Kind.WITHDRAWN,
        thread=_room(event),
        author=Author(id=event.source.user_id),
        posted_at=event.at,
    )


def _pressed(event: Event, data: str, settings: LineSettings) -> Message:
    """A button of a menu: which one is the program's word, not the customer's."""
    return Message(
        text=data,
        external_id=event.webhook_event_id,
        thread=_room(event),
        author=_author(event, settings),
        posted_at=event.at,
        is_automatic=True,
        automatic_reason="a button was pressed (postback)",
    )


def _room(event: Event) -> tuple[str, ...]:
    return (event.source.room,) if event.source.room else ()


def _author(event: Event, settings: LineSettings) -> Author:
    source = event.source
    if not source.user_id:
        return Author()
    locator: dict[str, Any] = {"user": source.user_id}
    if source.group_id:
        locator["group"] = source.group_id
    elif source.room_id:
        locator["room"] = source.room_id
    return Author(
        role=_role(source.user_id, settings.staff),
        id=source.user_id,
        profile=Ref(locator=locator) if settings.ask_profile else None,
    )


def _role(user: str, staff: Collection[str]) -> Role:
    return Role.COMPANY if user in staff else Role.CUSTOMER


def _lines(content: Content) -> Iterator[str]:
    yield content.text
    if content.type == "sticker" and not content.text:
        yield "[sticker]"
    if content.type == "location":
        named = ", ".join(part for part in (content.title, content.address) if part)
        where = f"{content.latitude:.6f}, {content.longitude:.6f}"
        yield f"📍 {named} ({where})" if named else f"📍 {where}"


def _files(event: Event, content: Content) -> Iterator[Attachment]:
    """What a customer sent lies at LINE; a picture that an app shared in their name, at an address of that app's."""
    if content.type not in (*_FILES, _FILE):
        return
    guessed = mimetypes.guess_type(content.file_name)[0] or _UNKNOWN_TYPE
    media_type, ending = _FILES.get(content.type, (guessed, ""))
    name = content.file_name or f"{content.type}-{event.at:%Y%m%d-%H%M%S}-{content.id[-6:]}.{ending}".rstrip(".")
    provider = content.content_provider
    is_elsewhere = provider is not None and provider.type != "line"
    yield Attachment(
        name=name,
        title=content.type,
        media_type=media_type,
        size=content.file_size,
        ref=None if is_elsewhere else Ref(locator={"message": content.id, "name": name}),
        skipped=f"shared by another app, at {provider.original_content_url}" if provider and is_elsewhere else "",
    )
