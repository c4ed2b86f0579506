"""Accepting: raws, the cursor that is true once they are stored, and the references their answers carry."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from allears.journal import conversations
from allears.journal.records import Deposit, LetterKind, RawState
from allears.journal.rows import dump, stamp
from allears_sdk.connector import Accepted, Gap, Missing
from allears_sdk.message import Raw

MAX_ROW_BODY = 64 * 1024
"""Bodies up to this many bytes lie in their row."""

_INSERT = (
    "INSERT INTO raws (channel, raw_key, ordinal, digest, state, reason, media_type, received_at, thread, context,"
    " size, blob, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
)
_NEWEST = (
    "SELECT ordinal, digest, conversation_id FROM raws WHERE channel=? AND raw_key=? ORDER BY ordinal DESC LIMIT 1"
)


def accept(sql: sqlite3.Connection, deposit: Deposit, blobs: Mapping[int, str], now: float) -> list[Accepted]:
    """Store a deposit. `blobs` names the stored body of each raw (by position) too large for its row."""
    accepted = [_accept_one(sql, deposit, raw, blobs.get(index)) for index, raw in enumerate(deposit.raws)]
    if deposit.cursor is not None:
        sql.execute(
            "INSERT INTO cursors (channel, stream, value) VALUES (?,?,?)"
            " ON CONFLICT (channel, stream) DO UPDATE SET value = excluded.value",
            (deposit.channel, deposit.stream, dump(deposit.cursor)),
        )
    for missing in deposit.missing:
        _note_missing(sql, deposit, missing, now)
    for gap in deposit.gaps:
        _note_gap(sql, deposit, gap)
    if deposit.raws:
        _count(sql, deposit, accepted)
    return accepted


def known(sql: sqlite3.Connection, channel: str, keys: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        query = f"SELECT raw_key FROM raws WHERE channel=? AND raw_key IN ({marks})"
        found.update(row[0] for row in sql.execute(query, (channel, *part)))
    return frozenset(found)


def _accept_one(sql: sqlite3.Connection, deposit: Deposit, raw: Raw, blob: str | None) -> Accepted:
    raw_id = _insert(sql, deposit.channel, raw, 1, blob)
    if raw_id is None:
        return _accept_known(sql, deposit, raw, blob)
    return _answerable(sql, deposit, raw, raw_id)


def _accept_known(sql: sqlite3.Connection, deposit: Deposit, raw: Raw, blob: str | None) -> Accepted:
    ordinal, digest, conversation = sql.execute(_NEWEST, (deposit.channel, raw.key)).fetchone()
    if raw.digest and raw.digest != digest:
        raw_id = _insert(sql, deposit.channel, raw, ordinal + 1, blob)
        assert raw_id is not None, "one writer: nobody took the ordinal"
        return _answerable(sql, deposit, raw, raw_id)
    reference = conversations.reference_of(sql, conversation) if conversation else ""
    return Accepted(key=raw.key, is_new=False, reference=reference)


def _answerable(sql: sqlite3.Connection, deposit: Deposit, raw: Raw, raw_id: int) -> Accepted:
    if raw.quarantine:
        write_letter(
            sql, kind=LetterKind.RAW, place=deposit.channel, reason=raw.quarantine, at=stamp(raw.received_at),
            raw_id=raw_id, identity=f"raw:{raw_id}",
        )  # fmt: skip
    if not raw.thread or raw.baseline:
        return Accepted(key=raw.key, is_new=True)
    conversation, reference, opened = conversations.for_thread(
        sql, deposit.channel, raw.thread, raw.key, stamp(raw.received_at), deposit.policy
    )
    sql.execute("UPDATE raws SET conversation_id=? WHERE id=?", (conversation, raw_id))
    return Accepted(key=raw.key, is_new=True, reference=reference, opened=opened)


def _insert(sql: sqlite3.Connection, channel: str, raw: Raw, ordinal: int, blob: str | None) -> int | None:
    state = RawState.BASELINE if raw.baseline else RawState.QUARANTINED if raw.quarantine else RawState.WAITING
    context = dump(raw.context) if raw.context else "{}"
    row = sql.execute(
        _INSERT,
        (
            channel, raw.key, ordinal, raw.digest, state.value, raw.quarantine, raw.media_type,
            stamp(raw.received_at), raw.thread, context, len(raw.body), blob, None if blob else raw.body,
        ),
    )  # fmt: skip
    return row.lastrowid if row.rowcount == 1 else None


def _count(sql: sqlite3.Connection, deposit: Deposit, accepted: list[Accepted]) -> None:
    stored = sum(one.is_new for one in accepted)
    quarantined = sum(one.is_new and bool(raw.quarantine) for one, raw in zip(accepted, deposit.raws, strict=True))
    at = max(stamp(raw.received_at) for raw in deposit.raws)
    sql.execute(
        "INSERT INTO channels (name, seen, stored, duplicate, quarantined, last_item_at) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (name) DO UPDATE SET seen = seen + excluded.seen, stored = stored + excluded.stored,"
        " duplicate = duplicate + excluded.duplicate, quarantined = quarantined + excluded.quarantined,"
        " last_item_at = excluded.last_item_at",
        (deposit.channel, len(accepted), stored, len(accepted) - stored, quarantined, at),
    )


def _note_missing(sql: sqlite3.Connection, deposit: Deposit, missing: Missing, now: float) -> None:
    write_letter(
        sql, kind=LetterKind.MISSING, place=deposit.channel, reason=missing.reason, at=now,
        locator=dump(missing.locator), identity=f"missing:{deposit.channel}:{missing.key}",
    )  # fmt: skip


def _note_gap(sql: sqlite3.Connection, deposit: Deposit, gap: Gap) -> None:
    locator = {"since": gap.since, "until": gap.until, "stream": deposit.stream}
    write_letter(
        sql, kind=LetterKind.GAP, place=deposit.channel, reason=gap.reason, at=stamp(gap.until),
        locator=dump(locator), identity=f"gap:{deposit.channel}:{deposit.stream}:{stamp(gap.until)}",
    )  # fmt: skip


def write_letter(
    sql: sqlite3.Connection,
    *,
    kind: LetterKind,
    place: str,
    reason: str,
    at: float,
    identity: str,
    detail: str = "",
    raw_id: int | None = None,
    delivery_id: int | None = None,
    complaint_id: str = "",
    locator: str = "{}",
) -> None:
    """A letter is known by its identity: the same trouble again opens the same letter again."""
    sql.execute(
        "INSERT INTO letters (kind, place, raw_id, delivery_id, complaint_id, reason, detail, locator, at, identity)"
        " VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (identity) DO UPDATE SET reason = excluded.reason,"
        " detail = excluded.detail, at = excluded.at, state = 'open'",
        (kind.value, place, raw_id, delivery_id, complaint_id, reason, detail[:4000], locator, at, identity),
    )
