"""Doorbells: a stage that left work in the journal rings the next one."""

from __future__ import annotations

import asyncio


class Bells:
    """One bell per stage. They carry nothing and may ring for nothing: the woken stage looks for itself."""

    def __init__(self) -> None:
        self.raws = asyncio.Event()
        self.conversations = asyncio.Event()
        self.fetches = asyncio.Event()
        self._deliveries: dict[str, asyncio.Event] = {}

    def deliveries(self, destination: str) -> asyncio.Event:
        return self._deliveries.setdefault(destination, asyncio.Event())

    def ring_deliveries(self) -> None:
        for bell in self._deliveries.values():
            bell.set()

    def ring_all(self) -> None:
        self.raws.set()
        self.conversations.set()
        self.fetches.set()
        self.ring_deliveries()


async def wait(bell: asyncio.Event, timeout_seconds: float | None) -> None:
    """Until the bell rings (it is then silent again) or the time is over."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await bell.wait()
    except TimeoutError:
        return
    bell.clear()
