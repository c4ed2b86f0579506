"""What Meta tells of an Instagram account ("Instagram webhooks", "IG Comment"): the fields that are used."""

from __future__ import annotations

import msgspec


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int = ""
    username: str | None = None
    self_ig_scoped_id: str | int | None = None
    """Stands there where it is the account itself."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int = ""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """As it is delivered, and as it is read: reads tell the time."""

    id: str | int
    text: str | None = None
    from_: Person | None = msgspec.field(default=None, name="from")
    username: str | None = None
    media: Named | None = None
    parent_id: str | int | None = None
    timestamp: str | None = None


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    media_id: str | int
    comment_id: str | int | None = None


class Mentioned(msgspec.Struct, frozen=True, kw_only=True):
    """The comment, or the post, in which the account is named."""

    id: str | int = ""
    text: str | None = None
    caption: str | None = None
    username: str | None = None
    timestamp: str | None = None
    permalink: str | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a raw that was read."""

    account: str
    media: str
    permalink: str = ""
    comment: Comment | None = None
    mention: Mentioned | None = None
