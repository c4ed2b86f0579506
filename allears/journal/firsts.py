"""First messages, the usual case: what opens a conversation of its own is made, joined and filed many at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from allears.journal import arrivals, conversations, fetches, filing, messages, threads, unfiled
from allears.journal.arrivals import Arrival
from allears.journal.conversations import Opening
from allears.journal.links import Circle
from allears.journal.records import Router
from allears_sdk.connector import Threading


def file(sql: sqlite3.Connection, arrived: Sequence[Arrival], router: Router, before: filing.Before) -> list[Arrival]:
    """Those that are left, in order: they may belong to something, and are joined one by one. Whoever goes first here
    shares no name with anybody before him, so that order makes no difference."""
    openings = _openings(sql, arrived)
    made = conversations.open_many(sql, list(openings.values()))
    circle = Circle(sql, [arrival.draft for arrival in arrived])
    rows: list[tuple[object, ...]] = []
    filed: list[filing.Filed] = []
    kept: list[tuple[object, ...]] = []
    left: list[Arrival] = []
    for arrival in arrived:
        opening = openings.get(arrival.raw_id)
        row = made.pop(opening.reference, None) if opening else None
        if opening is None or row is None:
            left.append(arrival)
            continue
        (message,) = arrival.messages
        one = filing.opening(row, arrival, message, router, before, circle)
        rows.append(messages.row(arrival, message, row.id, one.event.id if one else None))
        if one:
            filed.append(one)
        elif arrival.draft:
            kept.append(arrivals.unfiled_row(arrival, row.id, row.reference))
    messages.insert(sql, rows)
    filing.write_openings(sql, filed)
    circle.write()
    unfiled.write(sql, kept)
    return left


def _openings(sql: sqlite3.Connection, arrived: Sequence[Arrival]) -> dict[int, Opening]:
    """By raw, what is surely new."""
    named = [(arrival, _names(arrival)) for arrival in arrived]
    taken = _known(sql, named)
    openings: dict[int, Opening] = {}
    for arrival, names in named:
        mine = taken.setdefault(arrival.channel, set())
        if _stands_alone(arrival) and mine.isdisjoint(names):
            openings[arrival.raw_id] = conversations.opening(
                arrival.channel, arrival.thread, arrival.messages[0], names, arrival.received_at, arrival.policy
            )
        mine.update(names)
    return openings


def _known(sql: sqlite3.Connection, named: Sequence[tuple[Arrival, tuple[str, ...]]]) -> dict[str, set[str]]:
    """By channel, the names that conversations have already."""
    asked: dict[str, dict[str, None]] = {}
    for arrival, names in named:
        asked.setdefault(arrival.channel, {}).update(dict.fromkeys(names))
    return {channel: conversations.known_names(sql, channel, list(names)) for channel, names in asked.items()}


def _names(arrival: Arrival) -> tuple[str, ...]:
    if len(arrival.messages) == 1:
        return conversations.names_of(arrival.thread, arrival.messages[0])
    return tuple(name for message in arrival.messages for name in conversations.names_of(arrival.thread, message))


def _stands_alone(arrival: Arrival) -> bool:
    """One message with its record, in a channel where nothing settles, that answers nothing and lacks nothing."""
    threading = arrival.policy.threading
    if arrival.draft is None or arrival.conversation is not None or threading is Threading.CHAT:
        return False
    if fetches.refs(arrival.messages[0]):
        return False
    return threading is not Threading.MAIL or not threads.names_reference(arrival.messages[0])
