"""Reading for people: lists and one complaint with everything about it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from allears.journal import tickets
from allears.journal.links import related_of
from allears.journal.records import ComplaintFile, ComplaintRow, DeliveryRow, DeliveryState, MessageRow
from allears.journal.rows import known_moment, moment
from allears_sdk import codec
from allears_sdk.complaint import Event
from allears_sdk.message import Message
from allears_sdk.reference import normalise
from allears_sdk.sink import Ticket

_ROW = "id, title, channel, category, priority, nature, customer, opened_at, updated_at, events, state"
_DELIVERY = (
    "SELECT d.id, d.destination, d.complaint_id, d.event_id, e.kind, d.state, d.attempts, d.next_at, d.reason,"
    " l.ticket FROM deliveries d JOIN lines l ON l.id = d.line_id"
    " JOIN events e ON e.conversation_id = l.conversation_id AND e.sequence = d.sequence"
)


def complaints(
    sql: sqlite3.Connection, query: str, channel: str, priority: str, limit: int, offset: int
) -> tuple[list[ComplaintRow], int]:
    """Newest activity first; `query` is a reference or words of title, customer or number."""
    where, values = _filter(query, channel, priority)
    total = sql.execute(f"SELECT count(*) FROM complaints WHERE {where}", values).fetchone()[0]
    rows = sql.execute(
        f"SELECT {_ROW} FROM complaints WHERE {where} ORDER BY updated_at DESC, id LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return [_complaint(row) for row in rows], total


def complaint(sql: sqlite3.Connection, reference: str) -> ComplaintFile | None:
    row = sql.execute("SELECT id FROM conversations WHERE reference=?", (reference,)).fetchone()
    bodies = sql.execute("SELECT body FROM events WHERE conversation_id=? ORDER BY sequence", row or (None,))
    events = [codec.decode(body, Event) for (body,) in bodies]
    if row is None or not events:
        return None
    rows = sql.execute(f"{_DELIVERY} WHERE l.conversation_id=? ORDER BY d.id", row)
    sent = [_delivery(one) for one in rows]
    told = tickets.of_complaint(sql, row[0])
    handler = next((ticket.handler for ticket in told if ticket.handler), events[-1].record.handler)
    return ComplaintFile(
        record=replace(events[-1].record, handler=handler),
        events=events,
        messages=_messages(sql, row[0]),
        deliveries=sent,
        related=related_of(sql, row[0]),
        tickets=told,
    )


def deliveries(sql: sqlite3.Connection, destination: str, state: DeliveryState | None, limit: int) -> list[DeliveryRow]:
    wanted = state.value if state else ""
    rows = sql.execute(
        f"{_DELIVERY} WHERE (?='' OR d.destination=?) AND (?='' OR d.state=?) ORDER BY d.id DESC LIMIT ?",
        (destination, destination, wanted, wanted, limit),
    )
    return [_delivery(row) for row in rows]


def _filter(query: str, channel: str, priority: str) -> tuple[str, list[Any]]:
    parts, values = ["1=1"], []
    if query:
        words = f"%{query.replace('%', '').replace('_', ' ')}%"
        parts.append("(id = ? OR title LIKE ? OR customer LIKE ? OR id LIKE ?)")
        values += [normalise(query) or query, words, words, words.upper()]
    for column, value in (("channel", channel), ("priority", priority)):
        if value:
            parts.append(f"{column} = ?")
            values.append(value)
    return " AND ".join(parts), values


def _messages(sql: sqlite3.Connection, conversation: int) -> list[MessageRow]:
    rows = sql.execute(
        "SELECT body, raw_id, received_at FROM messages WHERE conversation_id=?"
        " ORDER BY coalesce(posted_at, received_at), id",
        (conversation,),
    )
    return [
        MessageRow(message=codec.decode(row[0], Message), raw_id=row[1], received_at=known_moment(row[2]))
        for row in rows
    ]


def _complaint(row: Any) -> ComplaintRow:
    return ComplaintRow(
        id=row[0], title=row[1], channel=row[2], category=row[3], priority=row[4], nature=row[5], customer=row[6],
        opened_at=known_moment(row[7]), updated_at=known_moment(row[8]), events=row[9], state=row[10],
    )  # fmt: skip


def _delivery(row: Any) -> DeliveryRow:
    ticket = codec.decode(row[9], Ticket) if row[9] else Ticket(id="")
    return DeliveryRow(
        id=row[0], destination=row[1], complaint_id=row[2], event_id=row[3], event_kind=row[4],
        state=DeliveryState(row[5]), attempts=row[6], next_at=moment(row[7]), reason=row[8], ticket_id=ticket.id,
        ticket_url=ticket.url,
    )  # fmt: skip
