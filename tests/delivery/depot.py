"""The delivering half of a daemon in small: the real journal, real couriers, a store in memory, and turned time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from allears.delivery.courier import Courier
from allears.journal.records import DeliveryRow, DeliveryState
from allears_sdk import codec
from allears_sdk.complaint import Event
from allears_sdk.context import Clock
from allears_sdk.sink import Certainty, Progress, Sending, Ticket
from allears_sdk.testing import FakeClock, MemorySettings, MemorySink, MemoryStore, make_context, memory_sink
from tests.journal.desk import Desk, mail

HOOK = "hook"
"""One of the desk's destinations."""


@dataclass
class Play:
    """What a `Scripted` sink does beyond its store, and what it saw."""

    errors: list[BaseException] = field(default_factory=list)
    """Raised by the next calls (open, follow_up) before anything is done."""
    look_errors: list[Exception] = field(default_factory=list)
    """Raised by the next look-ups."""
    render_error: Exception | None = None
    suffix: str = ""
    """What today's template adds to each payload."""
    gate: asyncio.Event | None = None
    """Calls wait for it."""
    notes: list[Any] = field(default_factory=list)
    """The progress each call came with."""
    payloads: list[bytes] = field(default_factory=list)
    started: int = 0
    stopped: int = 0
    start_error: Exception | None = None


class Scripted(MemorySink):
    """A MemorySink that also fails as it is told to."""

    play: Play

    async def start(self) -> None:
        if self.play.start_error is not None:
            raise self.play.start_error
        self.play.started += 1

    async def stop(self) -> None:
        self.play.stopped += 1

    def render(self, event: Event, key: str) -> bytes:
        if self.play.render_error is not None:
            raise self.play.render_error
        return super().render(event, key) + self.play.suffix.encode()

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        await self._begin(payload, progress)
        return await super().open(payload, key, progress)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._begin(payload, progress)
        await super().follow_up(ticket, payload, key, progress)

    async def find(self, key: str) -> Ticket | None:
        if self.play.look_errors:
            raise self.play.look_errors.pop(0)
        return await super().find(key)

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        if self.play.look_errors:
            raise self.play.look_errors.pop(0)
        return await super().find_follow_ups(ticket, marks)

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        answers: list[Ticket | Exception] = []
        for one in sendings:
            try:
                answers.append(await self._send(one))
            except Exception as error:
                answers.append(error)
        return answers

    async def _send(self, one: Sending) -> Ticket:
        progress = Progress(note={}, save=_save_nothing)
        if one.ticket is None:
            return await self.open(one.payload, one.key, progress)
        await self.follow_up(one.ticket, one.payload, one.key, progress)
        return one.ticket

    async def _begin(self, payload: bytes, progress: Progress) -> None:
        self.play.payloads.append(payload)
        self.play.notes.append(dict(progress.note))
        if self.play.gate is not None:
            await self.play.gate.wait()
        if self.play.errors:
            raise self.play.errors.pop(0)


async def _save_nothing(note: Any) -> None: ...


class Asking(MemorySettings):
    """As the settings of a store that cannot be asked are."""

    when_in_doubt: str = "hold"


