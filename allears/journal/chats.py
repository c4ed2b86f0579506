"""Whose conversation a chat message goes on with, where its thread was not known before it was read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from allears.journal import bulk, conversations, threads
from allears.journal.conversations import MAX_RELATED, Row
from allears.journal.records import Policy
from allears.journal.senders import identity, speaker
from allears_sdk.connector import Threading
from allears_sdk.message import Kind, Message, Role


def find(sql: sqlite3.Connection, channel: str, message: Message, at: float, policy: Policy) -> tuple[Row, bool]:
    """The newest that is not idle: of what the message answers, then of its speaker in this room, then of the room.
    The matter of a message that is answered is never idle: whoever answers it says which one is meant. Made when there
    is none: (row, made just now)."""
    names = (message.external_id, *message.known_as, *message.thread[:-1], *own_names(message), *message.thread[-1:])
    found = conversations.by_names(sql, channel, names)
    if message.author.role is Role.CUSTOMER:
        found = [one for one in found if _takes_part(sql, one, message)]
    else:
        found = _spoken_to(found, message)
    for one in found:
        if threads.is_open_chat(one.last_at, message, at, policy.idle_seconds) or _holds(sql, one, message.thread):
            return one, False
    digest = threads.seed_of(channel, message, Threading.CHAT)
    related = [one.reference for one in found][:MAX_RELATED]
    return conversations.make(sql, channel, digest, at, related=related)


def own_names(message: Message) -> tuple[str, ...]:
    """By which a customer's matter is found in a room of thousands."""
    who = speaker(message)
    if not who or not message.thread or message.author.role is not Role.CUSTOMER:
        return ()
    return (f"{message.thread[-1]}\n{who}",)


def _takes_part(sql: sqlite3.Connection, row: Row, message: Message) -> bool:
    """Customers who share a room have a matter each, but for who answers a message of another's."""
    who = speaker(message)
    if not who or not row.people or who in row.people:
        return True
    query = "SELECT 1 FROM messages WHERE conversation_id=? AND counts=1 LIMIT 1"
    if sql.execute(query, (row.id,)).fetchone() is None:
        return True  # nobody's yet: an agent began it
    return _holds(sql, row, (message.external_id, *message.known_as, *message.thread))


def _holds(sql: sqlite3.Connection, row: Row, names: Sequence[str]) -> bool:
    """Whether one of these is a message there; the name of a room is none."""
    query = "SELECT 1 FROM messages WHERE channel=? AND conversation_id=? AND external_id IN"
    return any(bulk.select(sql, query, names, row.channel, row.id))


def _spoken_to(found: list[Row], message: Message) -> list[Row]:
    """What the company says in a room belongs to whom it names, or to the last who spoke."""
    named = {identity(one) for one in message.participants}
    if named:
        return [one for one in found if not named.isdisjoint(one.people)]
    if message.kind is Kind.SAID and not message.thread[:-1]:
        return sorted(found, key=lambda one: one.last_at, reverse=True)
    return found
