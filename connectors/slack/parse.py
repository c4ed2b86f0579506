"""A raw of Slack → the message in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allears_sdk.codec import convert, decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.slack.events import SAID, TOMBSTONE, Item, listed, moment_of, payload_of, pushed
from connectors.slack.settings import SlackSettings
from connectors.slack.text import mentioned, readable, words_of

_SLACKBOT = "USLACKBOT"
_NO_BYTES = {
    "tombstone": "it was deleted in Slack",
    "hidden_by_limit": "Slack hides it: it is older than the workspace's plan shows",
    "access_denied": "Slack lets the bot not read it",
    "file_not_found": "Slack no longer has it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    id: str = ""
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    mode: str | None = None
    file_access: str | None = None
    is_external: bool | None = None
    url_private: str | None = None
    url_private_download: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    real_name: str | None = None
    display_name: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Only the fields that are used."""

    user: str | None = None
    username: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    text: str | None = None
    thread_ts: str | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    user_profile: Named | None = None
    bot_profile: Named | None = None
    files: list[File] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What stood outside the body: `Raw.context`."""

    channel: str = ""
    """Of a message that was listed; a pushed one says its own."""
    kind: str = ""
    url: str = ""
    """Of the workspace."""
    bot: str = ""
    """Its user id there."""
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    """By user id: name, handle, email."""


def parse(raw: Raw, settings: SlackSettings) -> tuple[Message, ...]:
    """Raises BadMessage for what is no message of Slack's. What tells nothing new is none."""
    try:
        facts = convert(raw.context, Facts)
        item = _item(raw, facts)
        post = convert(item.post, Post)
    except ValueError as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    if _tells_nothing(item, raw.ordinal):
        return ()
    author = _author(item, post, facts, settings)
    names = {user: known.get("name", "") for user, known in facts.people.items()}
    message = Message(
        text=readable(words_of(item.post), names),
        external_id=item.key,
        revision=item.mark,
        kind=_kind(item, raw.ordinal),
        thread=_thread(item, post, author.role, settings),
        author=author,
        posted_at=_posted_at(item, raw),
        attachments=tuple(_attachment(item, file) for file in post.files or ()),
        permalink=_permalink(item, post, facts.url),
        visibility=_visibility(item, post, author.role, facts.bot, settings),
    )
    return (message,)


def _item(raw: Raw, facts: Facts) -> Item:
    if facts.channel:
        item = listed(facts.channel, facts.kind, decode(raw.body, dict[str, Any]))
    else:
        item = pushed(payload_of(raw.body))
    if item is None:
        raise ValueError("nobody says anything in it")
    return item


def _tells_nothing(item: Item, ordinal: int) -> bool:
    """A first version after a later one; the deletion of something that we never had, and Slack does not show."""
    return ordinal > 1 if item.mark == SAID else ordinal == 1 and not item.post


def _kind(item: Item, ordinal: int) -> Kind:
    """What was edited before we first saw it is simply said."""
    if item.is_deleted:
        return Kind.WITHDRAWN
    return Kind.EDITED if item.mark != SAID and ordinal > 1 else Kind.SAID


def _posted_at(item: Item, raw: Raw) -> datetime:
    """Of a revision when it was made: so the newest is the last, in whatever order they came."""
    if raw.ordinal == 1:
        return moment_of(item.ts)
    return moment_of(item.changed_ts) if item.changed_ts else raw.received_at


def _thread(item: Item, post: Post, role: Role, settings: SlackSettings) -> tuple[str, ...]:
    """A thread belongs to the post it hangs under; a direct chat is one; in a channel a person's posts are, if wanted,
    and what the company says there to whom it names.

    An answer names its root alone: what its author posts elsewhere in the channel is another matter.
    """
    root = (f"{item.channel}:{post.thread_ts}",) if post.thread_ts and post.thread_ts != item.ts else ()
    if item.is_direct:
        return (*root, item.channel)
    if root or settings.one_complaint_per == "post":
        return root
    named = mentioned(post.text or "") if role is not Role.CUSTOMER else []
    return tuple(f"{item.channel}:{who}" for who in named or [post.user or post.bot_id or ""] if who)


def _role(post: Post, settings: SlackSettings) -> Role:
    if post.bot_id or post.subtype == "bot_message" or post.user == _SLACKBOT:
        return Role.CUSTOMER if post.bot_id in settings.customer_bots else Role.BOT
    team = post.user_team or post.source_team or post.team
    is_ours = post.user in settings.staff or team in settings.staff_teams
    return Role.COMPANY if is_ours else Role.CUSTOMER


def _visibility(item: Item, post: Post, role: Role, bot: str, settings: SlackSettings) -> Visibility:
    if item.is_direct or role is not Role.CUSTOMER or bot in mentioned(post.text or ""):
        return Visibility.PRIVATE
    return Visibility(settings.visibility)


def _author(item: Item, post: Post, facts: Facts, settings: SlackSettings) -> Author:
    if post.subtype == TOMBSTONE:
        return Author()  # Slack signs it itself, and no longer says whose it was
    role = _role(post, settings)
    user = post.user or ""
    if not user or role is Role.BOT:
        shown = post.username or _name(post.bot_profile)
        return Author(role=role, id=user or post.bot_id or "", name=shown)
    known = facts.people.get(user, {})
    profile = None if known else Ref(locator={"user": user, "channel": item.channel})
    return Author(
        role=role,
        id=user,
        name=known.get("name") or _name(post.user_profile),
        handle=known.get("handle", ""),
        email=known.get("email", ""),
        profile=profile,
    )


def _name(named: Named | None) -> str:
    return (named.real_name or named.display_name or named.name or "") if named else ""


def _attachment(item: Item, file: File) -> Attachment:
    url = file.url_private_download or file.url_private or ""
    skipped = _NO_BYTES.get(file.mode or "") or _NO_BYTES.get(file.file_access or "", "")
    if not skipped and file.is_external:
        skipped = f"it lies outside Slack: {url}"
    locator: dict[str, Any] = {"file": file.id, "channel": item.channel, "media_type": file.mimetype or ""}
    if file.file_access != "check_file_info":
        locator["url"] = url
    return Attachment(
        name=file.name or "",
        title=file.title or "",
        media_type=file.mimetype or "application/octet-stream",
        size=file.size or 0,
        skipped=skipped,
        ref=None if skipped else Ref(locator=locator),
    )


def _permalink(item: Item, post: Post, url: str) -> str:
    if not url:
        return ""
    link = f"{url.rstrip('/')}/archives/{item.channel}/p{item.ts.replace('.', '')}"
    is_answer = post.thread_ts and post.thread_ts != item.ts
    return f"{link}?thread_ts={post.thread_ts}&cid={item.channel}" if is_answer else link


def people_in(post: Mapping[str, Any]) -> list[str]:
    """Ids of the author and of those the text mentions."""
    author = post.get("user")
    return [*([author] if isinstance(author, str) else []), *mentioned(words_of(post))]
