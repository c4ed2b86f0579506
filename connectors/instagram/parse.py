"""What a raw of an Instagram account says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Role, Visibility
from connectors._meta.envelope import Item, only_item
from connectors._meta.talk import read as read_event
from connectors._meta.times import read_time
from connectors.instagram.items import COMMENTS, READ_BACK
from connectors.instagram.payload import Comment, Mention, Mentioned, Person, Read
from connectors.instagram.settings import InstagramSettings


class _Own:
    """Tells the account itself from its customers, by whatever is told of it."""

    def __init__(self, settings: InstagramSettings, account: str) -> None:
        self._ids = {settings.instagram_id, account}
        self._name = settings.username.removeprefix("@").lower()

    def is_it(self, who: Person | None, name: str) -> bool:
        if who is not None and (str(who.id) in self._ids or who.self_ig_scoped_id is not None):
            return True
        return bool(self._name) and name == self._name


def parse(raw: Raw, settings: InstagramSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        if raw.context.get(READ_BACK):
            message = _read_back(decode(raw.body, Read), raw, settings)
        else:
            message = _delivered(only_item(raw), raw, settings)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    return (message,) if message is not None else ()


def _delivered(item: Item, raw: Raw, settings: InstagramSettings) -> Message | None:
    if item.is_event:
        return read_event(item, names=settings.access_token is not None)
    if item.field in COMMENTS:
        told = decode(item.value, Comment)
        media = str(told.media.id) if told.media else ""
        return _comment(told, media, "", item.sent_at, _Own(settings, item.account))
    return _unread_mention(decode(item.value, Mention), raw, item.sent_at)


def _read_back(read: Read, raw: Raw, settings: InstagramSettings) -> Message | None:
    own = _Own(settings, read.account)
    if read.comment is not None:
        return _comment(read.comment, read.media, read.permalink, read_time(read.comment.timestamp or ""), own)
    if read.mention is None:
        raise ValueError("neither a comment nor a mention")
    return _mention(read.mention, raw)


def _comment(told: Comment, media: str, permalink: str, at: datetime | None, own: _Own) -> Message | None:
    """Who comments has a matter of their own under each post, with what is answered in it."""
    author = _author(told, own)
    answered = (str(told.parent_id),) if told.parent_id else ()
    if author.role is Role.COMPANY and not answered:
        return None  # said to everybody: no answer to anybody
    room = (f"media:{media}",) if media and author.id else ()
    return Message(
        text=told.text or "[no words]",
        external_id=str(told.id),
        thread=(*answered, *room),
        author=author,
        posted_at=at,
        permalink=permalink,
        visibility=Visibility.PUBLIC,
    )


def _author(told: Comment, own: _Own) -> Author:
    """Reads tell the name always and the id not always: the name is what both have."""
    who = told.from_
    name = ((who.username if who else "") or told.username or "").lower()
    is_ours = own.is_it(who, name)
    identity = f"@{name}" if name else str(who.id) if who else ""
    return Author(role=Role.COMPANY if is_ours else Role.CUSTOMER, id=identity, handle=f"@{name}" if name else "")


def _unread_mention(told: Mention, raw: Raw, at: datetime | None) -> Message:
    where = f"comment {told.comment_id}" if told.comment_id else "a post"
    return Message(
        text=f"[mentioned in {where}, media {told.media_id}]",
        external_id=raw.key,
        posted_at=at,
        visibility=Visibility.PUBLIC,
        is_automatic=True,
        automatic_reason="a mention whose words are not read yet",
    )


def _mention(found: Mentioned, raw: Raw) -> Message:
    name = (found.username or "").lower()
    return Message(
        text=found.text or found.caption or "[no words]",
        external_id=raw.key,
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        author=Author(id=f"@{name}" if name else "", handle=f"@{name}" if name else ""),
        posted_at=read_time(found.timestamp or ""),
        permalink=found.permalink or "",
        visibility=Visibility.PUBLIC,
    )
