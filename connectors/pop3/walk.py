"""The walk through a maildrop: list, read page by page, hand over, and after the commit delete what may go."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from allears_sdk.connector import Batch, Cursor, Missing
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, Unavailable
from allears_sdk.mail.wire import Broken
from allears_sdk.message import Raw
from connectors._mail.raw import header_block
from connectors.pop3 import mail
from connectors.pop3.cursor import Reading, load, with_lost
from connectors.pop3.faults import Refused
from connectors.pop3.listing import FEW, Found, Listing
from connectors.pop3.mail import Listed
from connectors.pop3.session import Session
from connectors.pop3.settings import Pop3Settings
from connectors.pop3.visit import Visit

PAGE_BYTES = 8 << 20
BACKLOG_PAGES = 4
"""With more to read than so many pages, the newest page and the oldest take turns."""
VISIT_MAILS = 1000
"""After so many the maildrop is left and entered anew: only then deletions count and new mail is listed."""
OLD_IN_A_ROW = 100
"""A first run, reading back from the newest, meets so many old mails: those before them are old too."""
STRIKES = 3
"""The connection may break so often over one mail before that mail is given up."""
PATIENCE_SECONDS = 900.0
"""A mail that is refused for so long is given up: one that someone else deleted is no longer listed by then."""
OUTAGE = 20
"""So many refusals in a row are not these mails' fault."""


@dataclass(slots=True, kw_only=True)
class Haul:
    """What a page brought."""

    raws: list[Raw] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    """Numbers of the mails that were read whole: these may be deleted."""
    lost: list[str] = field(default_factory=list)
    """Keys of the mails that are given up."""
    fault: AllearsError | None = None
    """What ended the page early; what was read before is handed over first."""


