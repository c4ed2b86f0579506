"""The journal's upkeep: what is thrown away for its age or at a customer's wish; its interface, and SQLite's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from allears.journal import forgetting, retention, sweeping
from allears.journal.blobs import Blobs
from allears.journal.retention import Keep, Kept
from allears.journal.rows import stamp
from allears.journal.writer import Writer
from allears_sdk.context import Clock


class Upkeep(Protocol):
    """Part of the `Journal`: small steps, each of which may raise `JournalUnavailable` and be made again."""

    async def expire(self, name: str, keep: Keep) -> bool:
        """Look at some rows of a kind (`retention.ORIGINALS`, `PAYLOADS`), and erase what is old and not needed any
        more. False: there was none to look at."""

    async def sweep(self, shelf: Path) -> int:
        """Remove the files of one folder that are a day old and unnamed; how many. Raises HeldByBackup."""

    async def shelves(self) -> Sequence[Path]:
        """The folders of the files."""

    async def note_done(self, name: str, erased: int = 0) -> None:
        """A kind is up to date."""

    async def standing(self) -> Sequence[Kept]:
        """How far each kind has come."""

    async def forget_on(self) -> int:
        """One step of what somebody began to forget: how many rows and files went."""

    async def wake_forgetting(self) -> None:
        """Look again at what waited."""

    async def to_forget(self) -> int:
        """How many things are still to be erased at a customer's wish."""


class SqliteUpkeep:
    """`Upkeep` on a journal's own writer and reader."""

    def __init__(
        self,
        folder: Path,
        writer: Writer,
        read: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]],
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._writer = writer
        self._read = read
        self._blobs = blobs
        self._clock = clock

    async def expire(self, name: str, keep: Keep) -> bool:
        now = stamp(self._clock.now())
        verdict = await self._read(lambda sql: retention.judge(sql, name, keep, now))
        if verdict is None:
            return False
        await self._writer.submit(lambda sql: retention.carry_out(sql, verdict))
        return True

    async def sweep(self, shelf: Path) -> int:
        names, halves = await asyncio.to_thread(sweeping.old_files, shelf)
        unnamed = await self._read(lambda sql: sweeping.unnamed(sql, names))
        return halves + await self._remove(unnamed, sweeping.DAY_SECONDS) if unnamed else halves

    async def _remove(self, names: Sequence[str], age_seconds: float) -> int:
        gone = 0
        with sweeping.removal(self._folder):
            for name in names:
                work = partial(sweeping.remove, blobs=self._blobs, name=name, age_seconds=age_seconds)
                gone += await self._writer.submit(work)
        return gone

    async def shelves(self) -> Sequence[Path]:
        return await asyncio.to_thread(sweeping.shelves, self._blobs)

    async def note_done(self, name: str, erased: int = 0) -> None:
        now = stamp(self._clock.now())
        await self._writer.submit(lambda sql: retention.note_done(sql, name, erased, now))

    async def standing(self) -> Sequence[Kept]:
        found: list[Kept] = await self._read(retention.standing)
        return found

    async def forget_on(self) -> int:
        now = stamp(self._clock.now())
        if not await self._read(forgetting.is_any_left):
            return 0
        rows = await self._writer.submit(lambda sql: forgetting.step(sql, now))
        return rows or await self._forget_files(now)

    async def _forget_files(self, now: float) -> int:
        names: list[str] = await self._read(forgetting.files_left)
        gone = 0
        try:
            with sweeping.removal(self._folder):
                for name in names:
                    work = partial(forgetting.forget_file, blobs=self._blobs, name=name, now=now)
                    gone += await self._writer.submit(work)
        except sweeping.HeldByBackup:
            return 0
        return gone

    async def wake_forgetting(self) -> None:
        await self._writer.submit(forgetting.wake)

    async def to_forget(self) -> int:
        found: int = await self._read(forgetting.count_left)
        return found
