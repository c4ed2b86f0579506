"""What accounts at vendors have used up of their budgets: counted on disk before it is spent."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from allears.journal.rows import stamp
from allears.journal.writer import Writer
from allears_sdk.budget import Budget, Window

KEPT_SECONDS = 400 * 86_400.0


class SqliteSpending:
    """`Ledger` on a journal's own writer and reader."""

    def __init__(self, writer: Writer, read: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]) -> None:
        self._writer = writer
        self._read = read

    async def spend(self, budget: Budget, window: Window, amount: int) -> int | None:
        return await self._writer.submit(lambda sql: _spend(sql, budget, window, amount))

    async def spent(self, budget: Budget, window: Window) -> int:
        found: int = await self._read(lambda sql: _spent(sql, budget, window))
        return found


def _spend(sql: sqlite3.Connection, budget: Budget, window: Window, amount: int) -> int | None:
    before = _spent(sql, budget, window)
    after = max(0, before + amount)
    if amount > 0 and after > budget.most:
        return None
    since, until = stamp(window.since), stamp(window.until)
    if not before:  # a window begins: those that nobody asks for any more go
        sql.execute("DELETE FROM spent WHERE until < ?", (since - KEPT_SECONDS,))
    sql.execute(
        "INSERT INTO spent (account, unit, since, until, amount) VALUES (?,?,?,?,?)"
        " ON CONFLICT (account, unit, since, until) DO UPDATE SET amount = excluded.amount",
        (budget.account, budget.unit, since, until, after),
    )
    return after


def _spent(sql: sqlite3.Connection, budget: Budget, window: Window) -> int:
    row = sql.execute(
        "SELECT amount FROM spent WHERE account=? AND unit=? AND since=? AND until=?",
        (budget.account, budget.unit, stamp(window.since), stamp(window.until)),
    ).fetchone()
    return int(row[0]) if row else 0
