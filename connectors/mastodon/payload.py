"""What the server hands out ("Entities"): the fields that are used. Ids are texts, whatever they look like."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    acct: str = ""
    """Without a host: of this server."""
    display_name: str = ""
    bot: bool = False


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who is mentioned."""

    id: str
    acct: str = ""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str = ""
    url: str | None = None
    remote_url: str | None = None
    """Where it came from; the server's copy may be thrown away."""
    description: str | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    options: list[Option] = []


class Status(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    created_at: datetime
    account: Account
    edited_at: datetime | None = None
    in_reply_to_id: str | None = None
    in_reply_to_account_id: str | None = None
    spoiler_text: str = ""
    visibility: str = "public"
    language: str | None = None
    uri: str = ""
    url: str | None = None
    content: str = ""
    mentions: list[Person] = []
    media_attachments: list[Media] = []
    poll: Poll | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str = ""
    status: Status | None = None


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """What of a post says something: no counts, no addresses of files."""

    id: str = ""
    created_at: datetime | None = None
    in_reply_to_id: str | None = None
    spoiler_text: str = ""
    content: str = ""
    media_attachments: list[MediaMatter] = []
    poll: Poll | None = None


class MediaMatter(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""
    description: str | None = None


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a notification as tells which it is."""

    id: str = ""
    type: str = ""
    status: msgspec.Raw = msgspec.Raw(b"null")


class Statuses(msgspec.Struct, frozen=True, kw_only=True):
    max_characters: int = 500


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    streaming: str = ""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    urls: Urls = Urls()
    statuses: Statuses = Statuses()


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    configuration: Configuration = Configuration()
