"""One item as the platform sends it → messages. Pure: runs in a worker, and again whenever somebody replays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role


@dataclass(frozen=True, kw_only=True)
class Person:
    id: str = ""
    name: str = ""
    phone: str = ""
    is_staff: bool = False


@dataclass(frozen=True, kw_only=True)
class File:
    url: str
    name: str = ""
    media_type: str = "application/octet-stream"
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Item:
    """Only the fields that are used; the raw keeps the others."""

    id: str
    text: str
    author: Person = field(default_factory=Person)
    sent_at: datetime | None = None
    is_deleted: bool = False
    files: tuple[File, ...] = ()


def parse_item(raw: Raw) -> Sequence[Message]:
    """Raises BadMessage for what is not an item."""
    try:
        item = decode(raw.body, Item)
    except ValueError as error:
        raise BadMessage(f"item {raw.key}: {error}") from None
    return (
        Message(
            text=item.text,
            external_id=item.id,
            kind=_kind(item, raw),
            author=_author(item.author),
            posted_at=_in_utc(item.sent_at),
            attachments=tuple(_attachment(file) for file in item.files),
        ),
    )


def _kind(item: Item, raw: Raw) -> Kind:
    """A deleted or edited item follows up the complaint it belongs to."""
    if item.is_deleted:
        return Kind.WITHDRAWN
    return Kind.EDITED if raw.ordinal > 1 else Kind.SAID


def _author(person: Person) -> Author:
    """What our own people write is context, never a complaint."""
    role = Role.COMPANY if person.is_staff else Role.CUSTOMER
    return Author(role=role, id=person.id, name=person.name, phone=person.phone)


def _attachment(file: File) -> Attachment:
    """The bytes are fetched by the core, after the message is stored."""
    return Attachment(name=file.name, media_type=file.media_type, size=file.size, ref=Ref(locator={"url": file.url}))


def _in_utc(moment: datetime | None) -> datetime | None:
    """Times without an offset: take the zone that the platform's document names, never this machine's."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
