"""Reading what is asked for by a span of time, in numbered pages, where rows move while they are read.

A span is closed before it is read, overlaps the one before, and is read from its last page to its first: a row that
changes meanwhile leaves it, the others move to pages that are still to come. The cursor moves after each whole span.
Lists by time of creation hide edits: `every` so often the last `depth` are read again, and at first what is older than
the look-back is noted only (baseline).
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Batch, Cursor, Gap, Missing
from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.sweep import Listed

SHORTEST = timedelta(seconds=1)
"""Spans are not halved below this: the platforms count in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    begin: datetime
    end: datetime
    """Both aware, and both inside."""
    part: str = ""
    """Which of the lists that together hold everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One page."""

    items: Sequence[Listed]
    total: int
    """Rows in the whole span."""
    missing: Sequence[Missing] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a platform lets itself be asked."""

    width: timedelta
    """The longest span of one question."""
    page_items: int
    closed: timedelta = timedelta(seconds=60)
    """So long ago a span ends: what is newer may still come in behind our back."""
    overlap: timedelta = timedelta(minutes=5)
    window: timedelta | None = None
    """How far back it gives anything; none: all there is."""
    most: int = 50_000
    """Rows it gives of one span: one with so many is halved."""
    parts: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands."""

    version: int = 1
    until: datetime
    """Everything up to here is stored."""
    floor: datetime | None = None
    """What is older and unknown is baseline; none: all there was has been seen."""
    swept: datetime | None = None
    """When the last reading again ended; none: there was none yet."""
    sweeping: datetime | None = None
    """How far the one under way has come."""


class Spans:
    """One stream. `ask` gives a page of a span, counted from 1, and raises the SDK's errors. `every` and `depth`: how
    often what was created in the last `depth` is read again; none where every change has a time of its own."""

    def __init__(
        self,
        context: Context,
        ask: Callable[[Span, int], Awaitable[Rows]],
        reach: Reach,
        *,
        look_back: timedelta,
        every: timedelta | None = None,
        depth: timedelta = timedelta(),
    ) -> None:
        self._context = context
        self._ask = ask
        self._reach = reach
        self._look_back = look_back
        self._every = every
        self._depth = depth

    async def batches(self, cursor: Cursor | None, limit: int) -> AsyncGenerator[Batch, None]:
        """At most `limit` raws in each; every cursor is true once its batch is stored."""
        now = self._context.clock.now()
        place = convert(dict(cursor), Place) if cursor is not None else self._beginning(now)
        if cursor is None:  # fixed before anything can fail: what is written from now on is never too old
            yield Batch(cursor=_dump(place), more=True)
        earliest = self._earliest(now)
        if earliest is not None and place.until < earliest and cursor is not None:
            gap = Gap(since=place.until, until=earliest, reason="older than the source gives anything")
            place = replace(place, until=earliest)
            yield Batch(cursor=_dump(place), gaps=(gap,), more=True)
        place = self._with_sweep(place, now)
        begin = place.until - (self._reach.overlap if cursor is not None else timedelta())
        end = max(now - self._reach.closed, place.until)
        async with aclosing(self._forward(place, max(begin, earliest or begin), end, limit)) as batches:
            async for batch in batches:
                yield batch
        if place.sweeping is not None:
            async with aclosing(self._sweep(replace(place, until=end), now, limit)) as batches:
                async for batch in batches:
                    yield batch

    def _beginning(self, now: datetime) -> Place:
        begin = now - self._look_back
        return Place(until=max(begin, self._earliest(now) or begin), floor=begin if self._every else None)

    def _earliest(self, now: datetime) -> datetime | None:
        return now - self._reach.window if self._reach.window else None

    def _with_sweep(self, place: Place, now: datetime) -> Place:
        if self._every is None or place.sweeping or (place.swept and now - place.swept < self._every):
            return place
        begin = now - self._depth
        return replace(place, sweeping=max(begin, self._earliest(now) or begin))

    async def _forward(self, place: Place, begin: datetime, end: datetime, limit: int) -> AsyncGenerator[Batch, None]:
        while begin < end:
            last = min(begin + self._reach.width, end)
            async with aclosing(self._batches(begin, last, None, limit)) as batches:
                async for batch in batches:
                    yield batch
            begin = last
            place = replace(place, until=max(place.until, last))
            yield Batch(cursor=_dump(place), more=last < end or place.sweeping is not None)

    async def _sweep(self, place: Place, now: datetime, limit: int) -> AsyncGenerator[Batch, None]:
        begin = place.sweeping or now
        while begin < place.until:
            last = min(begin + self._reach.width, place.until)
            async with aclosing(self._batches(begin, last, place.floor, limit)) as batches:
                async for batch in batches:
                    yield replace(batch, gaps=())  # told of when they were read first
            begin = last
            yield Batch(cursor=_dump(replace(place, sweeping=begin)), more=True)
        yield Batch(cursor=_dump(replace(place, sweeping=None, swept=now, floor=None)))

    async def _batches(
        self, begin: datetime, end: datetime, floor: datetime | None, limit: int
    ) -> AsyncGenerator[Batch, None]:
        for part in self._reach.parts:
            async with aclosing(self._pages(Span(begin=begin, end=end, part=part))) as pages:
                async for page in pages:
                    if isinstance(page, Gap):
                        yield Batch(gaps=(page,), more=True)
                        continue
                    raws = await self._raws(page, floor)
                    for start in range(0, max(len(raws), bool(page.missing)), limit):
                        missing = () if start else page.missing
                        yield Batch(raws=raws[start : start + limit], missing=missing, more=True)

    async def _pages(self, span: Span) -> AsyncGenerator[Rows | Gap, None]:
        first = await self._ask(span, 1)
        if first.total >= self._reach.most:
            if span.end - span.begin > SHORTEST:
                for half in _halves(span):
                    async with aclosing(self._pages(half)) as pages:
                        async for page in pages:
                            yield page
                return
            yield Gap(since=span.begin, until=span.end, reason="more in one second than the source gives")
        count = math.ceil(min(first.total, self._reach.most) / self._reach.page_items)
        for number in range(count, 1, -1):
            yield await self._ask(span, number)
        yield first if count <= 1 else await self._ask(span, 1)

    async def _raws(self, page: Rows, floor: datetime | None) -> Sequence[Raw]:
        old = [item for item in page.items if floor and item.at is not None and item.at < floor]
        known: Collection[str] = await self._context.known([item.raws[0].key for item in old]) if old else ()
        noted = {item.raws[0].key for item in old} - set(known)
        return [
            replace(raw, baseline=True) if item.raws[0].key in noted and not raw.quarantine else raw
            for item in page.items
            for raw in item.raws
        ]


def _halves(span: Span) -> tuple[Span, Span]:
    seconds = max(1, int((span.end - span.begin).total_seconds()) // 2)
    middle = span.begin + timedelta(seconds=seconds)
    return replace(span, end=middle), replace(span, begin=middle)


def _dump(place: Place) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = plain(place)
    return shown