class Depot:
    """Couriers on the journal of a desk. Filing is the desk's, delivering is the code under test."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.clock: FakeClock = desk.clock
        self.store = MemoryStore()
        self.play = Play()
        self.couriers: dict[str, Courier] = {}
        self._folder = folder

    def sink(
        self,
        open_certainty: Certainty = Certainty.A,
        follow_up_certainty: Certainty | None = None,
        *,
        settings: MemorySettings | None = None,
        store: MemoryStore | None = None,
        play: Play | None = None,
        base: type[Scripted] = Scripted,
        **spec: Any,
    ) -> Scripted:
        made = memory_sink(open_certainty, follow_up_certainty or open_certainty, **spec)
        scripted = type(f"{base.__name__}Sink", (base,), {"spec": made.spec, "play": play or self.play})
        context = make_context(HOOK, self._folder, clock=self.clock)
        sink: Scripted = scripted(context, store or self.store, settings)
        return sink

    def hire(
        self,
        certainty: Certainty = Certainty.A,
        *,
        name: str = HOOK,
        restored: bool = False,
        clock: Clock | None = None,
        **facts: Any,
    ) -> Courier:
        """A courier to a store of this class; keywords are of its settings, its spec and its sink."""
        in_spec = {key: facts.pop(key) for key in ("wait_seconds", "batches", "is_stream", "looks_up") if key in facts}
        others = {key: facts.pop(key) for key in ("store", "play", "base", "follow_up_certainty") if key in facts}
        settings = Asking(sink="memory", **facts)
        sink = self.sink(certainty, settings=settings, **others, **in_spec)
        courier = Courier(name, self.desk.journal, clock or self.clock, sink, settings, restored=restored)
        self.couriers[name] = courier
        return courier

    # What customers say

    async def complain(self, who: str = "li", *, follow_ups: int = 0, text: str = "屏幕碎了，要求退款") -> str:
        """A complaint by mail, with its follow-ups; its reference."""
        address, root = f"{who}@mail.example.cn", f"{who}-0"
        reference = await self.desk.hear("mail", root, mail(root, address, text=f"{text} 0"))
        for number in range(1, follow_ups + 1):
            await self.add(who, number, text)
        return reference

    async def add(self, who: str, number: int, text: str = "还没有人回复") -> None:
        message = mail(
            f"{who}-{number}",
            f"{who}@mail.example.cn",
            subject="Re: 屏幕碎了",
            thread=(f"{who}-0",),
            text=f"{text} {number}",
        )
        await self.desk.hear("mail", f"{who}-{number}", message)

    # Time

    async def work(self) -> None:
        """Everything that may happen right now."""
        busy = True
        while busy:
            busy = False
            for courier in self.couriers.values():
                busy = await courier.take() or busy
                await courier.settle()

    async def run(self, span: float | timedelta = 0) -> None:
        """Everything that happens within this time, each thing at its moment."""
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        until = self.clock.monotonic() + seconds
        while True:
            await self.work()
            pause = await self.pause()
            left = until - self.clock.monotonic()
            if pause is None or pause > left:
                self.clock.advance(left)
                return
            self.clock.advance(max(pause, 1e-6))

    async def pause(self) -> float | None:
        """Seconds to the next thing that will happen; None: nothing will."""
        moments: list[float] = []
        for name, courier in self.couriers.items():
            at = await self.desk.journal.next_delivery(name)
            if at is not None:
                moments.append(max((at - self.clock.now()).total_seconds(), courier.rest_seconds))
        return min(moments, default=None)

    async def crash(self) -> None:
        """The process dies and another one starts."""
        for courier in self.couriers.values():
            await courier.stop(0)
        self.couriers.clear()
        await self.desk.reopen()
        await self.desk.journal.recover()

    # Looking

    async def rows(self, name: str = HOOK) -> list[DeliveryRow]:
        """In the order they were filed."""
        rows = await self.desk.journal.deliveries(destination=name, limit=10_000)
        return sorted(rows, key=lambda row: row.id)

    async def row(self, name: str = HOOK) -> DeliveryRow:
        """The newest."""
        return (await self.rows(name))[-1]

    async def states(self, name: str = HOOK) -> list[DeliveryState]:
        return [row.state for row in await self.rows(name)]

    def told(self, *, store: MemoryStore | None = None) -> dict[str, list[tuple[str, ...]]]:
        """What the store holds of each ticket: the messages of its opening, then of each follow-up."""
        return {
            ticket.id: [
                _event(payload).messages for payload in (ticket.payload, *(body for _, body in ticket.follow_ups))
            ]
            for ticket in (store or self.store).tickets
        }

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.store.calls]


def _event(payload: bytes) -> Event:
    return codec.convert(codec.decode(payload, dict[str, Any])["event"], Event)
