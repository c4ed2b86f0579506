"""Reading one stream: one poll runs, one may wait with the newest hint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from allears.intake.channel import Channel
from allears.intake.condition import pause
from allears.intake.reactions import reaction_to
from allears.intake.routine import Routine
from allears.intake.timing import Backoff
from allears_sdk.codec import encode_stable
from allears_sdk.connector import Batch, Cursor

PAGE = 100
"""Raws asked for in one batch."""
SUSPECT_FAILURES = 2
"""Failures at one cursor after which the page is read one item at a time."""
BACKLOG_SECONDS = 5.0
PROGRESS_SECONDS = 10.0


class StreamPoller:
    """One task per stream, so that a poll cannot overlap itself."""

    def __init__(self, channel: Channel, stream: str) -> None:
        self.stream = stream
        self._channel = channel
        self._part = f"stream {stream}" if stream else "stream"
        self._routine = Routine()
        self._backoff = Backoff(channel.timing.uniform)
        self._due = asyncio.Event()
        self._hint: Mapping[str, Any] = {}
        self._cursor: Cursor | None = None
        self._failed_at = b""
        self._failures = 0
        self._limit = PAGE
        self._single_left = 0
        self._stored = 0
        self._progress_at = channel.timing.clock.monotonic()

    def start(self) -> None:
        self._routine.start(self._run(), f"{self._channel.name}: poll {self.stream}")

    async def stop(self, grace_seconds: float) -> None:
        await self._routine.stop(grace_seconds)

    def wake(self, hint: Mapping[str, Any] | None = None) -> None:
        """Poll soon. A hint replaces an older one that still waits; a call without a hint keeps it."""
        if hint:
            self._hint = hint
        self._due.set()

    async def _run(self) -> None:
        while not self._routine.is_stopping:
            await self._due.wait()
            async with self._channel.condition.turn():
                seconds = await self._attempt()
            if seconds and not self._routine.is_stopping:
                await pause(self._channel.timing, seconds)

    async def _attempt(self) -> float:
        """One poll. Returns how long to wait before the next."""
        if reason := self._channel.backlog():
            self._channel.condition.wait_for(reason)
            return BACKLOG_SECONDS
        hint, self._hint = self._hint, {}
        self._due.clear()
        try:
            await self._walk(hint)
        except Exception as error:  # whatever it is, this stream alone pauses
            return self._fail(error, hint)
        self._backoff.reset()
        self._failures = 0
        self._channel.condition.recover(self._part)
        return 0.0

    def _fail(self, error: Exception, hint: Mapping[str, Any]) -> float:
        self.wake(self._hint or hint)
        if reaction_to(error).suspects_page:
            place = encode_stable(self._cursor)
            self._failures = self._failures + 1 if place == self._failed_at else 1
            self._failed_at = place
            if self._failures >= SUSPECT_FAILURES and self._limit > 1:
                self._limit, self._single_left = 1, PAGE
                self._channel.log.info("reading_one_at_a_time", stream=self.stream)
        return self._channel.condition.fail(self._part, error, self._backoff)

    async def _walk(self, hint: Mapping[str, Any]) -> None:
        self._stored = 0
        while await self._read(hint):
            pass

    async def _read(self, hint: Mapping[str, Any]) -> bool:
        """One pass of the connector's `poll`. Returns whether to ask for more at once."""
        channel = self._channel
        start = self._cursor = await channel.journal.cursor(channel.name, self.stream)
        more = False
        async with closing(channel.connector.poll(self.stream, start, hint, self._limit)) as batches:
            async for batch in batches:
                if self._leaves():
                    return self._page_is_over()
                await self._store(batch)
                more = batch.more
        self._limit = PAGE
        return more and self._cursor != start

    def _leaves(self) -> bool:
        """Whether to end the pass here: what was just fetched comes again. Asked only once the connector has run
        the line behind the `yield` of what is stored."""
        if self._routine.is_stopping or self._channel.backlog():
            self._due.set()
            return True
        return self._limit == 1 and self._single_left <= 0

    def _page_is_over(self) -> bool:
        """Whether the items of a suspect page are all stored: the next page is read whole, at once."""
        if self._limit == 1 and self._single_left <= 0:
            self._limit = PAGE
            return not self._routine.is_stopping
        return False

    async def _store(self, batch: Batch) -> None:
        await self._routine.commit(self._channel.deposit(batch, stream=self.stream))
        if batch.cursor is not None:
            self._cursor = batch.cursor
        self._stored += len(batch.raws)
        self._single_left -= len(batch.raws)
        self._channel.condition.recover(self._part)
        if batch.more:
            self._show_progress(batch)

    def _show_progress(self, batch: Batch) -> None:
        now = self._channel.timing.clock.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            self._channel.log.info("reading", stream=self.stream, stored=self._stored, remaining=batch.remaining)


@asynccontextmanager
async def closing(items: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Close a generator when we leave it early: the line behind its `yield` must not run then."""
    try:
        yield items
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
