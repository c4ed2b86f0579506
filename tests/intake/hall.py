"""A daemon's intake in small: the real journal, a scripted connector, and time that a test turns by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allears.intake.intake import Intake
from allears.intake.timing import Timing
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import Deposit
from allears_sdk.connector import (
    Accepted,
    Batch,
    Connector,
    ConnectorSpec,
    Cursor,
    Hears,
    Reception,
    Request,
    Threading,
    Wake,
)
from allears_sdk.context import Context
from allears_sdk.message import MESSAGE_JSON, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.testing import FakeClock, RecordingLog, make_context

Poll = Callable[[str, Cursor | None, Mapping[str, Any], int], AsyncIterator[Batch]]


def raw(key: str, text: str = "耳机左边没有声音 / no sound on the left") -> Raw:
    body = f'{{"text": "{text}"}}'.encode()
    return Raw(key=key, body=body, media_type=MESSAGE_JSON, received_at=FakeClock().now())


def page(*keys: str, at: int, more: bool = False) -> Batch:
    """Raws with these keys, and the cursor that stands behind them."""
    return Batch(raws=[raw(key) for key in keys], cursor={"version": 1, "at": at}, more=more)


async def _no_batches() -> AsyncIterator[Batch]:
    no_batches: tuple[Batch, ...] = ()
    for batch in no_batches:
        yield batch


async def _silence() -> AsyncIterator[Batch | Wake]:
    await asyncio.Event().wait()
    yield Wake(stream="")


async def _store_body(request: Request) -> Reception:
    return Reception(raws=(raw(request.body.decode()),))


@dataclass(slots=True)
class Script:
    """What the scripted connector does, and what was asked of it."""

    hears: frozenset[Hears] = frozenset({Hears.POLL})
    streams: Sequence[str] = ("inbox",)
    poll: Poll = lambda stream, cursor, hint, limit: _no_batches()
    listen: Callable[[], AsyncIterator[Batch | Wake]] = _silence
    receive: Callable[[Request], Any] = _store_body
    on_start: Callable[[ChannelSettings], None] = lambda settings: None
    answer_within_seconds: float = 5.0
    polls: list[tuple[str, Cursor | None, Mapping[str, Any], int]] = field(default_factory=list)
    made: list[ChannelSettings] = field(default_factory=list)
    stopped: list[ChannelSettings] = field(default_factory=list)

    def connector_class(self, kind: str) -> type[Connector[Any]]:
        script = self

        class Scripted(Connector[ChannelSettings]):
            spec = ConnectorSpec(
                kind=kind,
                title_en="Scripted",
                title_zh="脚本",
                hears=script.hears,
                threading=Threading.ITEM,
                answer_within_seconds=script.answer_within_seconds,
                verified="itself",
            )
            Settings = ChannelSettings

            async def start(self) -> None:
                script.made.append(self.settings)
                script.on_start(self.settings)

            async def stop(self) -> None:
                script.stopped.append(self.settings)

            async def streams(self) -> Sequence[str]:
                return script.streams

            def poll(
                self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
            ) -> AsyncIterator[Batch]:
                script.polls.append((stream, cursor, hint, limit))
                return script.poll(stream, cursor, hint, limit)

            def listen(self) -> AsyncIterator[Batch | Wake]:
                return script.listen()

            async def receive(self, request: Request) -> Reception:
                reception: Reception = await script.receive(request)
                return reception

        return Scripted


class Hands:
    """Sleep and schedule, moved by the test; the clock moves with them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ticks: list[Callable[[], None]] = []
        self.jitter: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def timing(self) -> Timing:
        return Timing(clock=self.clock, sleep=self.sleep, uniform=self.most)

    def most(self, least: float, most: float) -> float:
        """Chance that always takes the upper bound."""
        self.jitter.append(most)
        return most

    async def sleep(self, seconds: float) -> None:
        nap: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.clock.monotonic() + seconds, nap))
        await nap

    @property
    def naps(self) -> list[float]:
        """How long everybody who sleeps still has to."""
        now = self.clock.monotonic()
        return sorted(round(at - now, 3) for at, nap in self._sleepers if not nap.done())

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for at, nap in self._sleepers:
            if at <= self.clock.monotonic() and not nap.done():
                nap.set_result(None)

    # The schedule

    def start(self) -> None: ...

    def every(self, seconds: float, tick: Callable[[], None]) -> Callable[[], None]:
        self.ticks.append(tick)
        return lambda: self.ticks.remove(tick)

    def stop(self) -> None: ...

    def tick(self) -> None:
        for tick in list(self.ticks):
            tick()


class Gate:
    """The journal behind a door: commits can be refused, and held until the test lets them through."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.refusals = 0
        self.open = asyncio.Event()
        self.open.set()
        self.deposits: list[Deposit] = []
        self.before_note: Callable[[], Awaitable[object]] | None = None
        """Done once, just before the next note of the intake's own is written."""

    async def note_channel(self, name: str, **facts: Any) -> bool:
        before, self.before_note = self.before_note, None
        if before is not None:
            await before()
        return await self._journal.note_channel(name, **facts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def accept(self, deposit: Deposit) -> Sequence[Accepted]:
        if self.refusals:
            self.refusals -= 1
            raise JournalUnavailable("the disk is full")
        await self.open.wait()
        accepted = await self._journal.accept(deposit)
        self.deposits.append(deposit)
        return accepted

    @property
    def keys(self) -> list[str]:
        """Of the raws committed so far."""
        return [raw.key for deposit in self.deposits for raw in deposit.raws]


class Hall:
    """An intake and all it stands on."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self.hands = Hands()
        self.script = Script()
        self.gate = Gate(journal)
        self.log = RecordingLog()
        self.backlog = ""
        self._folder = folder
        self.intake = self.make_intake()

    def make_intake(self) -> Intake:
        gate: Any = self.gate
        return Intake(
            gate,
            self,
            self.hands.timing,
            backlog=lambda: self.backlog,
            schedule=self.hands,
            find_class=lambda kind: self.script.connector_class(kind),
        )

    def channel(self, name: str) -> Context:
        return make_context(name, self._folder, clock=self.hands.clock, log=self.log)

    async def open(self, *names: str, **settings: Any) -> None:
        """Start with these channels ("shop" when none is named), all with the same settings."""
        await self.intake.start()
        errors = await self.intake.apply({name: channel_settings(**settings) for name in names or ("shop",)})
        assert not errors

    def said(self, event: str) -> list[dict[str, object]]:
        return [facts for _, name, facts in self.log.entries if name == event]

    def state(self, name: str = "shop") -> str:
        return self.intake.states()[name].state

    async def stored_state(self, name: str = "shop") -> str:
        """What the journal says, everything pinned being written."""
        self.hands.advance(1)
        await self.intake._board.flush()
        states: dict[str, str] = {row.name: row.state for row in await self.gate.channels()}
        return states.get(name, "")


def channel_settings(**settings: Any) -> ChannelSettings:
    return ChannelSettings(connector="scripted", **settings)


def request(body: str, method: str = "POST") -> Request:
    return Request(
        method=method,
        path="",
        query=(),
        headers=(("Content-Type", "application/json"),),
        body=body.encode(),
        remote_address="203.0.113.9",
        received_at=FakeClock().now(),
    )


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Let tasks and the journal's thread run until it holds."""
    try:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for rings no bell
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


async def rest() -> None:
    """Let everything that can run now, run; the journal answers well within this."""
    for _ in range(20):
        await asyncio.sleep(0.001)
