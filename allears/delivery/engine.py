"""All couriers: started, replaced on reload, stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from allears.delivery.courier import Courier
from allears.journal.journal import Journal
from allears.journal.records import REPLIES
from allears_sdk.accounts import Accounts
from allears_sdk.connector import Answer, Request
from allears_sdk.context import Clock
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Hearing, Sink

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
        """Run couriers for these destinations; those whose settings did not change are left alone. A destination
        whose new sink does not start keeps its old one; where there is none, its courier tries on."""
        await asyncio.gather(*(self._remove(name, grace_seconds) for name in list(self._sinks) if name not in sinks))
        changed = {name: pair for name, pair in sinks.items() if self._settings.get(name) != pair[1]}
        await asyncio.gather(*(self._replace(name, *pair, grace_seconds) for name, pair in changed.items()))

    async def stop(self, grace_seconds: float = 10.0) -> None:
        await asyncio.gather(*(self._remove(name, grace_seconds) for name in list(self._sinks)))

    def sink(self, name: str, settings: DestinationSettings) -> Sink[Any] | None:
        """The running sink of this destination, if it has just these settings."""
        return self._sinks[name] if self._settings.get(name) == settings else None

    def accounts(self) -> Mapping[str, Accounts]:
        """What the sinks know of their accounts, by destination."""
        return {name: sink.context.accounts for name, sink in self._sinks.items() if not name.startswith(REPLIES)}

    def tells(self, name: str) -> bool:
        """Whether that destination's store may tell of its tickets."""
        return name in self._sinks and self._sinks[name].spec.tells

    def hear(self, name: str, request: Request) -> Hearing | None:
        """What a store's request says; None where nobody listens."""
        if not self.tells(name):
            return None
        try:
            return self._sinks[name].hear(request)
        except Exception as error:  # a stranger's bytes: nothing in them stops anything
            log.error("telling_failed", destination=name, exc_info=error)
            return Hearing(refused="it could not be read", answer=Answer(status=400))

    async def _replace(self, name: str, sink: Sink[Any], settings: DestinationSettings, grace_seconds: float) -> None:
        old = (self._sinks[name], self._settings[name]) if name in self._sinks else None
        if old is not None:  # first: the two may not hold one file
            await self._remove(name, grace_seconds)
        try:
            await sink.start()
        except Exception as error:  # whatever it is, this destination alone is not changed
            log.error("destination_cannot_start", destination=name, reason=str(error), old_one_goes_on=bool(old))
            if old is not None:
                await self._stop_sink(name, sink)
            self._add(name, *(old or (sink, settings)), is_started=False)
        else:
            self._add(name, sink, settings, is_started=True)

    def _add(self, name: str, sink: Sink[Any], settings: DestinationSettings, *, is_started: bool) -> None:
        self._sinks[name] = sink
        self._settings[name] = settings
        if sink.spec.is_view:
            return
        courier = Courier(
            name, self._journal, self._clock, sink, settings, restored=self._restored, is_started=is_started
        )
        self.couriers[name] = courier
        self._tasks[name] = asyncio.create_task(courier.run(), name=f"courier {name}")

    async def _remove(self, name: str, grace_seconds: float) -> None:
        courier = self.couriers.pop(name, None)
        task = self._tasks.pop(name, None)
        if courier and task:
            await courier.stop(grace_seconds)
            await asyncio.wait([task], timeout=grace_seconds)
            task.cancel()
        del self._settings[name]
        await self._stop_sink(name, self._sinks.pop(name))

    async def _stop_sink(self, name: str, sink: Sink[Any]) -> None:
        try:
            await sink.stop()
        except Exception as error:  # it is going anyway
            log.warning("stop_failed", destination=name, cause=type(error).__name__)
