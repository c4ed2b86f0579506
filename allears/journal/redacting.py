"""Taking one person's words out of a conversation that is another's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from allears.journal import bulk, chats, erasing, forgotten
from allears.journal.rows import dump, load
from allears.journal.senders import people, speaker
from allears_sdk import codec
from allears_sdk.complaint import Event
from allears_sdk.message import Author, Message

GONE = "…"
_SHORTEST_LINE, _SHORTEST_NAME = 4, 2
"""Characters of what is looked for where texts were put together."""
_OURS = frozenset(
    {
        "schema", "id", "complaint_id", "sequence", "kind", "role", "at", "received_at", "posted_at", "nature",
        "category", "priority", "expectation", "channel", "connector", "language", "sha256", "media_type", "message",
        "messages", "source", "related", "handler", "team", "assignee",
    }
)  # fmt: skip
"""Fields that hold no words of a customer's."""


def redact(sql: sqlite3.Connection, message_id: int) -> bool:
    """Empty a message and all that repeats it. False while a delivery of its conversation is on its way."""
    row = sql.execute(
        "SELECT conversation_id, channel, external_id, revision, raw_id, body FROM messages WHERE id=?", (message_id,)
    ).fetchone()
    if row is None:
        return True
    conversation, channel, external_id, revision, raw_id, body = row
    if erasing.is_on_its_way(sql, conversation):
        return False
    message = codec.decode(body, Message)
    forgotten.keep_messages(sql, [(channel, external_id, revision)])
    _erase_files(sql, message_id)
    empty = Message(text="", external_id=external_id, revision=revision, kind=message.kind, author=_nobody(message))
    sql.execute("UPDATE messages SET body=?, counts=0 WHERE id=?", (codec.encode(empty), message_id))
    erasing.erase_raws(sql, [raw_id], only_contents=True)
    _leave(sql, conversation, channel, message)
    _rewrite(sql, conversation, message)
    return True


def _nobody(message: Message) -> Author:
    return Author(role=message.author.role)


def _erase_files(sql: sqlite3.Connection, message_id: int) -> None:
    rows = sql.execute("DELETE FROM fetches WHERE message_id=? RETURNING blob", (message_id,)).fetchall()
    erasing.remove_blobs(sql, [row[0] for row in rows])


def _leave(sql: sqlite3.Connection, conversation: int, channel: str, message: Message) -> None:
    """The conversation no longer knows who said it."""
    for name in chats.own_names(message):
        query = "DELETE FROM names WHERE channel=? AND name=? AND conversation_id=?"
        sql.execute(query, (channel, name, conversation))
    who = speaker(message)
    row = sql.execute("SELECT people FROM conversations WHERE id=?", (conversation,)).fetchone()
    known = [one for one in load(row[0]) if one not in (who, *people(replace(message, participants=())))]
    query = "UPDATE conversations SET people=?, version=version+1 WHERE id=?"
    sql.execute(query, (dump(known), conversation))


def _rewrite(sql: sqlite3.Connection, conversation: int, message: Message) -> None:
    """Events and what is rendered from them, without the person's words."""
    words = _words(message)
    rows = sql.execute("SELECT sequence, body FROM events WHERE conversation_id=?", (conversation,)).fetchall()
    for sequence, body in rows:
        event = codec.convert(_without(load(body), message.external_id, words), Event)
        query = "UPDATE events SET body=? WHERE conversation_id=? AND sequence=?"
        sql.execute(query, (codec.encode(event), conversation, sequence))
    lines = [row[0] for row in sql.execute("SELECT id FROM lines WHERE conversation_id=?", (conversation,))]
    bulk.update(sql, "UPDATE deliveries SET payload=NULL WHERE line_id IN", "", lines)
    for table in ("complaints", "unfiled"):
        for column in ("title", "customer"):
            _replace(sql, table, column, conversation, words)


def _replace(sql: sqlite3.Connection, table: str, column: str, conversation: int, words: Sequence[str]) -> None:
    query = f"SELECT {column} FROM {table} WHERE conversation_id=?"
    for (text,) in sql.execute(query, (conversation,)).fetchall():
        query = f"UPDATE {table} SET {column}=? WHERE conversation_id=?"
        sql.execute(query, (_cut(text, words), conversation))


def _words(message: Message) -> list[str]:
    """What only this message says, the longest first: its lines, and who said it."""
    author = message.author
    said = [line.strip() for line in (*message.text.splitlines(), message.subject)]
    told = [author.id, author.name, author.handle, author.email, author.phone]
    words = [one for one in said if len(one) >= _SHORTEST_LINE] + [one for one in told if len(one) >= _SHORTEST_NAME]
    return sorted(set(words), key=len, reverse=True)


def _without(value: Any, message_id: str, words: Sequence[str]) -> Any:
    """An event's JSON: what is said to be the message's goes, and its words wherever else they stand."""
    if isinstance(value, str):
        return _cut(value, words)
    if isinstance(value, list):
        kept = [one for one in value if not _is_of(one, message_id)]
        return [_without(one, message_id, words) for one in kept]
    if isinstance(value, dict):
        return {key: one if key in _OURS else _without(one, message_id, words) for key, one in value.items()}
    return value


def _is_of(value: Any, message_id: str) -> bool:
    """Evidence, attachments and words name their message."""
    if not isinstance(value, dict):
        return False
    return value.get("message") == message_id or ("text" in value and value.get("id") == message_id)


def _cut(text: str, words: Sequence[str]) -> str:
    for word in words:
        text = text.replace(word, GONE)
    return text
