"""Messages as the journal keeps them, each known by (channel, external id, revision)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from allears.journal import bulk
from allears.journal.arrivals import Arrival, counts
from allears.journal.rows import known_moment, stamp
from allears_sdk import codec
from allears_sdk.message import Message
from normalizer.conversation import Heard

_INTO = (
    "INSERT INTO messages (channel, external_id, revision, raw_id, conversation_id, kind, counts, posted_at,"
    " received_at, event_id, body) VALUES"
)


def row(arrival: Arrival, message: Message, conversation: int, event_id: str | None = None) -> tuple[object, ...]:
    return (
        arrival.channel, message.external_id, message.revision, arrival.raw_id, conversation, message.kind.value,
        int(counts(message)), None if message.posted_at is None else stamp(message.posted_at), arrival.received_at,
        event_id, codec.encode(message),
    )  # fmt: skip


def insert(sql: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> None:
    bulk.write(sql, _INTO, "", rows)


def is_known(sql: sqlite3.Connection, channel: str, message: Message) -> bool:
    query = "SELECT 1 FROM messages WHERE channel=? AND external_id=? AND revision=?"
    return sql.execute(query, (channel, message.external_id, message.revision)).fetchone() is not None


def heard(sql: sqlite3.Connection, conversation: int) -> list[Heard]:
    """A conversation's messages by when they were said, then by when we got them."""
    rows = sql.execute(
        "SELECT body, received_at FROM messages WHERE conversation_id=? ORDER BY coalesce(posted_at, received_at), id",
        (conversation,),
    )
    return [Heard(message=codec.decode(body, Message), received_at=known_moment(at)) for body, at in rows]
