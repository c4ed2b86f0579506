"""What the server lists, as raws: known by the post, new when its words have changed."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from allears_sdk.codec import decode, encode, encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from allears_sdk.sweep import digest_of
from connectors.mastodon.payload import Heading, Matter

MENTION, ANSWER, DELETED = "mention", "answer", "deleted"
_JSON = "application/json"

T = TypeVar("T")


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a raw that tells of a post's end; the server sends the id alone."""

    deleted: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One of a page."""

    id: str
    """By which the page goes on; "" where it cannot be read."""
    written_at: datetime | None
    is_reply: bool
    raw: Raw


def mention(body: bytes, me: str, now: datetime) -> Item:
    """A notification. One whose post cannot be read goes by its own id."""
    heading = _as(body, Heading) or Heading()
    matter = _as(bytes(heading.status), Matter) or Matter()
    raw = _raw(body, MENTION, matter, me, now, spare=f"notification:{heading.id}" if heading.id else "")
    return Item(id=heading.id, written_at=matter.created_at, is_reply=bool(matter.in_reply_to_id), raw=raw)


def answer(body: bytes, me: str, now: datetime) -> Item:
    """A post of our own."""
    matter = _as(body, Matter) or Matter(id=(_as(body, Heading) or Heading()).id)
    raw = _raw(body, ANSWER, matter, me, now)
    return Item(id=matter.id, written_at=matter.created_at, is_reply=bool(matter.in_reply_to_id), raw=raw)


def deletion(status: str, now: datetime) -> Raw:
    key, body = f"{status}:deleted", encode(Deleted(deleted=status))
    return Raw(key=key, body=body, media_type=_JSON, received_at=now, context={"what": DELETED})


def _raw(body: bytes, what: str, matter: Matter, me: str, now: datetime, spare: str = "") -> Raw:
    files = [[one.id, one.description] for one in matter.media_attachments]
    options = [option.title for option in matter.poll.options] if matter.poll else []
    key = matter.id or spare or f"unread:{sha256_hex(encode_stable([what, body]))}"
    digest = digest_of(matter.spoiler_text, matter.content, files, options) if matter.id else ""
    context = {"what": what, "me": me}
    return Raw(key=key, digest=digest, body=body, media_type=_JSON, received_at=now, context=context)


def _as(body: bytes, type_: type[T]) -> T | None:
    try:
        return decode(body, type_)
    except (ValueError, RecursionError):
        return None
