"""Direct messages of Messenger and Instagram: an event → its raw, and → a Message ("messages webhook event"). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import msgspec

from allears_sdk.codec import decode
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from connectors._meta.envelope import JSON, NOTHING, Item, moment, unreadable

_FILES = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg", "file": "application/octet-stream"}
"""Kinds whose bytes lie at Meta. The others (a share, a template) lead somewhere: their address is told."""
_UNSAID = "[unsupported message]"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int = ""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    url: str | None = None
    title: str | None = None
    sticker_id: int | str | None = None


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    payload: Payload | None = None
    title: str | None = None
    url: str | None = None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    url: str | None = None


class ReplyTo(msgspec.Struct, frozen=True, kw_only=True):
    mid: str | None = None
    story: Story | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    mid: str
    text: str | None = None
    attachments: list[Attached] = []
    is_echo: bool = False
    is_deleted: bool = False
    is_unsupported: bool = False
    reply_to: ReplyTo | None = None


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    mid: str
    text: str | None = None
    num_edit: int | str = 0


class Postback(msgspec.Struct, frozen=True, kw_only=True):
    mid: str | None = None
    title: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    sender: Party = Party()
    recipient: Party = Party()
    timestamp: float = 0.0
    """Milliseconds."""
    message: Said | None = None
    message_edit: Edited | None = None
    postback: Postback | None = None


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """As much of an event as says whether it says something."""

    message: msgspec.Raw = NOTHING
    message_edit: msgspec.Raw = NOTHING
    postback: msgspec.Raw = NOTHING

    @property
    def says_something(self) -> bool:
        return any(bytes(one) != bytes(NOTHING) for one in (self.message, self.message_edit, self.postback))


def raw_of(item: Item, received_at: datetime) -> Raw | None:
    """None for what says nothing: receipts, reactions, who has the talk. One message has one key, whichever app it is
    told to and however often."""
    try:
        if not decode(item.value, Kinds).says_something:
            return None
        key = _key(decode(item.value, Event))
    except (ValueError, RecursionError):
        return unreadable(item.body(), received_at)
    return Raw(key=key, body=item.body(), media_type=JSON, received_at=received_at)


def read(item: Item, *, names: bool) -> Message:
    """`names`: the customer's can be asked for. Raises ValueError."""
    event = decode(item.value, Event)
    said, edit, button = event.message, event.message_edit, event.postback
    is_echo = said is not None and said.is_echo
    customer = str((event.recipient if is_echo else event.sender).id)
    key = _key(event)
    message = Message(
        text="",
        external_id=key,
        thread=(*_answered(said), *([f"{item.account}/{customer}"] if customer else [])),
        author=Author(role=Role.COMPANY, id=item.account) if is_echo else _author(customer, names=names),
        participants=(customer,) if is_echo and customer else (),
        posted_at=moment(event.timestamp) or item.sent_at,
    )
    if edit is not None:
        return replace(message, text=edit.text or "", external_id=edit.mid, revision=key, kind=Kind.EDITED)
    if said is None:
        title = button.title if button else None
        return (
            replace(message, text=title) if title else replace(message, is_automatic=True, automatic_reason="a button")
        )
    if said.is_deleted:
        return replace(message, external_id=said.mid, revision=key, kind=Kind.WITHDRAWN)
    return replace(message, text="\n".join(_lines(said)), attachments=_files(said, message.posted_at))


def _key(event: Event) -> str:
    if event.message_edit is not None:
        return f"{event.message_edit.mid}:edit:{event.message_edit.num_edit}"
    if event.message is not None:
        return f"{event.message.mid}:deleted" if event.message.is_deleted else event.message.mid
    pressed = event.postback.mid if event.postback else ""
    return pressed or f"postback:{event.sender.id}:{event.timestamp:.0f}"


def _author(customer: str, *, names: bool) -> Author:
    return Author(id=customer, profile=Ref(locator={"profile": customer}) if names and customer else None)


def _answered(said: Said | None) -> tuple[str, ...]:
    answered = said.reply_to.mid if said and said.reply_to else None
    return (answered,) if answered else ()


def _lines(said: Said) -> Iterator[str]:
    if said.text:
        yield said.text
    if said.reply_to and said.reply_to.story:
        yield "[about our story]"
    for one in said.attachments:
        if one.payload and one.payload.sticker_id:
            yield "[sticker]"
        elif one.type not in _FILES:
            where = one.url or (one.payload.url if one.payload else "")
            title = one.title or (one.payload.title if one.payload else "")
            yield " ".join(part for part in (f"[{one.type or 'attachment'}]", title, where) if part)
    if said.is_unsupported or not (said.text or said.attachments):
        yield _UNSAID


def _files(said: Said, at: datetime | None) -> tuple[Attachment, ...]:
    found = [one for one in said.attachments if one.type in _FILES and one.payload and not one.payload.sticker_id]
    return tuple(
        Attachment(
            name=_name(one.type, at, number),
            title=one.type,
            media_type=_FILES[one.type],
            ref=Ref(locator={"url": one.payload.url}) if one.payload and one.payload.url else None,
            skipped="" if one.payload and one.payload.url else "Meta named no address of it",
        )
        for number, one in enumerate(found, 1)
    )


def _name(kind: str, at: datetime | None, number: int) -> str:
    ending = {"image": ".jpg", "video": ".mp4", "audio": ".mp3"}.get(kind, "")
    return f"{kind}{f'-{at:%Y%m%d-%H%M%S}' if at else ''}-{number}{ending}" if ending else ""
