"""One message → Messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Role
from connectors._meta.envelope import moment, only_item
from connectors.whatsapp.content import files_of, product_of, text_of
from connectors.whatsapp.payload import Contact, Content, Post, Value
from connectors.whatsapp.settings import WhatsappSettings

_NUMBER = re.compile(r"\d{5,20}")
GROUP = "group:"
_SILENT = frozenset({"reaction"})


@dataclass(frozen=True, slots=True)
class Person:
    """A customer. Each id is one that may be all that another message tells of them."""

    number: str = ""
    user_id: str = ""
    name: str = ""
    username: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The one that lasts is the last: a number can be given up or hidden."""
        return tuple(one for one in (self.number, self.user_id) if one)

    @property
    def author(self) -> Author:
        return Author(
            id=self.ids[-1] if self.ids else "",
            name=self.name,
            handle=f"@{self.username}" if self.username else "",
            phone=f"+{self.number}" if _NUMBER.fullmatch(self.number) else "",
        )


def parse(raw: Raw, settings: WhatsappSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for what says nothing: reactions."""
    try:
        value = decode(only_item(raw).value, Value)
        said = [_read(post, value, settings, is_echo=False) for post in value.messages]
        said += [_read(post, value, settings, is_echo=True) for post in value.message_echoes]
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    return [one for one in said if one is not None]


def _read(post: Post, value: Value, settings: WhatsappSettings, *, is_echo: bool) -> Message | None:
    if post.type in _SILENT:
        return None
    person = _person(post, value.contacts, is_echo=is_echo)
    if post.system is not None:
        return _announced(post, value, person)
    content = post.edit.message if post.edit else post
    said_at = moment(post.timestamp)
    text, files = text_of(content), files_of(content, said_at, settings.media_days)
    if not (text or files or post.revoke):
        text = f"[{post.type or 'empty message'}]"
    change = post.edit or post.revoke
    original = change.original_message_id if change else ""
    return Message(
        text="" if post.revoke else text,
        external_id=original or post.id,
        revision=post.id if original else "",
        kind=Kind.EDITED if post.edit else Kind.WITHDRAWN if post.revoke else Kind.SAID,
        thread=(*_answered(content), *_rooms(value, post, person)),
        author=_company(value) if is_echo else person.author,
        participants=person.ids if is_echo else person.ids[:-1],
        posted_at=said_at,
        attachments=files,
        product=product_of(content),
    )


def _announced(post: Post, value: Value, person: Person) -> Message | None:
    """WhatsApp's own words: that a customer has another number now, or another id. Both lead to the same chat."""
    system = post.system
    assert system is not None
    known = [one for one in (system.wa_id, system.previous_user_id, system.user_id) if one]
    ids = tuple(dict.fromkeys((*person.ids, *known)))
    return Message(
        text=system.body,
        external_id=post.id,
        thread=tuple(_room(value, one) for one in ids),
        author=person.author if person.ids else Author(id=system.previous_user_id or system.user_id or ""),
        participants=ids,
        posted_at=moment(post.timestamp),
        is_automatic=True,
        automatic_reason=f"WhatsApp's own notice: {post.type}",
    )


def _person(post: Post, contacts: Sequence[Contact], *, is_echo: bool) -> Person:
    """Contacts go with messages by their ids, never by their places."""
    number, user = (post.to, post.to_user_id) if is_echo else (post.from_, post.from_user_id)
    own = {one for one in (number, user) if one}
    fitting = [one for one in contacts if own & {one.wa_id, one.user_id}]
    if not fitting and not own and len(contacts) == 1:
        fitting = list(contacts)
    if not fitting:
        return Person(number or "", user or "")
    contact = fitting[0]
    return Person(
        number or contact.wa_id or "",
        user or contact.user_id or "",
        (contact.profile.name or "").strip(),
        (contact.profile.username or "").strip(),
    )


def _company(value: Value) -> Author:
    return Author(role=Role.COMPANY, id=value.metadata.phone_number_id, phone=value.metadata.display_phone_number)


def _answered(content: Content) -> tuple[str, ...]:
    return (content.context.id,) if content.context and content.context.id else ()


def _rooms(value: Value, post: Post, person: Person) -> tuple[str, ...]:
    """The chat, by each id that the customer is known by; in a group everybody has a matter of their own."""
    if post.group_id:
        return (_room(value, GROUP + post.group_id),)
    return tuple(_room(value, one) for one in person.ids)


def _room(value: Value, person: str) -> str:
    return f"{value.metadata.phone_number_id}/{person}"
