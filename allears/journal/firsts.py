"""First messages, the usual case: what opens a conversation of its own is made, joined and filed many at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from allears.journal import conversations, filing, messages
from allears.journal.arrivals import Arrival
from allears.journal.conversations import Opening
from allears.journal.records import Router
from allears_sdk.connector import Threading


def file(sql: sqlite3.Connection, arrived: Sequence[Arrival], router: Router, before: filing.Before) -> list[Arrival]:
    """Those that are left, in order: they may belong to something, and are joined one by one. Whoever goes first here
    shares no name with anybody before him, so that order makes no difference."""
    openings = _openings(sql, arrived)
    made = conversations.open_many(sql, list(openings.values()))
    rows: list[tuple[object, ...]] = []
    filed: list[filing.Filed] = []
    left: list[Arrival] = []
    for arrival in arrived:
        opening = openings.get(arrival.raw_id)
        row = made.pop(opening.reference, None) if opening else None
        if opening is None or row is None:
            left.append(arrival)
            continue
        (message,) = arrival.messages
        one = filing.opening(row, arrival, message, router, before)
        rows.append(messages.row(arrival, message, row.id, one.event.id if one else None))
        if one:
            filed.append(one)
    messages.insert(sql, rows)
    filing.write_openings(sql, filed)
    return left


def _openings(sql: sqlite3.Connection, arrived: Sequence[Arrival]) -> dict[int, Opening]:
    """By raw, what is surely new."""
    taken = _known(sql, arrived)
    openings: dict[int, Opening] = {}
    for arrival in arrived:
        names = {(arrival.channel, name) for name in _names(arrival)}
        if _stands_alone(arrival) and taken.isdisjoint(names):
            openings[arrival.raw_id] = conversations.opening(
                arrival.channel, arrival.thread, arrival.messages[0], arrival.received_at, arrival.policy
            )
        taken |= names
    return openings


def _known(sql: sqlite3.Connection, arrived: Sequence[Arrival]) -> set[tuple[str, str]]:
    names: dict[str, dict[str, None]] = {}
    for arrival in arrived:
        names.setdefault(arrival.channel, {}).update(dict.fromkeys(_names(arrival)))
    return {
        (channel, name)
        for channel, some in names.items()
        for name in conversations.known_names(sql, channel, list(some))
    }


def _names(arrival: Arrival) -> list[str]:
    return [name for message in arrival.messages for name in conversations.names_of(arrival.thread, message)]


def _stands_alone(arrival: Arrival) -> bool:
    """One message with its record, in a channel where nothing settles, that answers nothing."""
    threading = arrival.policy.threading
    if arrival.draft is None or arrival.conversation is not None or threading is Threading.CHAT:
        return False
    return threading is not Threading.MAIL or not conversations.quotes_reference(arrival.messages[0])
