"""Joining: parsed messages find their conversation, and what has nothing to settle is filed at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from allears.journal import conversations, filing, raws
from allears.journal.accepting import write_letter
from allears.journal.raws import MAX_ATTEMPTS
from allears.journal.records import DueConversation, LetterKind, Policy, Reading, Router
from allears.journal.rows import known_moment, stamp
from allears.journal.turns import channels_of, interleaved, turned
from allears.journal.writer import run_apart
from allears_sdk import codec
from allears_sdk.connector import Threading
from allears_sdk.message import Message, Role
from normalizer.conversation import Draft, Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """The raw a message came from."""

    id: int
    channel: str
    key: str
    ordinal: int
    received_at: float
    conversation: int | None


def join(
    sql: sqlite3.Connection,
    readings: Sequence[Reading],
    policies: Mapping[str, Policy],
    router: Router,
    before: filing.Before,
    now: float,
) -> None:
    """Each raw's messages. A raw whose messages cannot be joined loses an attempt, the others lose nothing."""

    def join_these(sql: sqlite3.Connection, these: Sequence[Reading]) -> None:
        for reading in these:
            _join_raw(sql, reading, policies, router, before)

    _, failed = run_apart(sql, partial(join_these, these=readings))
    if failed is None:
        return
    for reading in readings:  # one by one: a savepoint for each would cost the usual case dearly
        _, error = run_apart(sql, partial(join_these, these=[reading]))
        if error is not None:
            raws.fail(sql, reading.raw_id, f"cannot be joined: {type(error).__name__}: {error}", now, quarantine=False)


def _join_raw(
    sql: sqlite3.Connection,
    reading: Reading,
    policies: Mapping[str, Policy],
    router: Router,
    before: filing.Before,
) -> None:
    """A raw that is no longer waiting was joined before: nothing happens twice. One whose channel has gone
    meanwhile waits on."""
    row = sql.execute(
        "UPDATE raws SET state='read', reason='' WHERE id=? AND state='waiting'"
        " RETURNING id, channel, raw_key, ordinal, received_at, conversation_id, thread",
        (reading.raw_id,),
    ).fetchone()
    if row is None:
        return
    if row[1] not in policies:
        sql.execute("UPDATE raws SET state='waiting' WHERE id=?", (row[0],))
        return
    conversation = row[5]
    if conversation is None and row[6]:
        conversation, _, _ = conversations.for_thread(sql, row[1], row[6], row[2], row[4], policies[row[1]])
    origin = _Origin(
        id=row[0], channel=row[1], key=row[2], ordinal=row[3], received_at=row[4], conversation=conversation
    )
    policy = policies[origin.channel]
    for index, message in enumerate(reading.messages):
        draft = reading.draft if len(reading.messages) == 1 else None
        _join_message(sql, origin, _identified(origin, index, message), policy, draft, router, before)


def load_due(
    sql: sqlite3.Connection, now: float, limit: int, leased: Collection[int], after: str
) -> list[DueConversation]:
    """Conversations whose timer has run out and that nobody holds, with all their messages; channels in turn."""
    queues = []
    for channel in turned(_timed_channels(sql), after):
        rows = sql.execute(
            "SELECT id, version, channel, reference, opened_at, related FROM conversations"
            " WHERE channel=? AND due_at <= ? ORDER BY due_at LIMIT ?",
            (channel, now, limit + len(leased)),
        )
        queues.append([row for row in rows if row[0] not in leased])
    return [_due(sql, row) for row in islice(interleaved(queues), limit)]


def next_due(sql: sqlite3.Connection, leased: Collection[int]) -> float | None:
    """When the next timer that nobody holds runs out."""
    firsts = []
    for channel in _timed_channels(sql):
        rows = sql.execute(
            "SELECT id, due_at FROM conversations WHERE channel=? AND due_at IS NOT NULL ORDER BY due_at LIMIT ?",
            (channel, len(leased) + 1),
        )
        firsts += [due_at for id_, due_at in rows if id_ not in leased][:1]
    return min(firsts, default=None)


def _timed_channels(sql: sqlite3.Connection) -> list[str]:
    return channels_of(sql, "conversations", "due_at IS NOT NULL")


