"""Housekeeping: what is old or forgotten goes, a little at a time, while nobody is waiting."""

from __future__ import annotations

import asyncio

import structlog

from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.retention import FILES, ORIGINALS, PAYLOADS, Keep
from allears.journal.sweeping import HeldByBackup
from allears.settings.retention_section import RetentionSection
from allears_sdk.context import Clock

FIRST_SECONDS = 60.0
"""After a start others go first."""
ROUND_SECONDS = 3600.0
LOOK_SECONDS = 15.0
"""How often somebody's wish to be forgotten is looked for."""
PAUSE_SECONDS = 0.05
"""Between two steps: accepting has the journal for itself meanwhile."""
BUSY_SECONDS = 1.0
"""Between two steps while messages pour in."""
DAY_SECONDS = 86_400.0

log = structlog.get_logger("allears.housekeeping")


def keep_of(settings: RetentionSection) -> Keep:
    return Keep(
        originals=settings.originals_days * DAY_SECONDS or None, payloads=settings.payload_days * DAY_SECONDS or None
    )


class Housekeeping:
    """Runs beside the stages until it is cancelled; `settings` may be changed while it does."""

    def __init__(self, journal: Journal, clock: Clock, settings: RetentionSection) -> None:
        self.settings = settings
        self._journal = journal
        self._clock = clock
        self._deposits = journal.deposits
        self._next_round = clock.monotonic() + FIRST_SECONDS
        self._next_sweep = self._next_round

    async def run(self) -> None:
        while True:
            try:
                await self.forget()
                if self._clock.monotonic() >= self._next_round:
                    self._next_round = self._clock.monotonic() + ROUND_SECONDS
                    await self.tidy()
            except JournalUnavailable as error:
                log.warning("housekeeping_waits", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def forget(self) -> None:
        """Go on with what a command began, and with what had to wait for a destination."""
        if not await self._journal.upkeep.to_forget():
            return
        await self._journal.upkeep.wake_forgetting()
        erased = 0
        while done := await self._journal.upkeep.forget_on():
            erased += done
            await self._rest()
        if erased:
            log.info("forgotten", erased=erased, left=await self._journal.upkeep.to_forget())

    async def tidy(self) -> None:
        """One round: contents by their age, then, once a day, files nobody names."""
        for name in (PAYLOADS, ORIGINALS):
            await self._expire(name)
        if self._clock.monotonic() >= self._next_sweep:
            self._next_sweep = self._clock.monotonic() + DAY_SECONDS
            await self._sweep()

    async def _expire(self, name: str) -> None:
        upkeep = self._journal.upkeep
        while await upkeep.expire(name, keep_of(self.settings)):
            await self._rest()
        await upkeep.note_done(name)

    async def _sweep(self) -> None:
        erased = 0
        try:
            for shelf in await self._journal.upkeep.shelves():
                erased += await self._journal.upkeep.sweep(shelf)
                await self._rest()
        except HeldByBackup:
            self._next_sweep = self._next_round
        await self._journal.upkeep.note_done(FILES, erased)

    async def _rest(self) -> None:
        is_busy = self._journal.deposits != self._deposits
        self._deposits = self._journal.deposits
        await asyncio.sleep(BUSY_SECONDS if is_busy else PAUSE_SECONDS)
