"""Many rows in few statements: each statement hands the interpreter's lock over once, however many rows it writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_SIZES = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Few lengths, so that their prepared statements stay in the connection's cache."""
_KNOWN_IS_NOTHING = "ON CONFLICT DO NOTHING"


def execute(sql: sqlite3.Connection, before: str, after: str, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """`before` (?,?),(?,?),… `after` for all rows; yields what the statements return. Every row is written only
    when the iterator has been used up."""
    for part in _padded(rows) if after.startswith(_KNOWN_IS_NOTHING) else _parts(rows):
        statement = _statement(before, after, len(part[0]), len(part))
        yield from sql.execute(statement, [value for row in part for value in row])


def write(sql: sqlite3.Connection, before: str, after: str, rows: Sequence[Sequence[Any]]) -> None:
    """`execute` of statements that return nothing."""
    for _ in execute(sql, before, after, rows):
        raise AssertionError("the statement returns rows")


def select(sql: sqlite3.Connection, before: str, values: Sequence[Any], *first: Any) -> Iterator[Any]:
    """`before` (?,?,…) for all values, `first` bound before them. (An IN of row values would scan the table.)"""
    for part in _padded(values):
        yield from sql.execute(_listing(before, "", len(part)), (*first, *part))


def update(sql: sqlite3.Connection, before: str, after: str, values: Sequence[Any], *first: Any) -> list[Any]:
    """`before` (?,?,…) `after` for all values, `first` bound before them; what the statements return."""
    return [
        row
        for part in _padded(values)
        for row in sql.execute(_listing(before, after, len(part)), (*first, *part)).fetchall()
    ]


def _padded(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Where saying one of them twice changes nothing: the last one fills up to the next length."""
    for start in range(0, len(values), _SIZES[0]):
        part = values[start : start + _SIZES[0]]
        size = min(size for size in _SIZES if size >= len(part))
        yield [*part, *[part[-1]] * (size - len(part))]


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    start = 0
    while start < len(values):
        size = next(size for size in _SIZES if size <= len(values) - start)
        yield values[start : start + size]
        start += size


@cache
def _statement(before: str, after: str, columns: int, rows: int) -> str:
    marks = f"({','.join('?' * columns)})"
    return f"{before} {','.join([marks] * rows)} {after}"


@cache
def _listing(before: str, after: str, values: int) -> str:
    return f"{before} ({','.join('?' * values)}) {after}"
