"""Letters: what needs a person. Replay and discard; nothing is thrown away."""

from __future__ import annotations

import sqlite3
from typing import Any

from allears.journal import deliveries
from allears.journal.records import Letter, LetterKind
from allears.journal.rows import known_moment, load

_COLUMNS = "id, kind, place, reason, detail, at, state, raw_id, delivery_id, complaint_id, locator"


def listed(sql: sqlite3.Connection, state: str, limit: int, before: int | None) -> list[Letter]:
    """Newest first; `state` "" means all."""
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM letters WHERE (?='' OR state=?) AND (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?",
        (state, state, before, before, limit),
    )
    return [_letter(row) for row in rows]


def one(sql: sqlite3.Connection, letter_id: int) -> Letter | None:
    row = sql.execute(f"SELECT {_COLUMNS} FROM letters WHERE id=?", (letter_id,)).fetchone()
    return _letter(row) if row else None


def replay(sql: sqlite3.Connection, letter_id: int, now: float) -> None:
    """Raises ValueError when there is nothing to try again."""
    letter = _open_letter(sql, letter_id)
    if letter.kind is LetterKind.RAW and letter.complaint_id:
        sql.execute("UPDATE conversations SET due_at=?, attempts=0 WHERE reference=?", (now, letter.complaint_id))
    elif letter.kind is LetterKind.RAW:
        sql.execute("UPDATE raws SET state='waiting', attempts=0 WHERE id=?", (letter.raw_id,))
    elif letter.kind is LetterKind.DELIVERY:
        assert letter.delivery_id is not None
        deliveries.replay(sql, letter.delivery_id, now)
    else:
        raise ValueError(
            f"letter {letter_id} names something the source never handed over: fetch it by hand, then discard it"
        )
    sql.execute("UPDATE letters SET state='replayed' WHERE id=?", (letter_id,))


def discard(sql: sqlite3.Connection, letter_id: int) -> None:
    letter = _open_letter(sql, letter_id)
    if letter.kind is LetterKind.RAW and not letter.complaint_id:
        sql.execute("UPDATE raws SET state='discarded' WHERE id=?", (letter.raw_id,))
    elif letter.kind is LetterKind.DELIVERY:
        assert letter.delivery_id is not None
        deliveries.discard(sql, letter.delivery_id)
    sql.execute("UPDATE letters SET state='discarded' WHERE id=?", (letter_id,))


def _open_letter(sql: sqlite3.Connection, letter_id: int) -> Letter:
    letter = one(sql, letter_id)
    if letter is None:
        raise ValueError(f"there is no letter {letter_id}")
    if letter.state != "open":
        raise ValueError(f"letter {letter_id} was {letter.state} already")
    return letter


def _letter(row: Any) -> Letter:
    return Letter(
        id=row[0], kind=LetterKind(row[1]), place=row[2], reason=row[3], detail=row[4], at=known_moment(row[5]),
        state=row[6], raw_id=row[7], delivery_id=row[8], complaint_id=row[9], locator=load(row[10]),
    )  # fmt: skip
