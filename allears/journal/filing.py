"""Filing: the event, the record as it was then, and one delivery for every destination of the complaint."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from allears.journal import conversations
from allears.journal.conversations import Row
from allears.journal.records import DueConversation, Route, Router
from allears.journal.rows import known_moment, stamp
from allears_sdk import codec
from allears_sdk.complaint import Complaint, Event, EventKind
from allears_sdk.message import Kind
from allears_sdk.reference import event_id
from normalizer.conversation import Draft, Heard
from normalizer.derive import changes

Before = float
"""What was said before this time (the journal's birth or restoration) may be in the ticket stores already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """What is being filed, and when."""

    conversation: int
    channel: str
    at: float
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A message no event has carried yet."""

    id: int
    external_id: str
    revision: str
    kind: str
    said_at: float
    counts: bool


def file_first(sql: sqlite3.Connection, row: Row, heard: Heard, draft: Draft, router: Router, before: Before) -> None:
    """File a conversation of one message with the record its worker made, without deriving again."""
    record = replace(
        draft.record, id=row.reference, related=tuple(row.related), received_at=known_moment(row.opened_at)
    )
    matter = _Matter(conversation=row.id, channel=row.channel, at=stamp(heard.received_at), before=before)
    _file(sql, matter, replace(draft, record=record), router, settles=False)


def file_due(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    draft: Draft,
    router: Router,
    before: Before,
    now: float,
    *,
    settles: bool,
) -> bool:
    """File a derived record if the conversation still stands as it was read."""
    row = sql.execute("SELECT version FROM conversations WHERE id=?", (conversation.id,)).fetchone()
    if row is None or row[0] != conversation.version:
        return False
    conversations.clear_timer(sql, conversation.id)
    matter = _Matter(conversation=conversation.id, channel=conversation.channel, at=now, before=before)
    _file(sql, matter, draft, router, settles=settles)
    return True


def _file(sql: sqlite3.Connection, matter: _Matter, draft: Draft, router: Router, *, settles: bool) -> None:
    latest = latest_event(sql, matter.conversation)
    fresh = _new_messages(sql, matter.conversation)
    if latest is None and not draft.files:
        return
    if latest is not None and not any(message.counts for message in fresh):
        return
    route = router(draft.record)
    for messages in [fresh] if settles else _one_by_one(fresh):
        record = _routed(draft.record, latest.record if latest else None, route)
        latest = _event(record, latest, messages, matter.at)
        _write(sql, matter, latest, messages)
        said_at = min((message.said_at for message in messages), default=matter.at)
        _deliver(sql, latest, matter.channel, route, matter.at, doubtful=said_at < matter.before)


def _one_by_one(fresh: Sequence[_New]) -> list[list[_New]]:
    """An event for each message that counts, so that reading them again after a restore, in whatever groups,
    gives the same events; what does not count goes with the next that does, or with the last."""
    groups: list[list[_New]] = [[]]
    for message in fresh:
        groups[-1].append(message)
        if message.counts:
            groups.append([])
    tail = groups.pop()
    if not groups:
        return [tail]
    groups[-1].extend(tail)
    return groups


def latest_event(sql: sqlite3.Connection, conversation: int) -> Event | None:
    """The newest event of a conversation's complaint, None while it has not been filed."""
    row = sql.execute(
        "SELECT e.body FROM complaints c JOIN events e ON e.complaint_id = c.id AND e.sequence = c.events"
        " WHERE c.conversation_id=?",
        (conversation,),
    ).fetchone()
    return codec.decode(row[0], Event) if row else None


def _new_messages(sql: sqlite3.Connection, conversation: int) -> list[_New]:
    rows = sql.execute(
        "SELECT id, external_id, revision, kind, coalesce(posted_at, received_at), counts FROM messages"
        " WHERE conversation_id=? AND event_id IS NULL ORDER BY coalesce(posted_at, received_at), id",
        (conversation,),
    )
    return [
        _New(id=row[0], external_id=row[1], revision=row[2], kind=row[3], said_at=row[4], counts=bool(row[5]))
        for row in rows
    ]


def _routed(record: Complaint, previous: Complaint | None, route: Route) -> Complaint:
    """Routing is decided at the opening and kept."""
    if previous is not None:
        return replace(record, team=previous.team, assignee=previous.assignee, handler=previous.handler)
    return replace(
        record, team=route.team, assignee=route.assignee, handler=record.handler or route.assignee or route.team
    )


def _event(record: Complaint, latest: Event | None, fresh: Sequence[_New], at: float) -> Event:
    sequence = latest.sequence + 1 if latest else 1
    newest = next((message for message in reversed(fresh) if message.counts), fresh[-1] if fresh else None)
    key = f"{newest.external_id}\n{newest.revision}" if newest else f"sequence {sequence}"
    return Event(
        id=event_id(record.id, key),
        complaint_id=record.id,
        sequence=sequence,
        kind=_kind(latest, fresh),
        at=known_moment(at),
        record=record,
        messages=tuple(dict.fromkeys(message.external_id for message in fresh)),
        changes=changes(latest.record, record) if latest else {},
    )


def _kind(latest: Event | None, fresh: Sequence[_New]) -> EventKind:
    if latest is None:
        return EventKind.OPENED
    kinds = {message.kind for message in fresh if message.counts}
    if kinds == {Kind.WITHDRAWN.value}:
        return EventKind.WITHDRAWN
    return EventKind.EDITED if kinds == {Kind.EDITED.value} else EventKind.FOLLOWED_UP


def _write(sql: sqlite3.Connection, matter: _Matter, event: Event, messages: Sequence[_New]) -> None:
    record = event.record
    sql.execute(
        "INSERT INTO events (id, complaint_id, sequence, kind, at, body) VALUES (?,?,?,?,?,?)",
        (event.id, event.complaint_id, event.sequence, event.kind.value, matter.at, codec.encode(event)),
    )
    sql.execute(
        "INSERT INTO complaints (id, conversation_id, channel, title, nature, category, priority, customer, opened_at,"
        " updated_at, events) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
        " title=excluded.title, nature=excluded.nature, category=excluded.category, priority=excluded.priority,"
        " customer=excluded.customer, updated_at=excluded.updated_at, events=excluded.events",
        (
            record.id, matter.conversation, matter.channel, record.title, record.nature, record.category,
            record.priority, record.customer.name or record.customer_id, stamp(record.received_at), matter.at,
            event.sequence,
        ),
    )  # fmt: skip
    sql.executemany("UPDATE messages SET event_id=? WHERE id=?", [(event.id, message.id) for message in messages])


def _deliver(sql: sqlite3.Connection, event: Event, channel: str, route: Route, at: float, *, doubtful: bool) -> None:
    """A delivery on every line the complaint has, and on a new line for each destination matched just now."""
    lines: dict[str, int] = {}
    if event.sequence > 1:
        query = "SELECT destination, id FROM lines WHERE complaint_id=?"
        lines = dict(sql.execute(query, (event.complaint_id,)).fetchall())
    for destination in route.destinations:
        if not destination.is_view and destination.name not in lines:
            made = sql.execute(
                "INSERT INTO lines (complaint_id, destination) VALUES (?,?)", (event.complaint_id, destination.name)
            )
            assert made.lastrowid is not None
            lines[destination.name] = made.lastrowid
    for name, line in lines.items():
        _insert_delivery(sql, event, channel, name, line, at, doubtful=doubtful)


def _insert_delivery(
    sql: sqlite3.Connection, event: Event, channel: str, destination: str, line: int, at: float, *, doubtful: bool
) -> None:
    waits: Any = None
    if event.sequence > 1:
        query = "SELECT 1 FROM deliveries WHERE line_id=? AND state NOT IN ('sent','discarded') LIMIT 1"
        waits = sql.execute(query, (line,)).fetchone()
    sql.execute(
        "INSERT INTO deliveries (line_id, event_id, complaint_id, destination, channel, priority, state, head,"
        " doubtful, created_at, next_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (
            line, event.id, event.complaint_id, destination, channel, event.record.priority or "P3",
            "doubt" if doubtful else "pending", int(waits is None), int(doubtful), at, at,
        ),
    )  # fmt: skip
