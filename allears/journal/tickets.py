"""What the ticket stores tell: where each ticket stands, who handles it, when it was answered and solved."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from allears.journal.records import TicketRow
from allears.journal.rows import known_moment, moment, stamp
from allears_sdk import codec
from allears_sdk.sink import Ticket, TicketChange, TicketStatus

_DONE = frozenset({TicketStatus.SOLVED, TicketStatus.CLOSED})
_LINE = "SELECT id FROM lines WHERE destination=? AND ticket IS NOT NULL AND json_extract(ticket, '$.id')=?"
_COLUMNS = "status, store_status, handler, changed_at, answered_at, solved_at"
_ROWS = (
    "SELECT l.destination, l.ticket, s.status, s.store_status, s.handler, s.changed_at, s.answered_at, s.solved_at"
    " FROM lines l JOIN ticket_states s ON s.line_id = l.id WHERE l.conversation_id=? ORDER BY l.id"
)


def note(sql: sqlite3.Connection, destination: str, changes: Sequence[TicketChange]) -> int:
    """How many were of tickets of ours. What comes late changes nothing but the first answer's time."""
    return sum(_note(sql, destination, change) for change in changes)


def _note(sql: sqlite3.Connection, destination: str, change: TicketChange) -> bool:
    line = sql.execute(_LINE, (destination, change.ticket)).fetchone()
    if line is None:
        return False
    known = sql.execute(f"SELECT {_COLUMNS} FROM ticket_states WHERE line_id=?", line).fetchone()
    row = _changed(known or ("", "", "", 0.0, None, None), change)
    sql.execute(
        f"INSERT INTO ticket_states (line_id, {_COLUMNS}) VALUES (?,?,?,?,?,?,?) ON CONFLICT (line_id) DO UPDATE SET"
        " status=excluded.status, store_status=excluded.store_status, handler=excluded.handler,"
        " changed_at=excluded.changed_at, answered_at=excluded.answered_at, solved_at=excluded.solved_at",
        (*line, *row),
    )
    return True


def _changed(known: Sequence[Any], change: TicketChange) -> Sequence[Any]:
    status, store_status, handler, changed_at, answered_at, solved_at = known
    at = stamp(change.at)
    if change.answered:
        answered_at = at if answered_at is None else min(answered_at, at)
    if at < changed_at:
        return status, store_status, handler, changed_at, answered_at, solved_at
    if change.status is not None:
        is_done, was_done = change.status in _DONE, status in _DONE
        solved_at = (solved_at if was_done else at) if is_done else None
        status, store_status = change.status.value, change.store_status[:200]
    handler = handler if change.handler is None else change.handler[:200]
    return status, store_status, handler, at, answered_at, solved_at


def of_complaint(sql: sqlite3.Connection, conversation: int) -> list[TicketRow]:
    """Of each destination whose store has told something."""
    return [_row(row) for row in sql.execute(_ROWS, (conversation,))]


def _row(row: Any) -> TicketRow:
    ticket = codec.decode(row[1], Ticket) if row[1] else Ticket(id="")
    return TicketRow(
        destination=row[0], ticket_id=ticket.id, ticket_url=ticket.url, status=row[2], store_status=row[3],
        handler=row[4], changed_at=known_moment(row[5]), answered_at=moment(row[6]), solved_at=moment(row[7]),
    )  # fmt: skip
