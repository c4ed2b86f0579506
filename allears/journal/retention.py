"""Contents are thrown away for their age, a few rows at a time; what was filed, and the keys, stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import takewhile

import msgspec

from allears.journal import bulk
from allears.journal.rows import moment

DAY_SECONDS = 86_400.0
ORIGINALS, PAYLOADS, FILES = "originals", "payloads", "files"
KINDS = (ORIGINALS, PAYLOADS, FILES)
_LOOKED_AT = 100
"""Rows in one step."""
_MOST_BYTES = 1 << 20
"""Erased in one step: what is overwritten is written to disk."""
_LOOK = (
    "INSERT INTO retained VALUES (?,?,?,?) ON CONFLICT (name, id) DO UPDATE SET needed_at=excluded.needed_at,"
    " look_at=excluded.look_at"
)


class Keep(msgspec.Struct, frozen=True):
    """For how long, in seconds; none: for ever."""

    originals: float | None
    payloads: float | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How far one kind has come."""

    name: str
    erased: int
    """Ever."""
    waiting: int
    """Old enough, but still needed, or needed not long ago."""
    at: datetime | None = None
    """When it was last up to date."""


class _Fact(msgspec.Struct, frozen=True):
    """Of a row that still holds something."""

    size: int
    is_needed: bool
    last_needed: float


class Verdict(msgspec.Struct, frozen=True):
    """What one look has found: rows to erase, and when to look at the others again: (id, needed_at, look_at)."""

    name: str
    erase: Sequence[int]
    again: Sequence[tuple[int, float, float]]
    done: Sequence[int]
    """No longer to be looked at."""
    position: int
    """Rows up to this one were looked at."""


def judge(sql: sqlite3.Connection, name: str, keep: Keep, now: float) -> Verdict | None:
    """Look at some rows; None when there is none to look at just now."""
    seconds = keep.originals if name == ORIGINALS else keep.payloads
    if seconds is None:
        return None
    rows, position = _due(sql, name, seconds, now)
    if not rows:
        return None
    erase: list[int] = []
    again: list[tuple[int, float, float]] = []
    room = _MOST_BYTES
    for row, needed_at in rows:
        fact = _FACTS[name](sql, row)
        if fact is None:
            continue
        until = max(needed_at, fact.last_needed) + seconds
        if fact.is_needed:
            again.append((row, now, now + DAY_SECONDS))
        elif until > now or room <= 0:
            again.append((row, needed_at, max(until, now)))
        else:
            erase.append(row)
            room -= fact.size
    held = {row for row, _, _ in again}
    return Verdict(name, erase, again, [row for row, _ in rows if row not in held], position)


def carry_out(sql: sqlite3.Connection, verdict: Verdict) -> None:
    """What is done stays done: nothing that happened since it was judged makes a difference."""
    _ERASE[verdict.name](sql, verdict.erase)
    bulk.update(sql, "DELETE FROM retained WHERE name=? AND id IN", "", verdict.done, verdict.name)
    sql.executemany(_LOOK, [(verdict.name, *one) for one in verdict.again])
    _note(sql, verdict.name, verdict.position, len(verdict.erase), None)


def note_done(sql: sqlite3.Connection, name: str, erased: int, now: float) -> None:
    """It is up to date, for now."""
    _note(sql, name, 0, erased, now)


def standing(sql: sqlite3.Connection) -> list[Kept]:
    waiting = dict(sql.execute("SELECT name, count(*) FROM retained GROUP BY name").fetchall())
    found = {name: (erased, at) for name, erased, at in sql.execute("SELECT name, erased, at FROM retention")}
    return [
        Kept(name=name, erased=erased, waiting=waiting.get(name, 0), at=moment(at))
        for name, (erased, at) in ((name, found.get(name, (0, None))) for name in KINDS)
    ]


def _note(sql: sqlite3.Connection, name: str, position: int, erased: int, at: float | None) -> None:
    sql.execute(
        "INSERT INTO retention (name, position, erased, at) VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE SET"
        " position=max(position, excluded.position), erased=erased + excluded.erased, at=coalesce(excluded.at, at)",
        (name, position, erased, at),
    )


