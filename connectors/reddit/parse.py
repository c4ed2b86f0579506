"""A post, comment or message → a Message. Pure.

Each who speaks under a post has a matter of their own, `POST/PERSON`; what our account says there is context of the
matter of whoever it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.reddit.listing import DELETED_BY_AUTHOR
from connectors.reddit.settings import RedditSettings

SITE = "https://www.reddit.com"
IMAGES = "i.redd.it"
DELETED, REMOVED = "[deleted]", "[removed]"
_BOTS = frozenset({"automoderator", "reddit"})
_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_ENDS = {"image/jpg": "jpg", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a gallery."""

    m: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of all three kinds."""

    name: str
    author: str | None = None
    author_fullname: str | None = None
    created_utc: float
    edited: float | bool = False
    title: str = ""
    selftext: str = ""
    body: str = ""
    subject: str = ""
    url: str = ""
    permalink: str = ""
    context: str = ""
    """In the inbox, instead of a permalink."""
    link_id: str = ""
    parent_id: str | None = None
    first_message_name: str | None = None
    media_metadata: dict[str, Medium] | None = None
    removed_by_category: str | None = None


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    data: Said


def parse(raw: Raw, settings: RedditSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for what moderators took down, or was deleted before it was read."""
    try:
        thing = decode(raw.body, Thing)
        said, is_edit = thing.data, raw.ordinal > 1
        words = said.selftext if thing.kind == "t3" else said.body
        is_deleted = words == DELETED or said.removed_by_category in DELETED_BY_AUTHOR
        if words == REMOVED or (is_deleted and not is_edit):
            return ()
        if is_deleted:
            return (Message(text="", external_id=said.name, revision="deleted", kind=Kind.WITHDRAWN),)
        author = _author(said, settings)
        message = {"t3": _post, "t1": _comment, "t4": _private}[thing.kind](
            said, author, _common(said, author, is_edit)
        )
    except KeyError:
        raise BadMessage(f"{raw.key}: neither a post nor a comment nor a message") from None
    except (ValueError, OverflowError, OSError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    return (message,)


def _common(said: Said, author: Author, is_edit: bool) -> dict[str, Any]:
    changed = said.edited if is_edit and not isinstance(said.edited, bool) else said.created_utc
    return {
        "external_id": said.name,
        "kind": Kind.EDITED if is_edit else Kind.SAID,
        "author": author,
        "posted_at": datetime.fromtimestamp(changed, UTC),
        "is_automatic": author.role is Role.BOT,
        "automatic_reason": "an account of Reddit's own" if author.role is Role.BOT else "",
    }


def _post(said: Said, author: Author, common: dict[str, Any]) -> Message:
    files = _pictures(said)
    link = "" if files or not said.url or urlsplit(said.url).path == said.permalink else said.url
    return Message(
        subject=said.title,
        text="\n\n".join(part for part in (said.selftext, link) if part) or said.title,
        known_as=(f"{said.name}/{author.id}",) if author.id else (),
        attachments=files,
        permalink=_address(said.permalink),
        visibility=Visibility.PUBLIC,
        **common,
    )


def _comment(said: Said, author: Author, common: dict[str, Any]) -> Message:
    post, place = _post_of(said), said.permalink or said.context.partition("?")[0]
    if author.role is Role.CUSTOMER:
        thread = (f"{post}/{author.id}",) if post and author.id else ()
    else:
        thread = (said.parent_id or post,) if said.parent_id or post else ()
    return Message(
        text=said.body or "[empty comment]",
        thread=thread,
        permalink=_address(place),
        visibility=Visibility.PUBLIC,
        **common,
    )


def _private(said: Said, author: Author, common: dict[str, Any]) -> Message:
    return Message(
        subject=said.subject,
        text=said.body or said.subject,
        thread=(said.first_message_name,) if said.first_message_name else (),
        permalink=f"{SITE}/message/messages/{said.name.partition('_')[2]}",
        visibility=Visibility.PRIVATE,
        **common,
    )


def _author(said: Said, settings: RedditSettings) -> Author:
    name = said.author or ""
    if not name or name == DELETED:
        return Author()
    is_bot = name.lower() in _BOTS
    role = Role.COMPANY if name.lower() == settings.username.lower() else Role.BOT if is_bot else Role.CUSTOMER
    return Author(role=role, id=said.author_fullname or name, handle=f"u/{name}")


def _post_of(said: Said) -> str:
    """The inbox names it in an address alone: /r/COMMUNITY/comments/POST/…"""
    if said.link_id:
        return said.link_id
    parts = said.context.split("/")
    return f"t3_{parts[4]}" if len(parts) > 5 and parts[3] == "comments" else ""


def _address(path: str) -> str:
    return f"{SITE}{path}" if path.startswith("/") else ""


def _pictures(said: Said) -> tuple[Attachment, ...]:
    """The one that is posted, or those of a gallery: at Reddit itself, where anybody can fetch them."""
    place = urlsplit(said.url)
    names = [place.path.strip("/")] if place.hostname == IMAGES else []
    names += [f"{name}.{_ENDS[one.m]}" for name, one in (said.media_metadata or {}).items() if one.m in _ENDS]
    return tuple(_picture(name) for name in names if is_picture(name))


def is_picture(name: str) -> bool:
    stem, _, end = name.partition(".")
    return bool(stem) and stem.isascii() and stem.replace("-", "").replace("_", "").isalnum() and end in _TYPES


def _picture(name: str) -> Attachment:
    return Attachment(name=name, media_type=_TYPES[name.partition(".")[2]], ref=Ref(locator={"picture": name}))
