"""Accepting: raws, the cursor that is true once they are stored, and the references their answers carry."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from allears.journal import bulk, conversations, forgotten
from allears.journal.forgotten import Left
from allears.journal.records import Deposit, LetterKind, RawState
from allears.journal.rows import dump, stamp
from allears_sdk.connector import Accepted, Gap, Missing, Threading
from allears_sdk.message import Raw

MAX_ROW_BODY = 64 * 1024
"""Bodies up to this many bytes lie in their row."""

_INTO = (
    "INSERT INTO raws (channel, raw_key, ordinal, digest, state, reason, media_type, received_at, stored_at, thread,"
    " context, size, blob, body) VALUES"
)
_UNLESS_KNOWN = "ON CONFLICT DO NOTHING"
_NEWEST = (
    "SELECT ordinal, digest, conversation_id FROM raws WHERE channel=? AND raw_key=? ORDER BY ordinal DESC LIMIT 1"
)


class Step(msgspec.Struct, frozen=True):
    """A deposit on its way in. `blobs` names the stored body of each raw (by position) too large for its row."""

    deposit: Deposit
    blobs: Mapping[int, str]
    now: float


def accept_many(sql: sqlite3.Connection, steps: Sequence[Step]) -> list[list[Accepted]]:
    """Store deposits as one: few statements for many raws. Each deposit's answers, in order."""
    left = forgotten.raws_left(sql, ((step.deposit.channel, raw.key) for step in steps for raw in step.deposit.raws))
    fresh = _insert(sql, _rows(steps, left))
    forgotten.note_news(sql, ((key[0], left[key]) for key in fresh if key in left))
    threads = conversations.item_references(sql, _item_threads(steps))
    accepted = [_accept(sql, step, fresh, threads, left) for step in steps]
    _count(sql, steps, accepted)
    return accepted


def _insert(sql: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], int]:
    """The ids of the rows that are new, by (channel, key). [RETURNING them costs half as much again.]"""
    before = sql.total_changes
    bulk.write(sql, _INTO, _UNLESS_KNOWN, rows)
    count = sql.total_changes - before
    if not count:
        return {}
    (last,) = sql.execute("SELECT last_insert_rowid()").fetchone()
    if count == len(rows):
        return {(row[0], row[1]): row_id for row_id, row in enumerate(rows, start=last - count + 1)}
    query = "SELECT channel, raw_key, id FROM raws WHERE id > ?"
    return {(channel, key): row_id for channel, key, row_id in sql.execute(query, (last - count,))}


def _accept(
    sql: sqlite3.Connection,
    step: Step,
    fresh: dict[tuple[str, str], int],
    threads: Mapping[tuple[str, str], str],
    left: Mapping[tuple[str, str], Left],
) -> list[Accepted]:
    deposit = step.deposit
    accepted = [
        Accepted(key=raw.key, is_new=False)
        if _is_forgotten(left, deposit.channel, raw)
        else _accept_one(sql, step, index, fresh, threads)
        for index, raw in enumerate(deposit.raws)
    ]
    if deposit.cursor is not None:
        sql.execute(
            "INSERT INTO cursors (channel, stream, value) VALUES (?,?,?)"
            " ON CONFLICT (channel, stream) DO UPDATE SET value = excluded.value",
            (deposit.channel, deposit.stream, dump(deposit.cursor)),
        )
    for missing in deposit.missing:
        _note_missing(sql, deposit, missing, step.now)
    for gap in deposit.gaps:
        _note_gap(sql, deposit, gap)
    return accepted


def _count(sql: sqlite3.Connection, steps: Sequence[Step], accepted: Sequence[Sequence[Accepted]]) -> None:
    """One row per channel, however many deposits it made."""
    counts: dict[str, list[float]] = {}
    for step, answers in zip(steps, accepted, strict=True):
        row = counts.setdefault(step.deposit.channel, [0, 0, 0, 0, 0.0])
        for raw, answer in zip(step.deposit.raws, answers, strict=True):
            row[0] += 1
            row[1] += answer.is_new
            row[2] += not answer.is_new
            row[3] += answer.is_new and bool(raw.quarantine)
            row[4] = step.now
    sql.executemany(
        "INSERT INTO channels (name, seen, stored, duplicate, quarantined, last_item_at) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (name) DO UPDATE SET seen = seen + excluded.seen, stored = stored + excluded.stored,"
        " duplicate = duplicate + excluded.duplicate, quarantined = quarantined + excluded.quarantined,"
        " last_item_at = max(coalesce(last_item_at, 0), excluded.last_item_at)",
        [(channel, *row) for channel, row in counts.items() if row[0]],
    )


def known(sql: sqlite3.Connection, channel: str, keys: Sequence[str]) -> frozenset[str]:
    query = "SELECT raw_key FROM raws WHERE channel=? AND raw_key IN"
    stored = frozenset(key for (key,) in bulk.select(sql, query, keys, channel))
    return stored.union(key for _, key in forgotten.raws_left(sql, ((channel, key) for key in keys)))


