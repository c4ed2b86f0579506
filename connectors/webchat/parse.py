"""What was sent → Messages. Who sent it and where it belongs stands in the raw's context, checked when it came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Role
from connectors.webchat.protocol import MESSAGE, TRANSCRIPT, Contact, Post, Speaker, Topic, Transcript, Turn, read

_ROLES: dict[Speaker, Role] = {"customer": Role.CUSTOMER, "agent": Role.COMPANY, "bot": Role.BOT}


def parse(raw: Raw) -> Sequence[Message]:
    """Raises BadMessage naming the field that does not fit."""
    if raw.media_type not in (MESSAGE, TRANSCRIPT):
        return (_file(raw),)
    try:
        if raw.media_type == MESSAGE:
            return (_message(raw, read(raw.body, Post)),)
        transcript = read(raw.body, Transcript)
    except ValueError as error:
        raise BadMessage(str(error)) from None
    return [_turn(raw, transcript, turn, place) for place, turn in enumerate(transcript.messages)]


def _message(raw: Raw, post: Post) -> Message:
    kind = Kind.WITHDRAWN if post.withdrawn else Kind.EDITED if raw.ordinal > 1 else Kind.SAID
    said = _digest(post.text)
    return Message(
        text=_clean(post.text),
        external_id=f"{_thread(raw)}:{post.id}",
        revision=said if raw.ordinal == 1 else f"{said}-{raw.ordinal}",
        kind=kind,
        thread=(_thread(raw),),
        author=_author(raw, post, post.role, post.contact.name),
        posted_at=post.said_at,
        order=_line(post.order),
        product=_line(post.product),
        language=_line(post.language),
    )


def _turn(raw: Raw, transcript: Transcript, turn: Turn, place: int) -> Message:
    """Known by its words: a transcript that has grown brings the earlier ones again, and they are no edits."""
    name = turn.name or (transcript.contact.name if turn.role == "customer" else "")
    return Message(
        text=_clean(turn.text),
        external_id=f"{_thread(raw)}:{turn.id}" if turn.id else f"{_thread(raw)}#{place}",
        revision=_digest(turn.text),
        thread=(_thread(raw),),
        author=_author(raw, transcript, turn.role, name),
        posted_at=turn.said_at,
        order=_line(transcript.order),
        product=_line(transcript.product),
        language=_line(transcript.language),
    )


def _file(raw: Raw) -> Message:
    facts = {name: str(value) for name, value in raw.context.items()}
    said_with = (f"{_thread(raw)}:{facts['message']}",) if facts.get("message") else ()
    file = Attachment(
        name=facts.get("name", ""),
        media_type=facts.get("media_type") or "application/octet-stream",
        size=len(raw.body),
        sha256=hashlib.sha256(raw.body).hexdigest(),
        content=raw.body,
    )
    author = _author(raw, Topic(), "customer", "")
    return Message(
        text="",
        external_id=raw.key,
        thread=(*said_with, _thread(raw)),
        author=author,
        posted_at=datetime.fromisoformat(facts["said_at"]) if facts.get("said_at") else None,
        attachments=(file,),
    )


def _author(raw: Raw, topic: Topic, speaker: Speaker, name: str) -> Author:
    if speaker != "customer":
        return Author(role=_ROLES[speaker], name=_line(name))
    contact: Contact = topic.contact
    return Author(
        id=str(raw.context.get("user") or raw.context.get("visitor", "")),
        name=_line(name),
        email=_line(contact.email).lower(),
        phone=_line(contact.phone),
    )


def _thread(raw: Raw) -> str:
    return str(raw.context.get("thread", ""))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\0", "").strip()


def _line(value: str) -> str:
    return " ".join(value.replace("\0", "").split())
