"""The roll of what is to be fetched: its interface, and SQLite's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from allears.journal import fetches
from allears.journal.bells import Bells
from allears.journal.blobs import Blobs
from allears.journal.records import DueFetch, FetchCount, Fetched
from allears.journal.rows import stamp
from allears.journal.writer import Writer
from allears_sdk.connector import Media
from allears_sdk.context import Clock
from allears_sdk.message import Author

_UNTOLD = Media(content=b"").media_type


class Fetches(Protocol):
    """Part of the `Journal`: all methods may raise `JournalUnavailable`."""

    async def due(self, now: datetime, running: Collection[str], each: int, limit: int) -> Sequence[DueFetch]:
        """What is to be asked for now, at most `each` at a time in a channel, nearest expiry first, channels in turn;
        of channels that are not `running` what it is too late for. Leased until finished, put off or released."""

    async def release(self, ids: Sequence[int]) -> None:
        """Give them back untouched."""

    async def put_off(self, fetch: int, reason: str, at: datetime) -> None:
        """It failed, and is due again then."""

    async def skip(self, fetch: int, reason: str) -> None:
        """It will never come; the message says why."""

    async def keep(self, fetch: int, media: Media) -> None:
        """The bytes are stored, and named in every message that waits for the same."""

    async def keep_profile(self, fetch: int, author: Author) -> None:
        """Fills what is empty in the author of every message that waits for the same."""

    async def retry(self, channel: str) -> int:
        """Ask once more for a channel's files that were given up: how many those are."""

    async def counts(self) -> Sequence[FetchCount]:
        """By channel, those that have any."""

    async def content(self, reference: str, sha256: str) -> bytes | None:
        """A file that was fetched for that complaint; None when it was not."""


class SqliteFetches:
    """`Fetches` on a journal's own writer and reader."""

    def __init__(
        self,
        writer: Writer,
        read: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]],
        write_blob: Callable[[bytes], Awaitable[str]],
        blobs: Blobs,
        bells: Bells,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._read = read
        self._write_blob = write_blob
        self._blobs = blobs
        self._bells = bells
        self._clock = clock
        self._leased: dict[int, tuple[str, bytes]] = {}
        self._taking = asyncio.Lock()
        self._served = ""

    async def due(self, now: datetime, running: Collection[str], each: int, limit: int) -> Sequence[DueFetch]:
        async with self._taking:
            held, after = dict(self._leased), self._served
            due: list[DueFetch] = await self._read(
                lambda sql: fetches.due(sql, stamp(now), running, each, limit, held, after)
            )
            self._leased.update((one.id, (one.channel, fetches.locator_of(one.ref))) for one in due)
            self._served = due[-1].channel if due else after
        return due

    async def release(self, ids: Sequence[int]) -> None:
        for one in ids:
            self._leased.pop(one, None)

    async def put_off(self, fetch: int, reason: str, at: datetime) -> None:
        await self._end(fetch, lambda sql: fetches.put_off(sql, fetch, reason, stamp(at)))

    async def skip(self, fetch: int, reason: str) -> None:
        now = stamp(self._clock.now())
        await self._end(fetch, lambda sql: fetches.finish(sql, fetch, reason, now))

    async def keep(self, fetch: int, media: Media) -> None:
        name, now = await self._write_blob(media.content), stamp(self._clock.now())
        kind = "" if media.media_type == _UNTOLD else media.media_type
        file = Fetched(sha256=name, size=len(media.content), media_type=kind, name=media.name)
        await self._end(fetch, lambda sql: fetches.finish(sql, fetch, file, now))

    async def keep_profile(self, fetch: int, author: Author) -> None:
        now = stamp(self._clock.now())
        await self._end(fetch, lambda sql: fetches.finish(sql, fetch, author, now))

    async def retry(self, channel: str) -> int:
        now = stamp(self._clock.now())
        return await self._writer.submit(lambda sql: fetches.retry(sql, channel, now), ring=self._bells.fetches.set)

    async def counts(self) -> Sequence[FetchCount]:
        found: list[FetchCount] = await self._read(fetches.counts)
        return found

    async def content(self, reference: str, sha256: str) -> bytes | None:
        if not await self._read(lambda sql: fetches.has_blob(sql, reference, sha256)):
            return None
        return await asyncio.to_thread(self._blobs.read, sha256)

    async def _end(self, fetch: int, work: Callable[[sqlite3.Connection], None]) -> None:
        def end() -> None:
            self._leased.pop(fetch, None)
            self._bells.fetches.set()
            self._bells.conversations.set()

        try:
            await asyncio.shield(self._writer.submit(work, ring=end))
        finally:
            self._leased.pop(fetch, None)
