"""What a maildrop holds that is new, and what in it may be deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from allears_sdk.context import Context
from connectors._mail.raw import relayed_key
from connectors.pop3.cursor import PREFIX, Reading
from connectors.pop3.mail import Listed, arrived_at, header_key, old_key
from connectors.pop3.session import Session
from connectors.pop3.settings import Pop3Settings
from connectors.pop3.visit import Visit

CHUNK = 2000
"""So many mails are looked up in the journal at once."""
RELIST_SECONDS = 1800.0
"""A maildrop is listed whole at least this often: the order of its mails is nowhere promised."""
FEW = 50
"""So many new mails are listed one by one."""
AGES_AT_ONCE = 500
"""Of so many mails a visit finds out how old they are, before `keep_days` is up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The end of a maildrop all of whose mails were dealt with: while it looks the same, nothing is new."""

    count: int
    size: int
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    tip: Tip
    unknown: tuple[Listed, ...] = ()
    """In the maildrop's order, which is nearly always that of arrival."""
    removable: tuple[int, ...] = ()
    """Stored whole, and old enough."""


class Listing:
    """Lives as long as the connector; what it remembers only saves work."""

    def __init__(self, settings: Pop3Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._tip: Tip | None = None
        self._listed_at = 0.0
        self._arrivals: dict[str, datetime] = {}
        """Of mails that are kept for a while: when they came, by the beginning of their key."""

    def remember(self, tip: Tip | None) -> None:
        self._tip = tip

    async def find(self, visit: Visit, reading: Reading) -> Found:
        count, size = await visit.call(Session.stat)
        first = await self._first_new(visit, count, size)
        mark = self._tip.mark if self._tip and first > 1 else ""
        unknown: list[Listed] = []
        stored: list[Listed] = []
        async for chunk in self._chunks(visit, first, count):
            await self._sort_out(chunk, reading, unknown, stored)
            mark = chunk[-1].mark
        removable = await self._removable(visit, stored, is_whole=first == 1)
        tip = Tip(count=count, size=size, mark=mark)
        return Found(tip=tip, unknown=tuple(unknown), removable=tuple(removable))

    # Listing as little as possible

    async def _first_new(self, visit: Visit, count: int, size: int) -> int:
        """The number of the first mail to look at: 1 when all must be, one too many when none is new."""
        tip, now = self._tip, self._context.clock.monotonic()
        is_fresh = tip is not None and now - self._listed_at < RELIST_SECONDS
        if tip is None or not is_fresh or not tip.count or not tip.count <= count <= tip.count + FEW:
            self._listed_at = now
            return 1
        same_size = count > tip.count or size == tip.size
        if same_size and (await self._one(visit, tip.count)).mark == tip.mark:
            return tip.count + 1
        self._listed_at = now
        return 1

    async def _chunks(self, visit: Visit, first: int, count: int) -> AsyncIterator[list[Listed]]:
        """In the maildrop's order, few at a time: a hundred thousand at once would hold up everybody else."""
        if first > 1:
            if first <= count:
                yield [await self._one(visit, number) for number in range(first, count + 1)]
            return
        sizes = await visit.call(Session.sizes)
        marks = await visit.call(Session.uids) if sizes and visit.session.has_uidl else {}
        ambiguous = {mark for mark, times in Counter(marks.values()).items() if times > 1}
        numbers = sorted(sizes)
        for start in range(0, len(numbers), CHUNK):
            chunk = []
            for number in numbers[start : start + CHUNK]:
                mark = marks.get(number, "")
                if not mark or mark in ambiguous:
                    mark = await self._header_mark(visit, number, sizes[number])
                chunk.append(Listed(number=number, size=sizes[number], mark=mark))
            yield chunk

    async def _one(self, visit: Visit, number: int) -> Listed:
        size = await visit.call(Session.size, number)
        mark = await visit.call(Session.uid, number) if visit.session.has_uidl else ""
        return Listed(number=number, size=size, mark=mark or await self._header_mark(visit, number, size))

    async def _header_mark(self, visit: Visit, number: int, size: int) -> str:
        """Where ids are missing, or two mails share one."""
        return relayed_key(await visit.call(Session.header, number, size), size)

    # What of it is new

    async def _sort_out(
        self, chunk: Sequence[Listed], reading: Reading, unknown: list[Listed], stored: list[Listed]
    ) -> None:
        """Adds to those nobody has seen, and to those that are stored whole."""
        keys = {one: one.key for one in chunk}
        known = await self._context.known(frozenset(self._asked(keys)))
        for one, key in keys.items():
            if key in known:
                stored.append(one)
            elif not ({header_key(key), old_key(key)} & known or reading.gave_up(key)):
                unknown.append(one)

    def _asked(self, keys: dict[Listed, str]) -> Iterable[str]:
        """A mail above the limit is unknown again once the limit is raised; below it the whole is asked for."""
        for one, key in keys.items():
            yield key
            yield old_key(key)
            if one.size > self._settings.max_mail_bytes:
                yield header_key(key)

    # What of it may go

    async def _removable(self, visit: Visit, stored: Sequence[Listed], *, is_whole: bool) -> list[int]:
        if self._settings.after != "delete":
            return []
        if not self._settings.keep_days:
            return [one.number for one in stored]
        if not is_whole:
            return []  # they have only just come; the next whole listing looks at them
        until = self._context.clock.now() - timedelta(days=self._settings.keep_days)
        await self._find_arrivals(visit, stored)
        return [one.number for one in stored if self._arrivals.get(one.key[:PREFIX], until) < until]

    async def _find_arrivals(self, visit: Visit, stored: Sequence[Listed]) -> None:
        """A mail that does not say when it came counts from now."""
        keys = {one.key[:PREFIX]: one for one in stored}
        self._arrivals = {key: at for key, at in self._arrivals.items() if key in keys}
        for key in islice([key for key in keys if key not in self._arrivals], AGES_AT_ONCE):
            header = await visit.call(Session.header, keys[key].number, keys[key].size)
            self._arrivals[key] = arrived_at(header) or self._context.clock.now()
