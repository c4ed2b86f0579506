"""A post → a Message. Pure.

Each who speaks in a conversation has a matter of their own, `CONVERSATION/PERSON`; what our account says there belongs
to the matter of whoever it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import unescape
from urllib.parse import urlsplit

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.x.messages import KIND as MESSAGE
from connectors.x.messages import read as read_message
from connectors.x.settings import XSettings

SITE = "https://x.com"
PICTURES = "pbs.twimg.com"
_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    id: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Of a post above 280 characters: the whole of it."""

    text: str = ""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """X's documents name fields after tweets, its own library (xdk 0.10) after posts: either is read."""

    id: str
    text: str
    author_id: str = ""
    created_at: datetime | None = None
    conversation_id: str = ""
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[Reference] = []
    edit_history_tweet_ids: list[str] = []
    note_tweet: Note | None = None
    referenced_posts: list[Reference] = []
    edit_history_post_ids: list[str] = []
    note_post: Note | None = None
    lang: str = ""

    @property
    def references(self) -> Sequence[Reference]:
        return self.referenced_tweets or self.referenced_posts

    @property
    def first(self) -> str:
        """The id under which it was written, before any edit."""
        return (self.edit_history_tweet_ids or self.edit_history_post_ids or [self.id])[0]

    @property
    def words(self) -> str:
        note = self.note_tweet or self.note_post
        return (note.text if note else "") or self.text


class User(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    username: str = ""


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    url: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    post: Post
    user: User | None = None
    media: list[Medium] = []


def parse(raw: Raw, settings: XSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for who merely passes on what another said."""
    try:
        if raw.context.get("kind") == MESSAGE:
            return (read_message(raw, settings),)
        item = decode(raw.body, Item)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    post = item.post
    if any(one.type == "retweeted" for one in post.references):
        return ()
    author, first = _author(item, settings), post.first
    conversation = post.conversation_id or first
    is_first = conversation in (post.id, first)
    is_ours = author.role is Role.COMPANY
    person = (post.in_reply_to_user_id or "") if is_ours else author.id
    matter = (f"{conversation}/{person}",) if person and person != (author.id if is_ours else "") else ()
    return (
        Message(
            text=unescape(post.words) or "[empty post]",
            external_id=first,
            revision=post.id,
            kind=Kind.SAID if first == post.id else Kind.EDITED,
            known_as=matter if is_first else (),
            thread=() if is_first else matter,
            author=author,
            participants=(person,) if is_ours and matter else (),
            posted_at=_aware(post.created_at),
            attachments=tuple(_attachment(one) for one in item.media),
            permalink=f"{SITE}/{author.handle.removeprefix('@') or 'i/web'}/status/{post.id}",
            visibility=Visibility.PUBLIC,
            language="" if post.lang in ("und", "zxx") or post.lang.startswith("q") else post.lang,
        ),
    )


def _author(item: Item, settings: XSettings) -> Author:
    user = item.user or User()
    is_ours = bool(user.username) and user.username.lower() == settings.username.lower()
    return Author(
        role=Role.COMPANY if is_ours else Role.CUSTOMER,
        id=item.post.author_id,
        name=user.name.strip(),
        handle=f"@{user.username}" if user.username else "",
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment.tzinfo is not None else None


def _attachment(medium: Medium) -> Attachment:
    """A picture is asked for by its name, at the house where X keeps them."""
    try:
        place = urlsplit(medium.url)
        name = place.path.removeprefix("/media/") if place.hostname == PICTURES else ""
    except ValueError:
        name = ""
    if medium.type == "photo" and is_picture(name):
        return Attachment(name=name, media_type=_TYPES[name.partition(".")[2]], ref=Ref(locator={"picture": name}))
    return Attachment(name="", title=medium.type or "file", skipped="X does not hand out this kind of file")


def is_picture(name: str) -> bool:
    stem, _, end = name.partition(".")
    return bool(stem) and stem.isascii() and stem.replace("-", "").replace("_", "").isalnum() and end in _TYPES