def _join_message(
    sql: sqlite3.Connection,
    origin: _Origin,
    message: Message,
    policy: Policy,
    draft: Draft | None,
    router: Router,
    before: filing.Before,
) -> None:
    if _is_known(sql, origin.channel, message):
        return
    if origin.conversation is not None:
        row = conversations.load_row(sql, origin.conversation)
    else:
        row, _ = conversations.find(sql, origin.channel, message, origin.received_at, policy)
    is_first = row.version == 0
    row = conversations.absorb(sql, row, message, origin.received_at)
    counts = message.author.role is Role.CUSTOMER and not message.is_automatic
    _insert(sql, origin, row.id, message, counts=counts)
    if is_first and draft is not None and policy.threading is not Threading.CHAT:
        heard = Heard(message=message, received_at=known_moment(origin.received_at))
        filing.file_first(sql, row, heard, draft, router, before)
    elif counts or is_first:
        conversations.set_timer(sql, row, origin.received_at, policy)


def _identified(origin: _Origin, index: int, message: Message) -> Message:
    """Fill in what the source left to us: an id from the raw's key, a revision from its ordinal, a sane time."""
    external_id = message.external_id or (origin.key if index == 0 else f"{origin.key}#{index}")
    return replace(
        message,
        external_id=external_id,
        revision=message.revision or str(origin.ordinal),
        posted_at=_clamp(message.posted_at, origin.received_at),
    )


def _clamp(posted_at: datetime | None, received_at: float) -> datetime | None:
    """A claim about the future is not believed."""
    if posted_at is None:
        return None
    return posted_at if stamp(posted_at) <= received_at else known_moment(received_at)


def _is_known(sql: sqlite3.Connection, channel: str, message: Message) -> bool:
    query = "SELECT 1 FROM messages WHERE channel=? AND external_id=? AND revision=?"
    return sql.execute(query, (channel, message.external_id, message.revision)).fetchone() is not None


def _insert(sql: sqlite3.Connection, origin: _Origin, conversation: int, message: Message, *, counts: bool) -> None:
    kept = replace(message, html="") if message.text else message  # the raw keeps the HTML
    sql.execute(
        "INSERT INTO messages (channel, external_id, revision, raw_id, conversation_id, kind, counts, posted_at,"
        " received_at, body) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            origin.channel, message.external_id, message.revision, origin.id, conversation, message.kind.value,
            int(counts), None if message.posted_at is None else stamp(message.posted_at), origin.received_at,
            codec.encode(kept),
        ),
    )  # fmt: skip


def _due(sql: sqlite3.Connection, row: Any) -> DueConversation:
    return DueConversation(
        id=row[0], version=row[1], channel=row[2], reference=row[3], opened_at=known_moment(row[4]),
        related=codec.decode(row[5], list[str]), messages=heard(sql, row[0]),
    )  # fmt: skip


def heard(sql: sqlite3.Connection, conversation: int) -> list[Heard]:
    """A conversation's messages by when they were said, then by when we got them."""
    rows = sql.execute(
        "SELECT body, received_at FROM messages WHERE conversation_id=? ORDER BY coalesce(posted_at, received_at), id",
        (conversation,),
    )
    return [Heard(message=codec.decode(body, Message), received_at=known_moment(at)) for body, at in rows]


def fail(sql: sqlite3.Connection, conversation: DueConversation, reason: str, now: float) -> None:
    """Deriving failed: try again in a minute, and after the third time tell a person and go on."""
    attempts = sql.execute(
        "UPDATE conversations SET attempts = attempts + 1, due_at = ? WHERE id=? AND version=? RETURNING attempts",
        (now + 60, conversation.id, conversation.version),
    ).fetchone()
    if attempts is None or attempts[0] < MAX_ATTEMPTS:
        return
    conversations.clear_timer(sql, conversation.id)
    raw = sql.execute("SELECT max(raw_id) FROM messages WHERE conversation_id=?", (conversation.id,)).fetchone()
    write_letter(
        sql, kind=LetterKind.RAW, place=conversation.channel, reason=f"the record cannot be derived: {reason}"[:2000],
        at=now, raw_id=raw[0], complaint_id=conversation.reference, identity=f"conversation:{conversation.id}",
    )  # fmt: skip