def _rows(steps: Sequence[Step], left: Mapping[tuple[str, str], Left]) -> list[tuple[object, ...]]:
    return [
        _row(step, raw, _first_ordinal(left, step.deposit.channel, raw), step.blobs.get(index))
        for step in steps
        for index, raw in enumerate(step.deposit.raws)
        if not _is_forgotten(left, step.deposit.channel, raw)
    ]


def _is_forgotten(left: Mapping[tuple[str, str], Left], channel: str, raw: Raw) -> bool:
    return bool(left) and (channel, raw.key) in left and left[channel, raw.key].covers(raw.digest)


def _first_ordinal(left: Mapping[tuple[str, str], Left], channel: str, raw: Raw) -> int:
    """What is said anew where something was forgotten is a later revision of it."""
    return left[channel, raw.key].ordinal + 1 if left and (channel, raw.key) in left else 1


def _row(step: Step, raw: Raw, ordinal: int, blob: str | None) -> tuple[object, ...]:
    state = RawState.BASELINE if raw.baseline else RawState.QUARANTINED if raw.quarantine else RawState.WAITING
    context = dump(raw.context) if raw.context else "{}"
    return (
        step.deposit.channel, raw.key, ordinal, raw.digest, state.value, raw.quarantine, raw.media_type,
        stamp(raw.received_at), step.now, raw.thread, context, len(raw.body), blob, None if blob else raw.body,
    )  # fmt: skip


def _item_threads(steps: Sequence[Step]) -> set[tuple[str, str]]:
    return {
        (step.deposit.channel, raw.thread)
        for step in steps
        if step.deposit.policy.threading is not Threading.CHAT
        for raw in step.deposit.raws
        if raw.thread
    }


def _accept_one(
    sql: sqlite3.Connection,
    step: Step,
    index: int,
    fresh: dict[tuple[str, str], int],
    threads: Mapping[tuple[str, str], str],
) -> Accepted:
    raw, channel = step.deposit.raws[index], step.deposit.channel
    raw_id = fresh.pop((channel, raw.key), None)  # popped: the same key again in this group is known
    revision = 1
    conversation: int | None = None
    if raw_id is None:
        raw_id, revision, conversation = _revise(sql, step, raw, step.blobs.get(index))
    if raw_id is not None and raw.quarantine:
        _note_quarantined(sql, channel, raw, raw_id)
    if raw_id is not None and step.deposit.policy.threading is Threading.CHAT and raw.thread and not raw.baseline:
        return _join_chat(sql, step.deposit, raw, raw_id, conversation)
    known = threads.get((channel, raw.thread)) or _reference(sql, conversation)
    opened = revision == 1
    if raw_id is None:  # answered as it was the first time
        opened = conversation is not None and conversations.was_opened_by(sql, conversation, raw.key)
    return Accepted(key=raw.key, is_new=raw_id is not None, reference=known, opened=opened)


def _revise(sql: sqlite3.Connection, step: Step, raw: Raw, blob: str | None) -> tuple[int | None, int, int | None]:
    """A known key: its new revision when the digest differs from the newest one kept, else None; that revision's
    number, and the conversation the newest one was put into when it was accepted."""
    newest = sql.execute(_NEWEST, (step.deposit.channel, raw.key)).fetchone()
    ordinal, digest, conversation = newest
    if not raw.digest or raw.digest == digest:
        return None, ordinal, conversation
    ids = _insert(sql, [_row(step, raw, ordinal + 1, blob)])
    return ids[step.deposit.channel, raw.key], ordinal + 1, conversation


def _reference(sql: sqlite3.Connection, conversation: int | None) -> str:
    return "" if conversation is None else conversations.reference_of(sql, conversation)


def _join_chat(sql: sqlite3.Connection, deposit: Deposit, raw: Raw, raw_id: int, earlier: int | None) -> Accepted:
    """In a chat it depends on the time of what was said before, so it is decided now and kept. A revision stays
    where the earlier one is, however long ago that was said."""
    if earlier is not None:
        conversation, reference, opened = earlier, conversations.touch(sql, earlier, stamp(raw.received_at)), False
    else:
        conversation, reference, opened = conversations.for_thread(
            sql, deposit.channel, raw.thread, raw.key, stamp(raw.received_at), deposit.policy
        )
    sql.execute("UPDATE raws SET conversation_id=? WHERE id=?", (conversation, raw_id))
    return Accepted(key=raw.key, is_new=True, reference=reference, opened=opened)


def _note_quarantined(sql: sqlite3.Connection, channel: str, raw: Raw, raw_id: int) -> None:
    write_letter(
        sql, kind=LetterKind.RAW, place=channel, reason=raw.quarantine, at=stamp(raw.received_at), raw_id=raw_id,
        identity=f"raw:{raw_id}",
    )  # fmt: skip


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
