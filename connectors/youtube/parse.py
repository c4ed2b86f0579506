"""A comment → a Message. Pure.

Each who speaks under a comment has a matter of their own, `THREAD/PERSON`; what the channel itself says there is
context of the matter of whoever began.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.youtube.settings import YoutubeSettings

WATCH = "https://www.youtube.com/watch"


class Id(msgspec.Struct, frozen=True, kw_only=True):
    value: str = ""


class Snippet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    published_at: datetime
    updated_at: datetime | None = None
    text_display: str = ""
    author_display_name: str = ""
    author_channel_id: Id | None = None
    video_id: str = ""
    image_url: str = ""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    snippet: Snippet


def parse(raw: Raw, settings: YoutubeSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        comment = decode(raw.body, Comment)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    said, thread = comment.snippet, str(raw.context.get("thread") or comment.id)
    author = _author(said, settings.channel_id)
    is_edit = raw.ordinal > 1
    return (
        Message(
            text=said.text_display or ("" if said.image_url else "[empty comment]"),
            external_id=comment.id,
            known_as=(f"{thread}/{author.id}",) if comment.id == thread and author.id else (),
            kind=Kind.EDITED if is_edit else Kind.SAID,
            thread=() if comment.id == thread else _thread(thread, author),
            author=author,
            posted_at=said.updated_at if is_edit and said.updated_at else said.published_at,
            attachments=_pictures(comment),
            permalink=_permalink(said.video_id or str(raw.context.get("video", "")), comment.id),
            visibility=Visibility.PUBLIC,
        ),
    )


def _thread(thread: str, author: Author) -> tuple[str, ...]:
    if author.role is Role.COMPANY:
        return (thread,)
    return (f"{thread}/{author.id}",) if author.id else ()


def _author(said: Snippet, owner: str) -> Author:
    """YouTube shows handles where it once showed names."""
    channel, shown = said.author_channel_id.value if said.author_channel_id else "", said.author_display_name.strip()
    is_handle = shown.startswith("@")
    return Author(
        role=Role.COMPANY if channel == owner else Role.CUSTOMER,
        id=channel,
        name="" if is_handle else shown,
        handle=shown if is_handle else "",
    )


def _pictures(comment: Comment) -> tuple[Attachment, ...]:
    """Its address ends after six hours: another is asked for by the comment."""
    if not comment.snippet.image_url:
        return ()
    ref = Ref(locator={"comment": comment.id})
    return (Attachment(name="", title="picture", media_type="image/jpeg", ref=ref),)


def _permalink(video: str, comment: str) -> str:
    return f"{WATCH}?{urlencode({'v': video, 'lc': comment})}" if video else ""
