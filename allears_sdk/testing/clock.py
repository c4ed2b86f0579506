"""A clock that moves only when told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


class FakeClock:
    """A `Clock` whose time stands still until `advance` or `sleep`."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.slept: list[float] = []
        """Seconds of every `sleep` so far."""

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float | timedelta) -> None:
        """Both clocks move on."""
        span = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        self._now += span
        self._monotonic += span.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Stands in for `asyncio.sleep`: takes no time, and the clock has moved on afterwards."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
