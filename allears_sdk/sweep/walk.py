"""The walk through the pages of such a list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from allears_sdk.connector import Batch, Cursor, Gap
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.sweep.place import Page, Place, dump, ends, is_below, load, lowered, portions
from allears_sdk.sweep.settings import SweepSettings

_EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Older than anything: the list was empty when it was last read."""
OVERLAP = timedelta(hours=48)
"""Moderation shows a review late, under the date it was written."""


class Sweep:
    """One stream. `ask` gives the page at a position, "" being the top, and raises the SDK's errors: Rejected for a
    position it no longer knows. `every`: between two sweeps; none where edits come to the top by themselves. `window`:
    how far back the source gives anything, if it does not say so by a last page that is not whole. `is_ordered`: false
    where nobody promises that the newest come first; a sweep then finds what the top does not show. `is_strict`: the
    order is kept, so that reading ends at the first that is older than the newest less the overlap."""

    def __init__(
        self,
        context: Context,
        ask: Callable[[str], Awaitable[Page]],
        *,
        look_back: timedelta,
        every: timedelta | None = None,
        max_pages: int = 100,
        overlap: timedelta = OVERLAP,
        window: timedelta | None = None,
        is_ordered: bool = True,
        is_strict: bool = False,
    ) -> None:
        self._context = context
        self._ask = ask
        self._look_back = look_back
        self._every = every
        self._max_pages = max_pages
        self._overlap = overlap
        self._window = window
        self._is_ordered = is_ordered
        self._is_strict = is_strict
        self._offered: dict[int, int] = {}
        """Marks of what the last poll found at the top, and stored: not worth offering again."""

    @classmethod
    def deep(
        cls,
        context: Context,
        ask: Callable[[str], Awaitable[Page]],
        settings: SweepSettings,
        *,
        look_back: timedelta,
        overlap: timedelta = OVERLAP,
        window: timedelta | None = None,
        is_ordered: bool = True,
    ) -> Sweep:
        """As the admin says; `look_back` is the connector's own, where the admin says none."""
        return cls(
            context,
            ask,
            look_back=look_back if settings.look_back is None else settings.look_back,
            every=timedelta(hours=settings.sweep_hours),
            max_pages=settings.sweep_pages,
            overlap=overlap,
            window=window,
            is_ordered=is_ordered,
        )

    def forget(self, keys: Iterable[str]) -> None:
        """Of these something has come from elsewhere (a push, another list): what the list says is offered again."""
        for key in keys:
            self._offered.pop(hash(key), None)

    async def batches(self, cursor: Cursor | None, limit: int) -> AsyncIterator[Batch]:
        """At most `limit` raws in each; every cursor is true once its batch is stored."""
        place = load(cursor) if cursor is not None else Place(floor=self._context.clock.now() - self._look_back)
        if cursor is None:  # fixed before anything can fail: what is written from now on is never too old
            yield Batch(cursor=dump(place), more=True)
        top, resumed = _Top(), place.position
        async for batch in self._read_top(place, limit, top):
            yield batch
        gaps, place = self._gaps(place, top), self._after(place, top)
        if gaps or top.has_news or dump(place) != cursor:
            yield Batch(cursor=dump(place), gaps=gaps, more=bool(place.position))
        while place.position:
            try:
                page, known = await self._page(place.position)
            except Rejected:
                if place.position != resumed:
                    raise
                yield Batch(cursor=dump(replace(place, position="", pages=0)))  # the next poll begins it anew
                return
            for raws in portions(page, place, known, limit):
                yield Batch(raws=raws, more=True)
            place = self._deeper(place, page)
            yield Batch(cursor=dump(place), more=bool(place.position))

    async def _read_top(self, place: Place, limit: int, top: _Top) -> AsyncIterator[Batch]:
        known_to = place.newest or place.floor or (_EVER if self._is_strict else self._context.clock.now())
        horizon = known_to - self._overlap
        before, self._offered = self._offered, {}
        while True:
            page, known = await self._page(top.last.next)
            for raws in portions(page, place, known, limit):
                if new := [raw for raw in raws if before.get(hash(raw.key)) != hash(raw.digest)]:
                    top.has_news = True
                    yield Batch(raws=new, more=True)
                self._offered |= {hash(raw.key): hash(raw.digest) for raw in raws}  # 64 bits: a first run has many
            top.add(page, known)
            if not page.next and not page.is_whole and not top.count and place.newest:
                raise Unavailable("the list is empty, though it held items: a lapse of the source, or all are deleted")
            if not page.next or is_below(horizon, page, place, known, is_strict=self._is_strict):
                return

    async def _page(self, position: str) -> tuple[Page, Collection[str]]:
        """A page, and which of its items are stored already."""
        page = await self._ask(position)
        if page.next and page.next == position:
            raise Unavailable("a page of the list names itself as the next one")
        return page, await self._context.known([item.raws[0].key for item in page.items])

    def _after(self, place: Place, top: _Top) -> Place:
        """The top is stored; a sweep that is due goes on below it."""
        now = self._context.clock.now()
        newest = max((at for at in (place.newest, *top.times) if at is not None), default=None)
        floor = self._lowered(place, top.last)
        place = replace(place, newest=newest and min(newest, now), floor=floor, read=now if self._window else None)
        is_first = place.swept is None and (bool(top.count) or top.last.is_whole)  # an empty list may be a lapse
        if self._every is None:
            return replace(place, swept=now) if is_first else place
        if place.position or not (is_first or (place.swept and now - place.swept >= self._every)):
            return place
        return self._deeper(replace(place, pages=top.pages - 1), top.last)

    def _deeper(self, place: Place, page: Page) -> Place:
        """The page is stored."""
        place = replace(place, floor=self._lowered(place, page), position=page.next, pages=place.pages + 1)
        is_over = not page.next or place.pages >= self._max_pages
        return replace(place, position="", pages=0, swept=self._context.clock.now()) if is_over else place

    def _lowered(self, place: Place, page: Page) -> datetime | None:
        return lowered(place.floor, page, is_ordered=self._is_ordered)

    def _gaps(self, place: Place, top: _Top) -> tuple[Gap, ...]:
        """What was written since the last poll and is no longer given."""
        now = self._context.clock.now()
        if self._window and place.read and now - place.read > self._window:
            return (Gap(since=place.read, until=now - self._window, reason="older than the source gives anything"),)
        is_cut = not top.last.next and not top.last.is_whole and not top.has_known
        if is_cut and place.newest and top.times and min(top.times) > place.newest:
            return (Gap(since=place.newest, until=min(top.times), reason="the list ends before what was read last"),)
        return ()


class _Top:
    """What one reading of the top has seen."""

    def __init__(self) -> None:
        self.last = Page(items=())
        self.pages = self.count = 0
        self.times: list[datetime] = []
        """The newest and the oldest of each page."""
        self.has_known = self.has_news = False

    def add(self, page: Page, known: Collection[str]) -> None:
        self.last = page
        self.pages += 1
        self.count += len(page.items)
        self.times += ends(page)
        self.has_known = self.has_known or bool(known)
