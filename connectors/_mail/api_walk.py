"""The walk through a mailbox behind an HTTP API: list, fetch, hand over, and after the commit mark or remove.

A round ends where the source has nothing more. Until all its mails are stored the cursor stays where the round
began: after a crash they are listed again, and what is known is not fetched again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from allears_sdk.connector import Batch, Cursor, Missing
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Raw
from connectors._mail.authorised import AT_ONCE
from connectors._mail.position import Reading, load
from connectors._mail.raw import mail_raw
from connectors._mail.source import Gone, Listed, Mail, Page, Source, Void

PAGE_BYTES = 8 << 20
ROUND = 50_000
"""Mails listed before the first is fetched, at most."""
BACKLOG_PAGES = 4
"""With more to read than so many pages, the newest and the oldest take turns, and what arrives meanwhile joins."""
OUTAGE = 3
"""Failures in a row that are not these mails' fault."""
ABSENT_SECONDS = 60.0
"""A mail that was listed but is not there is asked for again this long: an answer may come from a store that lags."""
PATIENCE_SECONDS = 900.0
"""A mail that fails so long while others do not is given up: it becomes a letter."""


@dataclass(slots=True, kw_only=True)
class Haul:
    """What one batch holds."""

    raws: list[Raw] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    """Ids of mails that were read whole: these may be marked or removed."""
    size: int = 0
    error: AllearsError | None = None
    """Why nothing more can be fetched now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A batch, which of its mails may be settled once it is stored, and why there can be no other now."""

    batch: Batch | None = None
    whole: Sequence[str] = ()
    error: AllearsError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A list that broke off before anything was fetched: the next poll from the same cursor goes on with it."""

    cursor: Cursor | None
    position: str
    todo: list[Listed]


class ApiWalk:
    """Lives as long as the connector; what it remembers beyond the cursor only saves work."""

    def __init__(self, source: Source, context: Context, *, max_mail_bytes: int, settles: bool) -> None:
        self.source = source
        self.context = context
        self.max_mail_bytes = max_mail_bytes
        self.settles = settles
        self.failing: dict[str, float] = {}
        """Ids the source fails to hand over, and since when (monotonic seconds)."""
        self.absent: dict[str, float] = {}
        """Ids that are listed but not there, likewise."""
        self.carried: Carried | None = None
        self._marks: tuple[str, ...] = ()
        self._unsettled: tuple[str, ...] = ()

    async def batches(
        self, cursor: Cursor | None, limit: int, look_back: timedelta | None
    ) -> AsyncGenerator[Batch, None]:
        """Batches until nothing is left to read. Raises the SDK's errors; every cursor is true once its batch is
        stored."""
        now = self.context.clock.now().replace(microsecond=0)  # sources give whole seconds
        since = now - look_back if look_back is not None else None
        if cursor is None:  # fixed before anything can fail: what arrives from now on is never too old
            cursor = Reading(since=since).dump()
            yield Batch(cursor=cursor, more=True)
        reading = load(cursor)
        if reading.marks != self._marks:
            self._marks = self._unsettled = reading.marks
        await self._settle(again=True)
        this = Round(self, reading, cursor)
        async for page in this.listing():
            while (step := await this.step(page, limit)) is not None:
                if step.batch is not None:
                    yield step.batch
                    self._marks = self._unsettled = tuple(step.whole)
                    await self._settle(again=False)
                if step.error is not None:
                    raise step.error
        this.end()

    async def _settle(self, *, again: bool) -> None:
        """What is left of the mails stored last; where it breaks off, the next poll goes on."""
        size = self.source.settles_at_once
        while self._unsettled and self.settles:
            await self._settle_group(self._unsettled[:size], again=again)
            self._unsettled = self._unsettled[size:]

    async def _settle_group(self, ids: Sequence[str], *, again: bool) -> None:
        stops = (Rejected, ConfigError, Unavailable) if again else (Rejected, ConfigError)
        try:
            await self.source.settle(ids, again=again)
        except stops as error:  # they are stored: a mark that is refused, or fails twice, stops no reading
            facts = {"count": len(ids), "reason": str(error), "detail": error.detail}
            self.context.log.warning("mail_not_settled", **self.source.place, **facts)

    def is_hopeless(self, listed: Listed) -> bool:
        since = self.failing.get(listed.id)
        return since is not None and self.context.clock.monotonic() - since >= PATIENCE_SECONDS

    def is_gone(self, listed: Listed) -> bool:
        now = self.context.clock.monotonic()
        if now - self.absent.setdefault(listed.id, now) < ABSENT_SECONDS:
            return False
        del self.absent[listed.id]
        return True

    def header_key(self, listed: Listed) -> str:
        """The raw key of a mail whose header alone is kept: with a larger limit it is read whole."""
        return f"{listed.id}#{self.max_mail_bytes}"


class Round:
    """One poll: what was listed and is still to be fetched."""

    def __init__(self, walk: ApiWalk, reading: Reading, stored: Cursor | None) -> None:
        self._walk = walk
        self._source = walk.source
        self._reading = reading
        self._stored = stored
        self._todo: list[Listed] = []
        self._stuck: dict[str, AllearsError] = {}
        self._absent: set[str] = set()
        self._failures_in_row = 0
        self._newest = False
        self._has_fetched = False
        self._ripe: Page | None = None
        self._news = ""
        """How far what arrived during this round has been listed."""

    async def listing(self) -> AsyncIterator[Page]:
        """The source's pages, what is unknown of them noted."""
        try:
            async for page in self._pages(self._resumed() or self._reading.position):
                yield page
            return
        except Void:
            self._walk.context.log.warning("mail_position_void", **self._source.place)
        self._reading = replace(self._reading, position="")
        try:
            async for page in self._pages(""):
                yield page
        except Void as error:
            raise Unavailable(f"the source gives up its own list: {error}") from None

    async def _pages(self, position: str) -> AsyncIterator[Page]:
        try:
            async for page in self._source.pages(position, self._reading.since):
                await self._note(page)
                position = page.position
                yield page
        except (RetryLater, Unavailable):
            if position and self._todo and not self._has_fetched:
                self._walk.carried = Carried(cursor=self._stored, position=position, todo=self._todo)
            raise

    def _resumed(self) -> str:
        carried, self._walk.carried = self._walk.carried, None
        if carried is None or carried.cursor != self._stored:
            return ""
        self._todo = carried.todo
        return carried.position

    async def step(self, page: Page, limit: int) -> Step | None:
        """The next batch of what was noted up to this page; None where it is time to list on."""
        if not self._is_ripe(page):
            return None
        if not self._todo:
            return self._conclude(page)
        if page.ends and self._has_fetched and len(self._todo) > BACKLOG_PAGES * limit:
            await self._join_news(page)
        haul = await self._fetch(limit)
        marks = tuple(haul.whole) if self._walk.settles else ()
        after = replace(self._reading, marks=marks)
        if self._is_done(haul):
            after = replace(after, position=self._news or page.position)
        batch = self._batch(haul, after, page) if haul.raws or haul.missing else None
        return Step(batch=batch, whole=marks, error=haul.error)

    def _is_ripe(self, page: Page) -> bool:
        """Whether to fetch before listing on; once begun, until all up to this page is stored."""
        if page.ends or (page.position and (not self._todo or len(self._todo) >= ROUND)):
            self._ripe = page
        return self._ripe is page

    def _conclude(self, page: Page) -> Step | None:
        """All up to this page is stored: the cursor may say so."""
        if self._stuck or self._absent:
            return None
        self._reading = replace(self._reading, position=self._news or page.position, marks=())
        self._news = ""
        return Step(batch=self._batch(Haul(), self._reading, page)) if self._has_moved() else None

    def _is_done(self, haul: Haul) -> bool:
        return not (self._todo or self._stuck or self._absent or haul.error)

    def end(self) -> None:
        """Mails that failed alone are asked for again by the next poll; the cursor waits for them."""
        if self._stuck:
            now = self._walk.context.clock.monotonic()
            for mail in self._stuck:
                self._walk.failing.setdefault(mail, now)
            error = next(iter(self._stuck.values()))
            raise Unavailable(f"{len(self._stuck)} mails are not handed over; first: {error}", detail=error.detail)

    def _batch(self, haul: Haul, after: Reading, page: Page) -> Batch:
        self._stored = after.dump()
        return Batch(
            raws=haul.raws,
            missing=haul.missing,
            cursor=self._stored,
            more=not (self._is_done(haul) and page.ends),
            remaining=len(self._todo) or None,
        )

    def _has_moved(self) -> bool:
        stored = {**self._stored} if self._stored is not None else {}
        stored.pop("marks", None)
        return stored != self._reading.dump()

    # Listing

    async def _note(self, page: Page) -> None:
        since = self._reading.since
        there = {one.id for one in self._todo} | self._stuck.keys() | self._absent
        fresh = {one.id: one for one in page.listed if one.id not in there and not _is_old(one.at, since)}
        if not fresh:
            return
        keys = {key for one in fresh.values() for key in (one.id, self._walk.header_key(one))}
        known = await self._walk.context.known(keys)
        self._todo += [one for one in fresh.values() if not {one.id, self._walk.header_key(one)} & known]
        self._todo.sort(key=lambda one: one.rank)

    async def _join_news(self, page: Page) -> None:
        """What has arrived since: today's mail does not wait for last week's."""
        with suppress(Void):  # the next poll begins anew
            async for later in self._source.pages(self._news or page.position, self._reading.since):
                await self._note(later)
                self._news = later.position or self._news

    # Fetching

    async def _fetch(self, limit: int) -> Haul:
        haul = Haul()
        self._has_fetched = True
        self._newest = limit > 1 and len(self._todo) > BACKLOG_PAGES * limit and not self._newest
        while self._todo and haul.error is None and haul.size < PAGE_BYTES:
            room = limit - len(haul.raws) - len(haul.missing)
            if room <= 0:
                break
            group = self._take(min(room, AT_ONCE))
            answers = await asyncio.gather(*(self._ask(one) for one in group))
            for one, answer in zip(group, answers, strict=True):
                self._sort(haul, one, answer)
        return haul

    def _take(self, count: int) -> list[Listed]:
        chosen = slice(-count, None) if self._newest else slice(None, count)
        group = self._todo[chosen]
        del self._todo[chosen]
        return group

    async def _ask(self, listed: Listed) -> Mail | AllearsError | None:
        try:
            return await self._source.fetch(listed)
        except AllearsError as error:
            return error

    def _sort(self, haul: Haul, listed: Listed, answer: Mail | AllearsError | None) -> None:
        if isinstance(answer, Unavailable) and not self._walk.is_hopeless(listed):
            self._stuck[listed.id] = answer
            self._failures_in_row += 1
            if self._failures_in_row >= OUTAGE:
                haul.error = haul.error or answer
            return
        if isinstance(answer, Gone):
            self._absent |= set() if self._walk.is_gone(listed) else {listed.id}
            return
        if isinstance(answer, AllearsError) and not isinstance(answer, Rejected | Unavailable):
            haul.error = haul.error or answer
            return
        if isinstance(answer, AllearsError):
            haul.missing.append(self._missing(listed, answer))
            return
        self._failures_in_row = 0
        self._walk.failing.pop(listed.id, None)
        self._walk.absent.pop(listed.id, None)
        if answer is not None and not _is_old(answer.at, self._reading.since):
            haul.raws.append(self._raw(listed, answer))
            haul.size += len(answer.body)
            haul.whole += [listed.id] if answer.is_whole else []

    def _raw(self, listed: Listed, mail: Mail) -> Raw:
        now = self._walk.context.clock.now()
        at, limit, place = mail.at or listed.at or now, self._walk.max_mail_bytes, self._source.place
        reason = f"larger than {limit} bytes; only the header was read ({listed.id} in {place['folder']})"
        return mail_raw(
            listed.id if mail.is_whole else self._walk.header_key(listed),
            mail.body,
            min(at, now),
            context=place,
            quarantine="" if mail.is_whole else reason,
        )

    def _missing(self, listed: Listed, error: AllearsError) -> Missing:
        reason = f"{error}: {error.detail}" if error.detail else str(error)
        return Missing(key=listed.id, reason=reason, locator={**self._source.place, "id": listed.id})


def _is_old(at: datetime | None, since: datetime | None) -> bool:
    return at is not None and since is not None and at < since
