"""Raws on their way through parsing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import Any

from allears.journal.accepting import write_letter
from allears.journal.blobs import Blobs
from allears.journal.records import LetterKind, StoredRaw
from allears.journal.rows import known_moment, load
from allears.journal.turns import channels_of, interleaved, turned
from allears_sdk.message import Raw

MAX_ATTEMPTS = 3
_COLUMNS = (
    "id, channel, raw_key, ordinal, digest, media_type, received_at, thread, context, size, blob, body, attempts,"
    " state, reason"
)


def take(
    sql: sqlite3.Connection,
    limit: int,
    max_bytes: int,
    readable: Collection[str],
    leased: Collection[int],
    after: str,
    blobs: Blobs,
) -> list[StoredRaw]:
    """Waiting raws that nobody holds, one from each channel in turn, together at most `max_bytes`."""
    channels = [channel for channel in turned(_waiting_channels(sql), after) if channel in readable]
    share = -(-limit // max(1, len(channels)))
    queues = [_waiting(sql, channel, share, leased) for channel in channels]
    taken: list[StoredRaw] = []
    room = max_bytes
    for raw_id, size in islice(interleaved(queues), limit):
        if taken and room < size:
            break
        room -= size
        taken.append(_stored(sql.execute(f"SELECT {_COLUMNS} FROM raws WHERE id=?", (raw_id,)).fetchone(), blobs))
    return taken


def oldest_waiting(sql: sqlite3.Connection) -> float | None:
    """When the oldest waiting raw was stored: the first of each channel, since channels store in order."""
    query = "SELECT stored_at FROM raws WHERE state='waiting' AND channel=? ORDER BY id LIMIT 1"
    firsts = [sql.execute(query, (channel,)).fetchone()[0] for channel in _waiting_channels(sql)]
    return min(firsts, default=None)


def read_raw(sql: sqlite3.Connection, raw_id: int, blobs: Blobs) -> StoredRaw | None:
    """A raw with its body read in, whatever its size."""
    row = sql.execute(f"SELECT {_COLUMNS} FROM raws WHERE id=?", (raw_id,)).fetchone()
    if row is None:
        return None
    stored = _stored(row, blobs)
    if stored.body_file:
        stored = replace(stored, raw=replace(stored.raw, body=blobs.read(row[10])))
    return stored


def fail(sql: sqlite3.Connection, raw_id: int, reason: str, now: float, *, quarantine: bool) -> None:
    """Count an attempt; the last one makes a letter."""
    attempts = MAX_ATTEMPTS if quarantine else 1
    row = sql.execute(
        "UPDATE raws SET attempts = attempts + ?, reason = ? WHERE id=? AND state='waiting'"
        " RETURNING attempts, channel",
        (attempts, reason[:2000], raw_id),
    ).fetchone()
    if row and row[0] >= MAX_ATTEMPTS:
        sql.execute("UPDATE raws SET state='quarantined' WHERE id=?", (raw_id,))
        sql.execute("UPDATE channels SET quarantined = quarantined + 1 WHERE name=?", (row[1],))
        write_letter(
            sql, kind=LetterKind.RAW, place=row[1], reason=reason[:2000], at=now, raw_id=raw_id,
            identity=f"raw:{raw_id}",
        )  # fmt: skip


def _waiting_channels(sql: sqlite3.Connection) -> list[str]:
    return channels_of(sql, "raws", "state='waiting'")


def _waiting(sql: sqlite3.Connection, channel: str, share: int, leased: Collection[int]) -> list[tuple[int, int]]:
    rows = sql.execute(
        "SELECT id, size FROM raws WHERE state='waiting' AND channel=? ORDER BY id LIMIT ?",
        (channel, share + len(leased)),
    )
    return [row for row in rows if row[0] not in leased][:share]


def _stored(row: Any, blobs: Blobs) -> StoredRaw:
    raw = Raw(
        key=row[2], ordinal=row[3], digest=row[4], media_type=row[5], received_at=known_moment(row[6]), thread=row[7],
        context=load(row[8]), body=row[11] or b"", quarantine=row[14] if row[13] == "quarantined" else "",
        baseline=row[13] == "baseline",
    )  # fmt: skip
    body_file = str(blobs.path(row[10])) if row[10] else ""
    return StoredRaw(id=row[0], channel=row[1], raw=raw, attempts=row[12], body_file=body_file)