def _due(sql: sqlite3.Connection, name: str, seconds: float, now: float) -> tuple[list[tuple[int, float]], int]:
    """What is to be looked at again, else rows not seen yet, each with when it was last seen to be needed; and how far
    that goes."""
    query = "SELECT id, needed_at FROM retained WHERE name=? AND look_at <= ? ORDER BY look_at LIMIT ?"
    again = sql.execute(query, (name, now, _LOOKED_AT)).fetchall()
    if again:
        return again, 0
    row = sql.execute("SELECT position FROM retention WHERE name=?", (name,)).fetchone()
    rows = sql.execute(_UNSEEN[name], (row[0] if row else 0, _LOOKED_AT))
    old = list(takewhile(lambda one: one[1] <= now - seconds, rows))
    return [(number, 0.0) for number, _ in old], old[-1][0] if old else 0


_UNSEEN = {
    ORIGINALS: "SELECT id, stored_at FROM raws WHERE id > ? ORDER BY id LIMIT ?",
    PAYLOADS: "SELECT id, created_at FROM deliveries WHERE id > ? ORDER BY id LIMIT ?",
}


def _original(sql: sqlite3.Connection, raw: int) -> _Fact | None:
    row = sql.execute(
        "SELECT coalesce(length(body), 0), state, stored_at FROM raws"
        " WHERE id=? AND (body IS NOT NULL OR blob IS NOT NULL)",
        (raw,),
    ).fetchone()
    if row is None:
        return None
    query = "SELECT DISTINCT conversation_id FROM messages WHERE raw_id=?"
    conversations = [one for (one,) in sql.execute(query, (raw,))]
    is_needed = (
        row[1] in ("waiting", "quarantined")
        or _is_letter_open(sql, f"raw:{raw}")
        or any(_is_unfinished(sql, one) for one in conversations)
    )
    return _Fact(row[0], is_needed, max((_last_needed(sql, one) for one in conversations), default=row[2]))


def _is_unfinished(sql: sqlite3.Connection, conversation: int) -> bool:
    """Whether its record may be derived again, or something of it is still to be delivered."""
    row = sql.execute(
        "SELECT due_at IS NOT NULL OR EXISTS (SELECT 1 FROM fetches WHERE conversation_id=c.id AND state='waiting')"
        " OR EXISTS (SELECT 1 FROM lines l JOIN deliveries d ON d.line_id = l.id WHERE l.conversation_id=c.id"
        " AND d.state NOT IN ('sent','discarded')) FROM conversations c WHERE c.id=?",
        (conversation,),
    ).fetchone()
    return bool(row and row[0]) or _is_letter_open(sql, f"conversation:{conversation}")


def _is_letter_open(sql: sqlite3.Connection, identity: str) -> bool:
    query = "SELECT 1 FROM letters WHERE identity=? AND state='open'"
    return sql.execute(query, (identity,)).fetchone() is not None


def _last_needed(sql: sqlite3.Connection, conversation: int) -> float:
    row = sql.execute(
        "SELECT max(c.last_at, coalesce((SELECT max(d.sent_at) FROM lines l JOIN deliveries d ON d.line_id = l.id"
        " WHERE l.conversation_id=c.id), 0)) FROM conversations c WHERE c.id=?",
        (conversation,),
    ).fetchone()
    return float(row[0]) if row else 0.0


def _payload(sql: sqlite3.Connection, delivery: int) -> _Fact | None:
    query = "SELECT payload IS NULL AND progress='{}', length(payload), state, coalesce(sent_at, created_at)"
    row = sql.execute(f"{query} FROM deliveries WHERE id=?", (delivery,)).fetchone()
    if row is None or (row[0] and row[2] in _FINISHED):
        return None
    return _Fact(row[1] or 0, row[2] not in _FINISHED, row[3])


def _erase_originals(sql: sqlite3.Connection, raws: Sequence[int]) -> None:
    """With the files that were fetched for their messages; the files themselves go when they are found unnamed."""
    bulk.update(sql, "UPDATE raws SET body=NULL, blob=NULL, context='{}' WHERE id IN", "", raws)
    messages = [one for (one,) in bulk.select(sql, "SELECT id FROM messages WHERE raw_id IN", raws)]
    bulk.update(sql, "DELETE FROM fetches WHERE state != 'waiting' AND message_id IN", "", messages)


def _erase_payloads(sql: sqlite3.Connection, deliveries: Sequence[int]) -> None:
    bulk.update(sql, "UPDATE deliveries SET payload=NULL, progress='{}' WHERE id IN", "", deliveries)


_FINISHED = ("sent", "discarded")
_FACTS: dict[str, Callable[[sqlite3.Connection, int], _Fact | None]] = {ORIGINALS: _original, PAYLOADS: _payload}
_ERASE: dict[str, Callable[[sqlite3.Connection, Sequence[int]], None]] = {
    ORIGINALS: _erase_originals,
    PAYLOADS: _erase_payloads,
}
