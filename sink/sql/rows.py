"""An event as rows: pure, and the same bytes for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Complaint, Event, EventKind, Said, told_by
from allears_sdk.errors import Rejected
from allears_sdk.sink import marks_of
from allears_sdk.tickets.facts import Fact, facts_of
from allears_sdk.tickets.settings import chosen
from sink.sql.layout import ENTRY_KEY
from sink.sql.settings import SqlSettings

Value = str | int | float | bool | None
Instant = Callable[[datetime], str]
"""How a database writes an instant."""

MAX_TEXT_CHARS = 1_000_000
MAX_RECORD_BYTES = 2 << 20
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen."""

    ticket_key: str
    row: dict[str, Value]
    """Column → value of the complaint as it is now, without its key."""
    first: dict[str, Value]
    """What a new row has beside these."""
    entries: list[dict[str, Value]]
    """Rows of the child table, one for each thing told."""


def render_rows(event: Event, key: str, settings: SqlSettings, instant: Instant) -> bytes:
    """`key` is the event's own, also of the one that opens: the ticket's key with an end of its own."""
    cut = _cut(event.record)
    facts: dict[str, Fact] = {**facts_of(cut), "record": _record(cut, is_cut=cut is not event.record)}
    if settings.is_mapped:
        row = {column: _mapped(settings, fact, facts[fact], instant) for fact, column in settings.fields.items()}
        first: dict[str, Value] = {}
    else:
        row = {fact: _mapped(settings, fact, value, instant) for fact, value in facts.items()}
        row |= {"events": event.sequence, "last_event": event.kind.value, "updated_at": instant(event.at)}
        first = {"opened_at": instant(event.at)}
    ticket = key.rpartition("-")[0]
    constants: dict[str, Any] = dict(settings.constants)
    entries = list(_entries(event, key, instant))
    return _json(Rows(ticket_key=ticket, row=row, first={**first, **constants}, entries=entries))


def read_rows(payload: bytes) -> Rows:
    """Raises Rejected for what `render_rows` did not make."""
    try:
        return decode(payload, Rows)
    except ValueError as error:
        raise Rejected(f"the frozen payload cannot be read: {error}") from None


def _entries(event: Event, key: str, instant: Instant) -> Iterable[dict[str, Value]]:
    """One for each message that counts; one for an event without any."""
    said = {one.id: one for one in event.record.conversation}
    changes = _json(event.changes).decode() if event.changes else None
    marks = marks_of(event, key, is_stream=True)
    for number, (told, mark) in enumerate(zip(told_by(event), marks, strict=True)):
        messages = [event.keys[told]] if told in event.keys else event.messages
        told_here = [said[message] for message in messages if message in said]
        yield {
            ENTRY_KEY: mark,
            "complaint_id": event.complaint_id,
            "sequence": event.sequence,
            "kind": event.kind.value,
            "at": instant(event.at),
            **_words(told_here, event.record, is_opening=event.kind is EventKind.OPENED),
            "changes": changes if number == 0 else None,
        }


def _words(said: list[Said], record: Complaint, *, is_opening: bool) -> dict[str, Value]:
    """Where no message tells it, an opening is what its description says."""
    text = "\n\n".join(one.text for one in said) or (record.description if is_opening else "")
    author = ", ".join(dict.fromkeys(one.author for one in said if one.author))
    return {"author": author or None, "text": _shortened(text) or None}


def _mapped(settings: SqlSettings, fact: str, value: Fact, instant: Instant) -> Value:
    """As `values` says; what is empty is NULL."""
    values = settings.values.get(fact, {})
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, tuple):
        return ", ".join(str(chosen(values, one)) for one in value) or None
    made = chosen(values, value) if isinstance(value, str) else value
    return None if made == "" else made


def _cut(record: Complaint) -> Complaint:
    """Without what no row should hold; the same object where nothing is too long."""
    texts = [record.title, record.description, *(said.text for said in record.conversation)]
    if all(len(text) <= MAX_TEXT_CHARS for text in texts):
        return record
    said = tuple(replace(one, text=_shortened(one.text)) for one in record.conversation)
    return replace(
        record, title=_shortened(record.title), description=_shortened(record.description), conversation=said
    )


def _record(record: Complaint, *, is_cut: bool) -> str:
    """The whole record as JSON; one that is too large loses its conversation, which the child table has."""
    whole = _json(record)
    if len(whole) > MAX_RECORD_BYTES:
        bare = replace(record, conversation=(), provenance={}, description=record.description[:1000])
        return _with_shortened(bare, ["conversation", "provenance", "description"])
    return _with_shortened(record, ["text"]) if is_cut else whole.decode()


def _with_shortened(record: Complaint, what: list[str]) -> str:
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return _json({**plain, "shortened": what}).decode()


def _json(value: Any) -> bytes:
    """Without NUL, which PostgreSQL holds nowhere, within JSON neither."""
    return _NUL.sub(rb"\1\\ufffd", encode(value))


def _shortened(text: str) -> str:
    """Says so where it ends."""
    left = len(text) - MAX_TEXT_CHARS
    return text if left <= 0 else f"{text[:MAX_TEXT_CHARS]}… [+{left}]"
