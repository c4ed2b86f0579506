"""What was read and deserves no ticket: kept, counted, shown, and filed all the same when a person wants it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from allears.journal import bulk
from allears.journal.rows import known_moment
from allears_sdk import codec
from allears_sdk.complaint import Complaint, Provenance
from allears_sdk.message import Message, Role

_INTO = "INSERT INTO unfiled (conversation_id, channel, reference, nature, reason, title, customer, at) VALUES"
_UPDATING = (
    "ON CONFLICT (conversation_id) DO UPDATE SET nature=excluded.nature, reason=excluded.reason,"
    " title=excluded.title, customer=excluded.customer, at=excluded.at"
)
_UNWANTED = frozenset({"automatic", "spam", "praise", "other"})
_BY_ADMIN = Provenance(source="admin")
_WORDS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfiledRow:
    """A conversation without a complaint, in a list."""

    id: int
    reference: str
    channel: str
    nature: str
    reason: str
    """The sign by which a mail is automatic, or the words that told the nature."""
    title: str
    customer: str
    at: datetime
    raw_id: int | None = None
    """Of its first message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfiledCount:
    channel: str
    nature: str
    count: int


def row(conversation: int, channel: str, reference: str, record: Complaint, sign: str, at: float) -> tuple[object, ...]:
    """`sign`: why its first message is automatic, where it is."""
    why = record.provenance.get("nature")
    words = ", ".join(dict.fromkeys(one.words for one in why.evidence[:_WORDS_SHOWN])) if why else ""
    return (
        conversation, channel, reference, record.nature, (sign or words)[:500], record.title[:200],
        (record.customer.name or record.customer_id)[:200], at,
    )  # fmt: skip


def write(sql: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    bulk.write(sql, _INTO, _UPDATING, rows)


def forget(sql: sqlite3.Connection, conversation: int) -> None:
    """It is a complaint now."""
    sql.execute("DELETE FROM unfiled WHERE conversation_id=? AND wanted=0", (conversation,))


def is_wanted(sql: sqlite3.Connection, conversation: int) -> bool:
    query = "SELECT 1 FROM unfiled WHERE conversation_id=? AND wanted=1"
    return sql.execute(query, (conversation,)).fetchone() is not None


def as_wanted(record: Complaint) -> Complaint:
    """Its record when a person has said that it is a complaint."""
    if record.nature not in _UNWANTED:
        return record
    return replace(record, nature="complaint", provenance={**record.provenance, "nature": _BY_ADMIN})


def want(sql: sqlite3.Connection, reference: str, now: float) -> None:
    """File it all the same: its messages count as a person's from now on. Raises ValueError when it is not there."""
    found = sql.execute(
        "UPDATE unfiled SET wanted=1 WHERE reference=? AND wanted=0 RETURNING conversation_id", (reference,)
    ).fetchone()
    if found is None:
        raise ValueError(f"there is nothing unfiled under {reference}")
    _take_for_a_persons(sql, found[0])
    sql.execute(
        "UPDATE conversations SET due_at=?, attempts=0, version=version+1 WHERE id=?",
        (now, found[0]),
    )


def _take_for_a_persons(sql: sqlite3.Connection, conversation: int) -> None:
    rows = sql.execute("SELECT id, body FROM messages WHERE conversation_id=? AND counts=0", (conversation,)).fetchall()
    for message_id, body in rows:
        message = replace(codec.decode(body, Message), is_automatic=False)
        if message.author.role is Role.CUSTOMER:
            sql.execute("UPDATE messages SET body=?, counts=1 WHERE id=?", (codec.encode(message), message_id))


def listed(sql: sqlite3.Connection, channel: str, nature: str, limit: int, before: int | None) -> list[UnfiledRow]:
    """Newest conversations first."""
    rows = sql.execute(
        "SELECT conversation_id, reference, channel, nature, reason, title, customer, at, (SELECT raw_id"
        " FROM messages m WHERE m.conversation_id = unfiled.conversation_id ORDER BY m.id LIMIT 1)"
        " FROM unfiled WHERE wanted=0"
        " AND (?='' OR channel=?) AND (?='' OR nature=?) AND (? IS NULL OR conversation_id < ?)"
        " ORDER BY conversation_id DESC LIMIT ?",
        (channel, channel, nature, nature, before, before, limit),
    )
    return [_row(one) for one in rows]


def counts(sql: sqlite3.Connection) -> list[UnfiledCount]:
    query = "SELECT channel, nature, count(*) FROM unfiled WHERE wanted=0 GROUP BY channel, nature"
    return [UnfiledCount(channel=row[0], nature=row[1], count=row[2]) for row in sql.execute(query)]


def _row(row: Any) -> UnfiledRow:
    return UnfiledRow(
        id=row[0], reference=row[1], channel=row[2], nature=row[3], reason=row[4], title=row[5], customer=row[6],
        at=known_moment(row[7]), raw_id=row[8],
    )  # fmt: skip