class Walk:
    """Lives as long as the connector; what it remembers beyond the cursor only saves work."""

    def __init__(self, settings: Pop3Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._listing = Listing(settings, context)
        self._visit: Visit | None = None
        self._strikes: Counter[str] = Counter()
        self._refused: dict[str, float] = {}
        """Keys of mails the server refuses, and since when (monotonic seconds)."""
        self._refused_in_row = 0
        self._newest = False
        self._skipped = False
        self._olds = 0

    def close(self) -> None:
        if self._visit is not None:
            self._visit.kill()

    async def pages(self, cursor: Cursor | None, limit: int, look_back: timedelta | None) -> AsyncIterator[Batch]:
        """Batches until all is read that was there. Raises the SDK's errors."""
        reading = load(cursor) if cursor is not None else self._begin(look_back)
        is_done = False
        while not is_done:
            self._visit = visit = Visit(self._settings, self._context)
            try:
                await visit.enter()
                found = await self._listing.find(visit, reading)
                self._listing.remember(None)
                await visit.remove([*found.removable])
                todo = deque(found.unknown)
                check = reading.since is not None and (not reading.begun or len(todo) > FEW)
                self._olds, self._skipped, room = 0, False, VISIT_MAILS
                while todo and room > 0:
                    page = self._page(todo, reading, limit)
                    haul = await self._read(visit, page, reading, check=check)
                    room -= len(page) if not self._is_past(reading) else 0
                    reading = replace(reading, lost=with_lost(reading.lost, haul.lost))
                    if haul.raws or haul.missing:
                        cursor = reading.dump()
                        yield _batch(haul, cursor, len(todo))
                    await self._settle(visit, haul)
                is_done = not todo
                await visit.leave()
                self._remember(found, visit, is_done=is_done)
            finally:
                visit.kill()
        reading = replace(reading, begun=reading.begun or not self._skipped)
        if reading.dump() != cursor:
            yield Batch(cursor=reading.dump())

    def _begin(self, look_back: timedelta | None) -> Reading:
        return Reading(since=self._context.clock.now() - look_back if look_back is not None else None)

    async def _settle(self, visit: Visit, haul: Haul) -> None:
        """After the commit."""
        goes_now = self._settings.after == "delete" and not self._settings.keep_days
        if goes_now and not visit.session.is_dead:
            await visit.remove(haul.whole)
        if haul.fault is not None:
            raise haul.fault

    def _remember(self, found: Found, visit: Visit, *, is_done: bool) -> None:
        is_settled = is_done and not self._skipped and not visit.deletes
        self._listing.remember(found.tip if is_settled else None)

    # One page

    def _page(self, todo: deque[Listed], reading: Reading, limit: int) -> list[Listed]:
        """As many as fit, from the end that is read now; a first run reads back from the newest."""
        big = len(todo) > BACKLOG_PAGES * limit and limit > 1
        self._newest = not reading.begun or (big and not self._newest)
        page: list[Listed] = []
        room = PAGE_BYTES
        while todo and len(page) < limit:
            size = self._weight(todo[-1 if self._newest else 0])
            if page and size > room:
                break
            room -= size
            page.append(todo.pop() if self._newest else todo.popleft())
        return page

    def _weight(self, listed: Listed) -> int:
        return listed.size if listed.size <= self._settings.max_mail_bytes else 0

    def _is_past(self, reading: Reading) -> bool:
        """A first run has come to where everything is old: nothing more is asked of the server."""
        return not reading.begun and self._olds >= OLD_IN_A_ROW

    async def _read(self, visit: Visit, page: Sequence[Listed], reading: Reading, *, check: bool) -> Haul:
        haul, now = Haul(), self._context.clock.now()
        for one in page:
            try:
                if check and await self._is_old(visit, one, reading):
                    haul.raws.append(mail.before_us(one, now))
                else:
                    await self._read_one(visit, one, reading, haul)
            except Broken as error:
                self._strikes[one.key] += 1
                haul.fault = error
                break
            except AllearsError as error:
                haul.fault = error
                break
        haul.raws.sort(key=lambda raw: raw.received_at)
        return haul

    async def _is_old(self, visit: Visit, one: Listed, reading: Reading) -> bool:
        """By its header alone: on a first run, and when so much is new at once that the server may have renumbered
        its mails."""
        if self._is_past(reading):
            return True
        if reading.since is None or self._strikes[one.key] >= STRIKES:
            return False
        try:
            header = await visit.call(Session.header, one.number, one.size)
        except Refused:
            return False
        is_old = mail.is_before(header, reading.since)
        self._olds = self._olds + 1 if is_old else 0
        return is_old

    async def _read_one(self, visit: Visit, one: Listed, reading: Reading, haul: Haul) -> None:
        if self._strikes[one.key] >= STRIKES:
            self._give_up(one, "the connection broke over it again and again", haul)
            return
        try:
            raw = await self._raw(visit, one)
        except Refused as error:
            self._note_refusal(one, error, haul)
            return
        self._refused_in_row = 0
        self._refused.pop(one.key, None)
        if reading.since is not None and mail.is_before(header_block(raw.body), reading.since):
            haul.raws.append(mail.before_us(one, self._context.clock.now()))
            return
        haul.raws.append(raw)
        if not raw.quarantine:
            haul.whole.append(one.number)

    def _note_refusal(self, one: Listed, error: Refused, haul: Haul) -> None:
        now = self._context.clock.monotonic()
        since = self._refused.setdefault(one.key, now)
        self._refused_in_row += 1
        if now - since >= PATIENCE_SECONDS:
            self._give_up(one, error.detail, haul)
            return
        self._skipped = True
        if self._refused_in_row >= OUTAGE:
            self._refused_in_row = 0
            raise Unavailable(f"{self._settings.host} refuses mail after mail", detail=error.detail)

    def _give_up(self, one: Listed, reason: str, haul: Haul) -> None:
        haul.missing.append(mail.missing(one, f"the server does not hand over this mail: {reason}"))
        haul.lost.append(one.key)

    async def _raw(self, visit: Visit, one: Listed) -> Raw:
        now: datetime = self._context.clock.now()
        limit = self._settings.max_mail_bytes
        if one.size > limit:
            header = await visit.call(Session.header, one.number, one.size)
            return mail.oversized(one, header, limit, now)
        body = await visit.call(Session.mail, one.number, one.size)
        return mail.whole(one, body, header_block(body), now)


def _batch(haul: Haul, cursor: Cursor, left: int) -> Batch:
    return Batch(raws=haul.raws, missing=haul.missing, cursor=cursor, more=left > 0, remaining=left)
