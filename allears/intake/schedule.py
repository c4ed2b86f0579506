"""The poll schedule all channels share."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC
from typing import Protocol

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

JITTER_SHARE = 0.1
MOST_JITTER_SECONDS = 30.0

Cancel = Callable[[], None]


class Schedule(Protocol):
    def start(self) -> None: ...

    def every(self, seconds: float, tick: Callable[[], None]) -> Cancel:
        """Call `tick` in the event loop about every so many seconds, until cancelled."""

    def stop(self) -> None: ...


class IntervalSchedule:
    """APScheduler's intervals, with jitter so that channels do not all poll in the same second."""

    def __init__(self) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        self._scheduler.start()

    def every(self, seconds: float, tick: Callable[[], None]) -> Cancel:
        async def run() -> None:  # a plain function would be run in a thread
            tick()

        job = self._scheduler.add_job(
            run,
            IntervalTrigger(seconds=seconds, jitter=min(seconds * JITTER_SHARE, MOST_JITTER_SECONDS), timezone=UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

        def cancel() -> None:
            with contextlib.suppress(JobLookupError):  # the whole schedule was stopped before
                job.remove()

        return cancel

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
