"""Many rows in few statements: each statement hands the interpreter's lock over once, however many rows it writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Few lengths, so that their prepared statements stay in the connection's cache."""


def execute(sql: sqlite3.Connection, before: str, after: str, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """`before` (?,?),(?,?),… `after` for all rows; yields what the statements return. Every row is written only
    when the iterator has been used up."""
    start = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        part = rows[start : start + size]
        statement = _statement(before, after, len(part[0]), size)
        yield from sql.execute(statement, [value for row in part for value in row])
        start += size


def select(sql: sqlite3.Connection, before: str, values: Sequence[Any], *first: Any) -> Iterator[Any]:
    """`before` (?,?,…) for all values, `first` bound before them. (An IN of row values would scan the table.)"""
    start = 0
    while start < len(values):
        size = next(size for size in _SIZES if size <= len(values) - start)
        yield from sql.execute(f"{before} ({','.join('?' * size)})", (*first, *values[start : start + size]))
        start += size


@cache
def _statement(before: str, after: str, columns: int, rows: int) -> str:
    marks = f"({','.join('?' * columns)})"
    return f"{before} {','.join([marks] * rows)} {after}"
