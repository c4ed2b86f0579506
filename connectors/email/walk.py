"""The walk through one folder, page by page: list, read, hand over, and after the commit mark or remove."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

from allears_sdk.connector import Batch, Cursor
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from connectors.email import pages
from connectors.email.cursor import Reading, begun, load, message_set, spans
from connectors.email.faults import Broken, Refused
from connectors.email.line import Line
from connectors.email.mail import Listed, Place
from connectors.email.pages import Haul, Order, Plan
from connectors.email.session import Session
from connectors.email.settings import EmailSettings

BACKLOG_PAGES = 4
"""With more to read than so many pages, the newest page and the oldest take turns."""
STRIKES = 3
"""The connection may break so often over one mail before that mail is given up."""
PROBE = 20
RARELY_SECONDS = 300.0
"""So often a folder is read on schedule whose server would have told of anything new."""


class Walk:
    """Lives as long as the connector; what it remembers beyond the cursor only saves work."""

    def __init__(self, folder: str, line: Line, settings: EmailSettings, context: Context) -> None:
        self._folder = folder
        self._line = line
        self._settings = settings
        self._context = context
        self._newest = False
        self._marked: object = None
        self._strikes: Counter[tuple[int, int]] = Counter()
        self._validity = 0
        self._read_at = -math.inf
        self._passed: set[int] = set()
        """Consuming only: mails that stay in the folder, so that they are not read at every poll."""
        self._unremoved: set[int] = set()
        """Consuming only: stored, but the server refused to remove them."""

    async def pages(self, cursor: Cursor | None, limit: int, look_back: timedelta | None) -> AsyncIterator[Batch]:
        """Batches until the folder is read. Raises the SDK's errors; every cursor is true once its batch is stored."""
        if self._is_told():
            return
        with self._line.polling():
            async with self._line.turn(self._folder) as session:
                reading = await self._start(session, cursor, look_back)
                page: tuple[Plan, Haul] | None = await self._page(session, reading, limit)
            await self._catch_up(reading)
            while page is not None:
                plan, haul = page
                dumped = self._dump(plan.after)
                if haul.raws or haul.missing or dumped != cursor:
                    yield Batch(
                        raws=haul.raws,
                        missing=haul.missing,
                        cursor=dumped,
                        more=bool(plan.after.todo),
                        remaining=plan.remaining,
                    )
                    cursor = dumped
                reading = plan.after
                self._pass(plan, haul)
                await self._settle(reading, haul.whole)
                del page, plan, haul  # the bytes: the next page is about to be read
                page = await self._next(reading, limit)
        self._read_at = self._context.clock.monotonic()

    def _is_told(self) -> bool:
        is_fresh = self._context.clock.monotonic() - self._read_at < RARELY_SECONDS
        return is_fresh and self._line.would_hear(self._folder)

    async def _next(self, reading: Reading, limit: int) -> tuple[Plan, Haul] | None:
        if not reading.todo:
            return None
        async with self._line.turn(self._folder) as session:
            if _validity(session) != reading.uid_validity:
                return None  # the folder was made anew: the next poll starts over
            return await self._page(session, reading, limit)

    # Beginning

    async def _start(self, session: Session, cursor: Cursor | None, look_back: timedelta | None) -> Reading:
        validity = _validity(session)
        if validity != self._validity:
            self._validity = validity
            self._passed.clear()
            self._unremoved.clear()
        reading = load(cursor) if cursor is not None else None
        if reading is None or reading.uid_validity != validity:
            reading = await self._begin(session, reading, look_back)
        if self._settings.consumes:
            top = await self._line.call(Session.top)
            return replace(reading, todo=((1, top),) if top else (), next_uid=top + 1)
        return reading

    async def _begin(self, session: Session, void: Reading | None, look_back: timedelta | None) -> Reading:
        """A first run, or a folder whose UIDs have become void."""
        top = await self._line.call(Session.top)
        since = self._context.clock.now() - look_back if look_back is not None else None
        relist = False
        if void is not None:
            since, relist = void.since, True
            facts = {"folder": self._folder, "before": void.uid_validity, "now": _validity(session)}
            self._context.log.warning("mail_uids_void", **facts)
        elif not self._settings.consumes:
            relist = await self._knows_some(top)
        return begun(uid_validity=_validity(session), top=top, since=since, relist=relist)

    async def _knows_some(self, top: int) -> bool:
        """Without a cursor: whether the newest mails are stored already (a restored journal, a lost cursor)."""
        newest = await self._line.call(Session.listing, f"{max(1, top - PROBE + 1)}:{top}") if top else []
        keys = await self._line.call(pages.list_keys, newest)
        return bool(await self._context.known(frozenset(keys.values())))

    # One page

    async def _page(self, session: Session, reading: Reading, limit: int) -> tuple[Plan, Haul]:
        order = self._order(session, reading, limit)
        plan = await self._line.call(pages.plan, reading, order)
        self._line.note_read(self._folder, plan.after.next_uid)
        place = Place(folder=self._folder, uid_validity=reading.uid_validity, now=self._context.clock.now())
        try:
            unknown = await self._unknown(reading, plan.listed)
            haul = await self._line.call(pages.read, unknown, place, order) if unknown else Haul()
        except Broken:
            if session.reading_uid:
                self._strikes[reading.uid_validity, session.reading_uid] += 1
            raise
        marks = spans(list(haul.whole)) if self._settings.after == "seen" else ()
        return replace(plan, after=replace(plan.after, marks=marks or reading.marks)), haul

    def _order(self, session: Session, reading: Reading, limit: int) -> Order:
        big = min(reading.span(), session.exists) > BACKLOG_PAGES * limit
        self._newest = big and limit > 1 and not self._newest
        return Order(
            limit=limit,
            max_mail_bytes=self._settings.max_mail_bytes,
            newest=self._newest,
            passed=frozenset(self._passed | self._unremoved),
            hopeless=frozenset(
                uid
                for (validity, uid), strikes in self._strikes.items()
                if validity == reading.uid_validity and strikes >= STRIKES
            ),
        )

    async def _unknown(self, reading: Reading, listed: Sequence[Listed]) -> Sequence[Listed]:
        """Without those that are stored already under a void UID. What is to be removed is always read again: a
        known header proves no whole mail."""
        doubtful = [one for one in listed if reading.relist and one.uid < reading.old_below]
        if not doubtful or self._settings.consumes:
            return listed
        keys = await self._line.call(pages.list_keys, doubtful)
        known = await self._context.known(frozenset(keys.values()))
        return [one for one in listed if keys.get(one.uid) not in known]

    def _dump(self, reading: Reading) -> Cursor:
        if self._settings.consumes:
            reading = replace(reading, todo=(), next_uid=1, marks=())
        return reading.dump()

    # After the commit

    def _pass(self, plan: Plan, haul: Haul) -> None:
        if self._settings.consumes:
            stays = {one.uid for one in plan.listed} - set(haul.whole)
            self._passed |= stays | set(plan.old)

    async def _catch_up(self, reading: Reading) -> None:
        """What a crash or a refusal left undone after an earlier commit."""
        if self._settings.consumes:
            await self._settle(reading, sorted(self._unremoved))
        elif self._settings.after == "seen" and reading.marks and reading.marks != self._marked:
            await self._mark(reading)

    async def _settle(self, reading: Reading, whole: Sequence[int]) -> None:
        """Mark or remove what is stored whole, by its UIDs alone."""
        if not whole or self._settings.after == "nothing":
            return
        if self._settings.after == "seen":
            await self._mark(reading)
            return
        try:
            await self._remove(reading, message_set(list(whole)))
            self._unremoved.difference_update(whole)
        except Refused as error:
            self._unremoved.update(whole)
            self._context.log.warning("mail_not_removed", folder=self._folder, count=len(whole), detail=error.detail)

    async def _mark(self, reading: Reading) -> None:
        uids = ",".join(f"{first}:{last}" for first, last in reading.marks)
        async with self._line.turn(self._folder, sync=False) as session:
            self._must_be(session, reading)
            try:
                await self._line.call(Session.mark_seen, uids)
            except Refused as error:
                self._context.log.warning("mail_not_marked", folder=self._folder, detail=error.detail)
        self._marked = reading.marks

    async def _remove(self, reading: Reading, uids: str) -> None:
        async with self._line.turn(self._folder, sync=False) as session:
            self._must_be(session, reading)
            if self._settings.after == "move":
                await self._line.call(Session.move, uids, self._settings.move_to)
            else:
                await self._line.call(Session.delete, uids)

    def _must_be(self, session: Session, reading: Reading) -> None:
        """After a reconnect the same UIDs may be other mails."""
        if _validity(session) != reading.uid_validity:
            raise Unavailable(f"the folder {self._folder} was made anew; its mails are read again")


def _validity(session: Session) -> int:
    return session.selected.uid_validity if session.selected is not None else 0
