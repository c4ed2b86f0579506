"""Channels take turns, so that a flood in one delays no other."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")


def channels_of(sql: sqlite3.Connection, table: str, where: str, *values: object) -> list[str]:
    """The channels that have such rows, in order; each found by one step in a partial index on `channel`."""
    names: list[str] = []
    query = f"SELECT channel FROM {table} WHERE {where} AND channel > ? ORDER BY channel LIMIT 1"
    while row := sql.execute(query, (*values, names[-1] if names else "")).fetchone():
        names.append(row[0])
    return names


def turned(channels: list[str], after: str) -> list[str]:
    """The one that comes after the last one served goes first."""
    start = bisect_right(channels, after)
    return channels[start:] + channels[:start]


def interleaved(queues: Sequence[Sequence[T]]) -> Iterator[T]:
    """The first of each queue, then the second of each, and so on."""
    for row in zip_longest(*queues):
        yield from (one for one in row if one is not None)
