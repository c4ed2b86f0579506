"""Reading mentions: upwards from the newest one that is stored, and at a slow interval down through the older ones,
since nothing tells of an edit.

Our own answers are read between asking for a page and storing it: what a customer answers is then always there first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Batch, Cursor
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from connectors.mastodon.api import MastodonApi
from connectors.mastodon.raws import Item, answer, mention
from connectors.mastodon.settings import MastodonSettings

LOOK_BACK = timedelta(days=7)
MAX_MENTIONS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands."""

    floor: datetime
    """What is older and unknown is baseline."""
    version: int = 1
    newest: str = ""
    """Notification; all up to it is stored, but for what the sweep has not reached yet."""
    answered: str = ""
    """Newest post of our own."""
    swept: datetime | None = None
    is_sweeping: bool = False
    below: str = ""
    """Notification down to which the sweep has come; "": it begins."""
    pages: int = 0


def load(cursor: Cursor) -> Place:
    return convert(dict(cursor), Place)


def dump(place: Place) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = plain(place)
    return shown


class Walk:
    """One poll."""

    def __init__(self, api: MastodonApi, context: Context, settings: MastodonSettings, cursor: Cursor | None) -> None:
        self._api = api
        self._context = context
        self._settings = settings
        look_back = LOOK_BACK if settings.look_back is None else settings.look_back
        self._kept = cursor
        self._place = load(cursor) if cursor else Place(floor=context.clock.now() - look_back)

    async def batches(self, limit: int) -> AsyncIterator[Batch]:
        me = (await self._api.me()).id
        if self._kept is None:  # fixed before anything can fail: what is written from now on is never too old
            yield self._at(self._place, more=True)
        async for batch in self._read_new(me, min(limit, MAX_MENTIONS)):
            yield batch
        if not self._place.is_sweeping and self._is_due():
            self._place = replace(self._place, is_sweeping=True, below="", pages=0)
        while self._place.is_sweeping:
            page = await self._mentions(me, min(limit, MAX_MENTIONS), max_id=self._place.below)
            raws, place = await self._raws(page), self._deeper(page)
            yield self._at(place, raws, more=place.is_sweeping)
        if dump(self._place) != self._kept:
            yield self._at(self._place)

    async def _read_new(self, me: str, limit: int) -> AsyncIterator[Batch]:
        while True:
            page = await self._mentions(me, limit, min_id=self._place.newest)
            async for batch in self._read_answers(me, limit):
                yield batch
            if not page:
                return
            is_first = not self._place.newest
            place = replace(self._place, newest=_end(page, 0))
            if is_first:  # it is the newest page of all: the rest is below
                place = replace(place, is_sweeping=True, below=_end(page, -1), pages=1)
            yield self._at(place, await self._raws(page), more=is_first or len(page) >= limit)
            if is_first:
                return

    async def _read_answers(self, me: str, limit: int) -> AsyncIterator[Batch]:
        """On the first run as far back as mentions are: those are then read anew if it is interrupted."""
        is_first, below, newest = not self._place.answered, "", self._place.answered
        while True:
            position = {"max_id": below} if is_first else {"min_id": newest}
            listed = await self._api.own_posts(limit, **{name: at for name, at in position.items() if at})
            page = [answer(bytes(one), me, self._context.clock.now()) for one in listed]
            if not page:
                break
            newest = newest if is_first and below else _end(page, 0)
            below = _end(page, -1)
            raws = tuple(item.raw for item in reversed(page) if item.is_reply or not item.id)
            place = self._place if is_first else replace(self._place, answered=newest)
            if raws or place != self._place:
                yield self._at(place, raws, more=True)
            if is_first and self._is_old(page):
                break
        self._place = replace(self._place, answered=newest)

    async def _mentions(self, me: str, limit: int, **position: str) -> list[Item]:
        listed = await self._api.mentions(limit, **{name: at for name, at in position.items() if at})
        return [mention(bytes(one), me, self._context.clock.now()) for one in listed]

    async def _raws(self, page: Sequence[Item]) -> tuple[Raw, ...]:
        """Oldest first."""
        known = await self._context.known([item.raw.key for item in page])
        return tuple(self._raw(item, known) for item in reversed(page))

    def _raw(self, item: Item, known: Collection[str]) -> Raw:
        is_old = item.written_at is not None and item.written_at < self._place.floor
        return replace(item.raw, baseline=True) if is_old and item.raw.key not in known else item.raw

    def _at(self, place: Place, raws: Sequence[Raw] = (), *, more: bool = False) -> Batch:
        self._place = place
        self._kept = dump(place)
        return Batch(raws=raws, cursor=self._kept, more=more)

    def _deeper(self, page: Sequence[Item]) -> Place:
        pages = self._place.pages + 1
        if not page or pages >= self._settings.sweep_pages:
            return replace(self._place, is_sweeping=False, below="", pages=0, swept=self._context.clock.now())
        return replace(self._place, below=_end(page, -1), pages=pages)

    def _is_due(self) -> bool:
        swept = self._place.swept
        return swept is None or self._context.clock.now() - swept >= timedelta(hours=self._settings.sweep_hours)

    def _is_old(self, page: Sequence[Item]) -> bool:
        return all(item.written_at is not None and item.written_at < self._place.floor for item in page)


def _end(page: Sequence[Item], at: int) -> str:
    """The id by which the page goes on: that of its first item (0) or its last (-1), or of the nearest that has one."""
    ids = [item.id for item in page if item.id]
    if not ids:
        raise Unavailable("a page of posts without ids: not as Mastodon documents it")
    return ids[at]
