"""All couriers: started, replaced on reload, stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from allears.delivery.courier import Courier
from allears.journal.journal import Journal
from allears_sdk.context import Clock
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Sink

log = structlog.get_logger("allears.delivery")


class Engine:
    """One courier per destination that is not just a view of the journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.couriers: dict[str, Courier] = {}
        self._journal = journal
        self._clock = clock
        self._sinks: dict[str, Sink[Any]] = {}
        self._settings: dict[str, DestinationSettings] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restored = False

    async def start(self) -> None:
        """Everything a dead process was sending is in doubt now."""
        self._restored = bool((await self._journal.stamps()).get("restored"))
        doubtful = await self._journal.recover()
        if doubtful:
            log.info("recovered", in_doubt=doubtful)

    async def apply(
        self, sinks: Mapping[str, tuple[Sink[Any], DestinationSettings]], grace_seconds: float = 10.0
    ) -> None:
        """Run couriers for these destinations; those whose settings did not change are left alone."""
        leaving = [name for name in self._sinks if name not in sinks or sinks[name][1] != self._settings[name]]
        await asyncio.gather(*(self._remove(name, grace_seconds) for name in leaving))
        for name, (sink, settings) in sinks.items():
            if name in self._sinks:
                continue
            await sink.start()
            self._add(name, sink, settings)

    async def stop(self, grace_seconds: float = 10.0) -> None:
        await asyncio.gather(*(self._remove(name, grace_seconds) for name in list(self._sinks)))

    def sink(self, name: str, settings: DestinationSettings) -> Sink[Any] | None:
        """The running sink of this destination, if it has just these settings."""
        return self._sinks[name] if self._settings.get(name) == settings else None

    def _add(self, name: str, sink: Sink[Any], settings: DestinationSettings) -> None:
        self._sinks[name] = sink
        self._settings[name] = settings
        if sink.spec.is_view:
            return
        courier = Courier(name, self._journal, self._clock, sink, settings, restored=self._restored)
        self.couriers[name] = courier
        self._tasks[name] = asyncio.create_task(courier.run(), name=f"courier {name}")

    async def _remove(self, name: str, grace_seconds: float) -> None:
        courier = self.couriers.pop(name, None)
        task = self._tasks.pop(name, None)
        if courier and task:
            await courier.stop(grace_seconds)
            await asyncio.wait([task], timeout=grace_seconds)
            task.cancel()
        await self._sinks.pop(name).stop()
        del self._settings[name]
