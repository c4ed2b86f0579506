"""What the optional model step has asked, and been told: its budget and its memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

from allears.journal import bulk
from allears.journal.rows import stamp
from allears.journal.writer import Writer
from allears_sdk.context import Clock

HOUR = 3600.0
KEPT_SECONDS = 90 * 86_400.0
MOST_KEPT = 100_000
"""Calls; the oldest are forgotten, and asked again should they come up."""


class Answers(Protocol):
    """Part of the `Journal`: all methods may raise `JournalUnavailable`."""

    async def known(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Of each question the newest answer."""

    async def spend(self, key: bytes, per_hour: int) -> int | None:
        """Note a call before it leaves; None when this hour's are used up."""

    async def keep(self, call: int, answer: bytes) -> None:
        """What came of it."""

    async def calls(self) -> int:
        """In the last hour."""


class SqliteAnswers:
    """`Answers` on a journal's own writer and reader."""

    def __init__(
        self,
        writer: Writer,
        read: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]],
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._read = read
        self._clock = clock

    async def known(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        if not keys:
            return {}
        found: dict[bytes, bytes] = await self._read(lambda sql: _known(sql, list(keys)))
        return found

    async def spend(self, key: bytes, per_hour: int) -> int | None:
        now = stamp(self._clock.now())
        return await self._writer.submit(lambda sql: _spend(sql, key, per_hour, now))

    async def keep(self, call: int, answer: bytes) -> None:
        query = "UPDATE model_calls SET answer=? WHERE id=?"
        await self._writer.submit(lambda sql: sql.execute(query, (answer, call)).rowcount)

    async def calls(self) -> int:
        now = stamp(self._clock.now())
        found: int = await self._read(lambda sql: _count(sql, now))
        return found


def _known(sql: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, bytes]:
    query = "SELECT id, key, answer FROM model_calls WHERE answer IS NOT NULL AND key IN"
    rows = sorted(bulk.select(sql, query, keys), key=lambda row: int(row[0]))
    return {bytes(key): bytes(answer) for _, key, answer in rows}


def _spend(sql: sqlite3.Connection, key: bytes, per_hour: int, now: float) -> int | None:
    if _count(sql, now) >= per_hour:
        return None
    call = sql.execute("INSERT INTO model_calls (key, at) VALUES (?,?)", (key, now)).lastrowid
    assert call is not None
    sql.execute("DELETE FROM model_calls WHERE at < ? OR id <= ?", (now - KEPT_SECONDS, call - MOST_KEPT))
    return call


def _count(sql: sqlite3.Connection, now: float) -> int:
    found = sql.execute("SELECT count(*) FROM model_calls WHERE at > ?", (now - HOUR,)).fetchone()
    return int(found[0])
