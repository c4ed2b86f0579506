"""The journal's promises in miniature: what counts as new, when a cursor moves, and what a death leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from allears_sdk.connector import Batch, Connector, Cursor, Gap, Hears, Missing, Wake
from allears_sdk.message import Raw

MAX_POLLS = 100
QUIET_SECONDS = 0.5
"""A listener that yields nothing for so long, all having been said, has nothing more to say."""


class Died(Exception):
    """The daemon was killed here."""


class MiniJournal:
    """Accepts as the real one does: a raw is new when its key is, or when its digest is not the newest one's."""

    def __init__(self) -> None:
        self.raws: list[Raw] = []
        self.cursors: dict[str, Cursor] = {}
        self.missing: dict[str, Missing] = {}
        self.gaps: list[Gap] = []
        self._newest: dict[str, str] = {}

    def accept(self, stream: str, batch: Batch) -> int:
        """Raws, letters and cursor in one step; how many raws were new."""
        new = [raw for raw in batch.raws if self._is_new(raw)]
        self.raws.extend(new)
        self.missing.update({item.key: item for item in batch.missing})
        self.gaps.extend(batch.gaps)
        if batch.cursor is not None:
            self.cursors[stream] = dict(batch.cursor)
        return len(new)

    def known(self) -> frozenset[str]:
        return frozenset(self._newest)

    def _is_new(self, raw: Raw) -> bool:
        """Known by its key; what can change also by its newest digest. Notes it as the newest."""
        newest = self._newest.get(raw.key)
        self._newest[raw.key] = raw.digest
        return newest is None or (raw.digest != "" and raw.digest != newest)


async def hear(
    connector: Connector[Any],
    journal: MiniJournal,
    *,
    limit: int = 10,
    die_at: int | None = None,
    is_stored: bool = False,
) -> list[Batch]:
    """Polls every stream until it holds no more, as the core does; the batches it gave.

    With `die_at` the daemon dies at that `yield` (counted from 0): before the batch is stored, or with `is_stored`
    after it is, but before the line after `yield` runs. Raises Died.
    """
    batches: list[Batch] = []
    for stream in await connector.streams():
        for _ in range(MAX_POLLS):
            more = False
            async with aclosing(connector.poll(stream, journal.cursors.get(stream), {}, limit)) as polled:  # type: ignore[type-var] # every poll is an async generator
                async for batch in polled:
                    dies = len(batches) == die_at
                    if is_stored or not dies:
                        journal.accept(stream, batch)
                    if dies:
                        raise Died
                    batches.append(batch)
                    more = batch.more
            if not more:
                break
        else:
            raise AssertionError(f"stream {stream} says there is more after {MAX_POLLS} polls")
    return batches


async def attend(
    connector: Connector[Any],
    journal: MiniJournal,
    pushed: Awaitable[None],
    is_enough: Callable[[], bool],
    *,
    die_at: int | None = None,
    is_stored: bool = False,
) -> None:
    """Listens as the core does, a wake being a poll, until `is_enough` or all is quiet.

    With `die_at` the daemon dies at that `yield`, once `pushed` is over: before what was yielded is stored, or with
    `is_stored` after it is, but before the line after `yield` runs.
    """
    pushing, count = asyncio.ensure_future(pushed), 0
    async with aclosing(connector.listen()) as items:  # type: ignore[type-var] # every listener is an async generator
        while (item := await _next(items, pushing)) is not None:
            dies = count == die_at
            if is_stored or not dies:
                await _take(connector, journal, item)
            if dies or is_enough():
                await pushing  # it is said to somebody who listens
                break
            count += 1
    await pushing


async def _next(items: Any, pushing: asyncio.Future[None]) -> Batch | Wake | None:
    """None at the end, or when nothing more comes."""
    step = asyncio.ensure_future(anext(items, None))
    await asyncio.wait([step, pushing], return_when=asyncio.FIRST_COMPLETED)
    if not step.done():
        await asyncio.wait([step], timeout=QUIET_SECONDS)
    step.cancel()
    await asyncio.wait([step])
    return None if step.cancelled() else step.result()


async def _take(connector: Connector[Any], journal: MiniJournal, item: Batch | Wake) -> None:
    if isinstance(item, Batch):
        journal.accept("", item)
    elif Hears.POLL in connector.spec.hears:
        await hear(connector, journal)
