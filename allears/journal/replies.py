"""Answers to customers: one for each complaint, counted by address, written with the opening they answer."""

from __future__ import annotations

import sqlite3

from allears.journal.records import REPLIES, Reply
from allears_sdk.complaint import Event

DAY_SECONDS = 86_400.0
_MANY = "there were as many answers to this address as max_per_address_per_day permits"

_LINE = (
    "INSERT INTO lines (conversation_id, complaint_id, destination, answers) VALUES (?,?,?,?)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_DELIVERY = (
    "INSERT INTO deliveries (line_id, sequence, event_id, complaint_id, destination, channel, priority, state, head,"
    " reason, created_at, next_at, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_NTH = (
    "SELECT d.created_at FROM lines l JOIN deliveries d ON d.line_id = l.id WHERE l.answers=? AND l.answers > ''"
    " ORDER BY l.id DESC LIMIT 1 OFFSET ?"
)


def write(sql: sqlite3.Connection, reply: Reply, event: Event, conversation: int, channel: str, at: float) -> None:
    """One more than the limit is noted, with the reason, and never sent."""
    is_one_too_many = _is_too_many(sql, reply, at)
    answers = "" if is_one_too_many else reply.who
    made = sql.execute(_LINE, (conversation, event.complaint_id, reply.destination, answers)).fetchone()
    if made is None:
        return
    state, reason = ("discarded", _MANY) if is_one_too_many else ("pending", "")
    sql.execute(
        _DELIVERY,
        (
            made[0], event.sequence, event.id, event.complaint_id, reply.destination, channel,
            event.record.priority or "P3", state, int(not is_one_too_many), reason, at, at,
            None if is_one_too_many else reply.payload,
        ),
    )  # fmt: skip


def rename(sql: sqlite3.Connection, old: str, new: str) -> None:
    """The channel has another name now."""
    names = (REPLIES + new, REPLIES + old)
    sql.execute("DELETE FROM sent_counts WHERE destination=?", names[:1])
    for table in ("lines", "deliveries", "sent_counts"):
        sql.execute(f"UPDATE {table} SET destination=? WHERE destination=?", names)


def _is_too_many(sql: sqlite3.Connection, reply: Reply, at: float) -> bool:
    nth = sql.execute(_NTH, (reply.who, reply.max_per_day - 1)).fetchone()
    return nth is not None and nth[0] > at - DAY_SECONDS
