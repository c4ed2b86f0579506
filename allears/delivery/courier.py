"""A destination's courier: takes what its lines allow, several lines at a time, and rests while it is down."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from allears.delivery.attempt import Attempt
from allears.journal.bells import wait
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import DeliveryState, DueDelivery, Frozen, Outcome
from allears_sdk.context import Clock
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.masking import KINDS, mask_text
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Sink

MAX_BATCH = 256
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 300.0
SWEEP_SECONDS = 5.0
PROGRESS_SECONDS = 60.0

log = structlog.get_logger("allears.delivery")


@dataclass(slots=True, kw_only=True)
class Chase:
    """How far a destination has come since it is up again."""

    told_at: float
    filed: int = 0


class Courier:
    """Delivers to one destination until it is stopped."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        clock: Clock,
        sink: Sink[Any],
        settings: DestinationSettings,
        *,
        restored: bool,
        is_started: bool = True,
    ) -> None:
        """A sink that `is_started` not is started here, and tried again while it fails."""
        self.name = name
        self.down_since: datetime | None = None
        self.down_reason = ""
        self._journal = journal
        self._clock = clock
        self._sink = sink
        self._settings = settings
        self._attempt = Attempt(journal, clock, sink, settings, restored=restored)
        self._is_started = is_started
        self._running: set[asyncio.Task[None]] = set()
        self._rest_until = 0.0
        self._rests = 0
        self._chase: Chase | None = None
        """What piled up while the destination was down is being filed."""
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            try:
                if not await self.take():
                    await self._idle()
            except JournalUnavailable as error:
                log.warning("delivery_waits", destination=self.name, reason=str(error))
                await self._sleep(1)

    async def stop(self, grace_seconds: float) -> None:
        """Let running calls end; those that do not are in doubt, and looked up after the next start."""
        self._stopping.set()
        self._journal.bells.deliveries(self.name).set()
        await self.settle(grace_seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def settle(self, timeout_seconds: float | None = None) -> None:
        """Until the running calls have ended."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    @property
    def rest_seconds(self) -> float:
        """How long the destination is still left alone."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    async def take(self) -> bool:
        """Start what may go now; whether there was anything."""
        room = self._room()
        if room <= 0 or not await self._prepare():
            return False
        due = await self._journal.due_deliveries(self.name, self._clock.now(), room)
        if self._stopping.is_set():  # stopped while the journal was asked: nobody waits for calls begun now
            await self._journal.release_deliveries(self.name, [one.id for one in due])
            return False
        if not due:
            self._end_chase()
            return False
        if self._sink.spec.batches:
            self._start(self._deliver_batch(due), due)
        else:
            for one in due:
                self._start(self._deliver(one), [one])
        return True

    async def _prepare(self) -> bool:
        if self._is_started:
            return True
        try:
            await self._sink.start()
        except Exception as error:  # this destination alone is down
            self._go_down(error if isinstance(error, AllearsError) else Unavailable(f"{type(error).__name__}: {error}"))
            return False
        self._is_started = True
        return True

    def _room(self) -> int:
        """How many deliveries may be taken now: one to try with while the destination is down."""
        if self.rest_seconds or self._stopping.is_set():
            return 0
        if self._sink.spec.batches:
            return 0 if self._running else MAX_BATCH
        return (1 if self.down_since else self._settings.concurrency) - len(self._running)

    async def _idle(self) -> None:
        if rest := self.rest_seconds:
            await self._sleep(rest)
            return
        seconds = SWEEP_SECONDS
        if self._room() > 0:
            next_at = await self._journal.next_delivery(self.name)
            if next_at is not None:
                seconds = min(seconds, max(0.001, (next_at - self._clock.now()).total_seconds()))
        await wait(self._journal.bells.deliveries(self.name), seconds)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _start(self, work: Any, due: Sequence[DueDelivery]) -> None:
        task = asyncio.create_task(self._guarded(work, [one.id for one in due]))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._journal.bells.deliveries(self.name).set()

    async def _guarded(self, work: Any, ids: Sequence[int]) -> None:
        """What is given back while it says `sending` on disk is in doubt."""
        try:
            await work
        except BaseException as error:
            await self._journal.release_deliveries(self.name, ids)
            if not isinstance(error, Exception):
                raise
            self._rest(FIRST_REST_SECONDS)
            if isinstance(error, JournalUnavailable):
                log.warning("delivery_waits", destination=self.name, reason=str(error))
            else:
                log.exception("delivery_failed", destination=self.name)

    async def _deliver(self, due: DueDelivery) -> None:
        left = await self._attempt.take_up(due)
        outcome = left if isinstance(left, Outcome) else await self._go(left)
        if outcome is not None:
            await self._note([outcome])

    async def _go(self, due: DueDelivery) -> Outcome | None:
        """None: it was called off meanwhile."""
        step = await self._step(due)
        if isinstance(step, Outcome):
            return step
        if not await self._freeze([step]):
            return None
        return await self._attempt.send(*step)

    async def _deliver_batch(self, due: Sequence[DueDelivery]) -> None:
        outcomes: list[Outcome] = []
        sendable: list[tuple[DueDelivery, Frozen]] = []
        for one in due:
            left = await self._attempt.take_up(one)
            step = left if isinstance(left, Outcome) else await self._step(left)
            if isinstance(step, Outcome):
                outcomes.append(step)
            else:
                sendable.append(step)
        if going := await self._freeze(sendable):
            outcomes += await self._attempt.send_many([one for one, _ in going], [step for _, step in going])
        await self._note(outcomes)

    async def _step(self, due: DueDelivery) -> Outcome | tuple[DueDelivery, Frozen]:
        """What is left to be called for, as it will be frozen."""
        if self._attempt.is_done(due):
            return self._attempt.done(due)
        frozen = self._attempt.freeze(due)
        return (await self._attempt.note(due), frozen) if isinstance(frozen, Frozen) else frozen

    async def _freeze(self, sendable: Sequence[tuple[DueDelivery, Frozen]]) -> Sequence[tuple[DueDelivery, Frozen]]:
        """Those that may go; what was called off meanwhile is given back."""
        if not sendable:
            return ()
        going = await self._journal.freeze([frozen for _, frozen in sendable])
        gone = [due.id for due, _ in sendable if due.id not in going]
        await self._journal.release_deliveries(self.name, gone)
        return [one for one in sendable if one[0].id in going]

    async def _note(self, outcomes: Sequence[Outcome]) -> None:
        blocked = [outcome.error for outcome in outcomes if outcome.error is not None]
        if blocked:
            self._go_down(blocked[0])
        elif any(outcome.state is DeliveryState.SENT for outcome in outcomes):
            self._come_back()
        for outcome in outcomes:
            self._say(outcome)
        await self._journal.note_outcomes(self.name, outcomes)
        if self._chase is not None:
            await self._tell_progress(self._chase, sum(one.state is DeliveryState.SENT for one in outcomes))

    def _end_chase(self) -> None:
        if self._chase is not None and not self._running:
            log.info("caught_up", destination=self.name, filed=self._chase.filed)
            self._chase = None

    async def _tell_progress(self, chase: Chase, filed: int) -> None:
        chase.filed += filed
        now = self._clock.monotonic()
        if now - chase.told_at < PROGRESS_SECONDS:
            return
        chase.told_at = now
        left = [row.pending + row.doubt for row in await self._journal.destinations() if row.name == self.name]
        log.info("catching_up", destination=self.name, filed=chase.filed, left=sum(left))

    def _say(self, outcome: Outcome) -> None:
        if outcome.state is DeliveryState.LETTER:
            log.warning("letter", destination=self.name, delivery=outcome.delivery, reason=_masked(outcome.reason))
        elif outcome.state in (DeliveryState.DOUBT, DeliveryState.DISCARDED):
            event = "in_doubt" if outcome.state is DeliveryState.DOUBT else "not_sent"
            log.info(event, destination=self.name, delivery=outcome.delivery, reason=_masked(outcome.reason))

    def _go_down(self, error: AllearsError) -> None:
        """Rest longer each time, or as long as the store asks; say so once."""
        if isinstance(error, AuthError | ConfigError):
            seconds = LONGEST_REST_SECONDS
        elif isinstance(error, RetryLater) and error.after_seconds is not None:
            seconds = max(0.1, error.after_seconds)
        else:
            ceiling = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(self._rests, 20))
            seconds = random.uniform(ceiling / 2, ceiling)  # noqa: S311 jitter, no secret
        self._rests += 1
        self._rest(seconds)
        if self.down_since is None:
            self.down_since = self._clock.now()
            self.down_reason = str(error)
            reason, detail = _masked(str(error)), _masked(error.detail)
            log.warning("destination_down", destination=self.name, reason=reason, detail=detail)

    def _rest(self, seconds: float) -> None:
        self._rest_until = max(self._rest_until, self._clock.monotonic() + seconds)

    def _come_back(self) -> None:
        self._rests = 0
        if self.down_since is not None:
            away = self._clock.now() - self.down_since
            log.info("destination_up", destination=self.name, away=str(timedelta(seconds=int(away.total_seconds()))))
            self._chase = Chase(told_at=self._clock.monotonic())
            self.down_since, self.down_reason = None, ""


def _masked(text: str) -> str:
    """The other side's words may repeat what a customer said."""
    return mask_text(text, KINDS)
