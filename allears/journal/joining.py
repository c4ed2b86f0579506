"""Joining: parsed messages find their conversation, and what has nothing to settle is filed at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from allears.journal import arrivals, chats, conversations, fetches, filing, firsts, messages, raws, threads, unfiled
from allears.journal.accepting import write_letter
from allears.journal.arrivals import Arrival
from allears.journal.conversations import Row
from allears.journal.links import Circle
from allears.journal.raws import MAX_ATTEMPTS
from allears.journal.records import DueConversation, LetterKind, Policy, Reading, Router
from allears.journal.rows import known_moment
from allears.journal.turns import channels_of, interleaved, turned
from allears.journal.writer import run_apart
from allears_sdk import codec
from allears_sdk.connector import Threading
from allears_sdk.message import Message, Role


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
        arrived = arrivals.claim(sql, these, policies)
        for arrival in firsts.file(sql, arrived, router, before):
            _join(sql, arrival, router, before, now)

    _, failed = run_apart(sql, partial(join_these, these=readings))
    if failed is None:
        return
    for reading in readings:  # one by one: a savepoint for each would cost the usual case dearly
        _, error = run_apart(sql, partial(join_these, these=[reading]))
        if error is not None:
            raws.fail(sql, reading.raw_id, f"cannot be joined: {type(error).__name__}: {error}", now, quarantine=False)


def _join(sql: sqlite3.Connection, arrival: Arrival, router: Router, before: filing.Before, now: float) -> None:
    conversation = arrival.conversation
    if conversation is None and arrival.thread:
        conversation, _, _ = conversations.for_thread(
            sql, arrival.channel, arrival.thread, arrival.key, arrival.received_at, arrival.policy
        )
    for message in arrival.messages:
        if not messages.is_known(sql, arrival.channel, message):
            _join_message(sql, arrival, message, conversation, router, before, now)


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
    arrival: Arrival,
    message: Message,
    conversation: int | None,
    router: Router,
    before: filing.Before,
    now: float,
) -> None:
    if conversation is not None:
        row = conversations.load_row(sql, conversation)
    else:
        row, _ = _find(sql, arrival, message)
    is_first, is_chat = row.version == 0, arrival.policy.threading is Threading.CHAT
    also = chats.own_names(message) if is_chat and conversation is None else ()
    row = conversations.absorb(sql, row, message, _heard_at(row, arrival, message), arrival.policy.threading, also)
    lacks = bool(fetches.refs(message))
    if lacks:
        message = fetches.completed(sql, arrival.channel, message, now)
    stands_alone = is_first and arrival.draft is not None and not is_chat and not lacks
    circle = Circle(sql, [arrival.draft if stands_alone else None])
    filed = filing.opening(row, arrival, message, router, before, circle) if stands_alone else None
    messages.insert(sql, [messages.row(arrival, message, row.id, filed.event.id if filed else None)])
    if filed:
        filing.write_openings(sql, [filed])
        circle.write()
    elif stands_alone:
        unfiled.write(sql, [arrivals.unfiled_row(arrival, row.id, row.reference)])
    else:
        _expect(sql, arrival, message, row, now, is_first=is_first)


def _find(sql: sqlite3.Connection, arrival: Arrival, message: Message) -> tuple[Row, bool]:
    find = chats.find if arrival.policy.threading is Threading.CHAT else conversations.find
    return find(sql, arrival.channel, message, arrival.received_at, arrival.policy)


def _heard_at(row: Row, arrival: Arrival, message: Message) -> float:
    if arrival.policy.threading is not Threading.CHAT:
        return arrival.received_at
    return threads.heard_at(row.last_at, message, arrival.received_at, arrival.policy.idle_seconds)


def _expect(
    sql: sqlite3.Connection, arrival: Arrival, message: Message, row: Row, now: float, *, is_first: bool
) -> None:
    """What the message lacks is fetched, and its conversation's record derived. Silence is counted from when a message
    has been read, however late that is."""
    lacks, is_chat = bool(fetches.refs(message)), arrival.policy.threading is Threading.CHAT
    if lacks:
        fetches.schedule(sql, arrival.channel, message, row.id, now)
    if arrivals.counts(message) or (is_first and (not is_chat or message.author.role is Role.CUSTOMER)):
        at = max(now, arrival.received_at) if is_chat or lacks else arrival.received_at
        conversations.set_timer(sql, row, message, at, arrival.policy, fetches=lacks)


def _due(sql: sqlite3.Connection, row: Any) -> DueConversation:
    return DueConversation(
        id=row[0], version=row[1], channel=row[2], reference=row[3], opened_at=known_moment(row[4]),
        related=codec.decode(row[5], list[str]), messages=messages.heard(sql, row[0]),
    )  # fmt: skip


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
