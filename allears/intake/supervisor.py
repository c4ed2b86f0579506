"""One channel's supervisor: owns its connector, and the tasks that poll and listen through it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from allears.intake.channel import Channel
from allears.intake.condition import pause
from allears.intake.listener import Listener
from allears.intake.reception import Receiver
from allears.intake.routine import Routine
from allears.intake.schedule import Cancel, Schedule
from allears.intake.stream import StreamPoller
from allears.intake.timing import Backoff, QuietHours
from allears_sdk.connector import Hears, Wake

SURVEY_SECONDS = 900.0
"""How often the list of streams is asked for again."""
MOST_STRANGERS = 100
"""Wakes kept for streams nobody has listed yet."""


class Supervisor:
    """Its connector is already started; whether it may poll is for `launch` and `halt`. Receiving works always."""

    def __init__(self, channel: Channel, schedule: Schedule) -> None:
        """Raises ConfigError for quiet hours that cannot be."""
        self.channel = channel
        self.receiver = Receiver(channel, self.wake)
        self._schedule = schedule
        self._quiet = QuietHours(channel.settings.quiet_hours, channel.settings.timezone)
        self._changing = asyncio.Lock()
        self._pollers: dict[str, StreamPoller] = {}
        self._listener: Listener | None = None
        self._survey: Routine | None = None
        self._survey_due = asyncio.Event()
        self._surveyed_at = 0.0
        self._strangers: dict[str, Mapping[str, Any]] = {}
        self._cancel_tick: Cancel | None = None

    async def launch(self) -> None:
        """Begin to poll and listen; every stream is polled at once."""
        async with self._changing:
            if not self.channel.condition.is_paused:
                self._launch()

    def _launch(self) -> None:
        hears = self.channel.connector.spec.hears
        self.channel.condition.begin()
        if Hears.POLL in hears:
            self._survey = Routine()
            self._survey_due.set()
            self._survey.start(self._look_for_streams(self._survey), f"{self.channel.name}: streams")
            self._cancel_tick = self._schedule.every(self.channel.settings.interval_seconds, self.tick)
        if Hears.LISTEN in hears:
            self._listener = Listener(self.channel, self.wake, self._wake_all)
            self._listener.start()

    async def pause(self, grace_seconds: float) -> None:
        """By the admin: pulls nothing, still stores what is pushed."""
        async with self._changing:
            self.channel.condition.pause()
            await self._halt(grace_seconds)

    async def resume(self, grace_seconds: float) -> None:
        """Also makes a stopped channel try again at once."""
        async with self._changing:
            await self._halt(grace_seconds)
            self.channel.condition.resume()
            self._launch()

    async def close(self, grace_seconds: float) -> None:
        """Stop pulling, let a running commit end, and stop the connector."""
        async with self._changing:
            await self._halt(grace_seconds)
            try:
                async with asyncio.timeout(max(grace_seconds, 1.0)):
                    await self.channel.connector.stop()
            except Exception as error:  # it is going anyway
                self.channel.log.warning("stop_failed", cause=type(error).__name__)

    async def _halt(self, grace_seconds: float) -> None:
        if self._cancel_tick is not None:
            self._cancel_tick()
            self._cancel_tick = None
        parts: list[Routine | Listener | StreamPoller] = [*self._pollers.values()]
        parts += [part for part in (self._survey, self._listener) if part is not None]
        self._pollers, self._survey, self._listener = {}, None, None
        await asyncio.gather(*(part.stop(grace_seconds) for part in parts))

    def wake(self, wake: Wake) -> None:
        """Poll that stream soon. A stream nobody knows yet makes the list of streams be read again."""
        poller = self._pollers.get(wake.stream)
        if poller is not None:
            poller.wake(wake.hint)
        elif self._survey is not None and len(self._strangers) < MOST_STRANGERS:
            self._strangers[wake.stream] = wake.hint or self._strangers.get(wake.stream, {})
            self._survey_due.set()

    def _wake_all(self) -> None:
        for poller in self._pollers.values():
            poller.wake()

    def tick(self) -> None:
        """On schedule. Quiet hours hold these polls, never those somebody pushes for."""
        if self._quiet.holds(self.channel.timing.clock.now()):
            return
        if self.channel.timing.clock.monotonic() - self._surveyed_at >= SURVEY_SECONDS:
            self._survey_due.set()
        self._wake_all()

    async def _look_for_streams(self, routine: Routine) -> None:
        backoff = Backoff(self.channel.timing.uniform)
        condition = self.channel.condition
        while not routine.is_stopping:
            await self._survey_due.wait()
            async with condition.turn():
                try:
                    names = await self.channel.connector.streams()
                except Exception as error:  # whatever it is, this channel alone pauses
                    seconds = condition.fail("streams", error, backoff)
                else:
                    seconds = 0.0
                    backoff.reset()
                    self._survey_due.clear()
                    condition.recover("streams", is_contact=False)  # many know their streams from the settings
                    await self._match(names)
            if seconds:
                await pause(self.channel.timing, seconds)

    async def _match(self, names: Sequence[str]) -> None:
        """Pollers for the streams there are now, none for those that went."""
        self._surveyed_at = self.channel.timing.clock.monotonic()
        for name in [name for name in self._pollers if name not in names]:
            self.channel.log.info("stream_gone", stream=name)
            self.channel.condition.forget(f"stream {name}")
            await self._pollers.pop(name).stop(1.0)
        for name in names:
            if name not in self._pollers:
                self._add(name)
        strangers, self._strangers = self._strangers, {}
        for name, hint in strangers.items():
            if name in self._pollers:
                self._pollers[name].wake(hint)
            else:
                self.channel.log.warning("wake_for_unknown_stream", stream=name)

    def _add(self, name: str) -> None:
        poller = self._pollers[name] = StreamPoller(self.channel, name)
        poller.start()
        if not self._quiet.holds(self.channel.timing.clock.now()):
            poller.wake()
