"""Hearing what a source pushes, for as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from allears.intake.channel import Channel
from allears.intake.condition import pause
from allears.intake.routine import Routine
from allears.intake.stream import closing
from allears.intake.timing import Backoff
from allears_sdk.connector import Batch, Wake

HEALTHY_SECONDS = 60.0
PART = "listener"


class Listener:
    """Restarts a connector's `listen` with back-off; forgets earlier failures after a healthy minute."""

    def __init__(self, channel: Channel, wake: Callable[[Wake], None], wake_all: Callable[[], None]) -> None:
        self._channel = channel
        self._wake = wake
        self._wake_all = wake_all
        self._routine = Routine()
        self._backoff = Backoff(channel.timing.uniform)
        self._is_reconnect = False

    def start(self) -> None:
        self._routine.start(self._run(), f"{self._channel.name}: listen")

    async def stop(self, grace_seconds: float) -> None:
        await self._routine.stop(grace_seconds)

    async def _run(self) -> None:
        while not self._routine.is_stopping:
            await self._channel.condition.passage()
            healthy = asyncio.create_task(self._settle())
            try:
                await self._hear()
                seconds = self._backoff.delay()
            except Exception as error:  # whatever it is, this channel alone pauses
                seconds = self._channel.condition.fail(PART, error, self._backoff)
            finally:
                healthy.cancel()
            self._is_reconnect = True
            if not self._routine.is_stopping:
                await pause(self._channel.timing, seconds)

    async def _settle(self) -> None:
        await self._channel.timing.sleep(HEALTHY_SECONDS)
        self._backoff.reset()
        self._channel.condition.recover(PART)

    async def _hear(self) -> None:
        """One connection. What was said while there was none is read by polls: one now, and one once the
        connection is known to stand, for what fell between."""
        if self._is_reconnect:
            self._wake_all()
        is_first = True
        async with closing(self._channel.connector.listen()) as items:
            async for item in items:
                if self._routine.is_stopping:
                    return
                if is_first:
                    self._connected()
                    is_first = False
                await self._take(item)

    def _connected(self) -> None:
        self._channel.condition.recover(PART)
        if self._is_reconnect:
            self._wake_all()

    async def _take(self, item: Batch | Wake) -> None:
        if isinstance(item, Wake):
            self._wake(item)
        else:
            await self._routine.commit(self._channel.deposit(item))
