"""Seeded storms: the real journal, the real courier and a sink, against its store behind faults, with time that is
turned and a process that dies. Whatever happens, every message is in the store once.

A test class names its store as for the contract suite, and says where its faults are made:

    class TestZendeskStorm(ZendeskStore, Storms):
        def faults(self) -> Desk:
            return self.desk
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears.delivery.courier import Courier
from allears.journal.records import DeliveryState
from allears_sdk.context import Context
from allears_sdk.message import Attachment
from allears_sdk.remote import Remote
from allears_sdk.sink import Certainty, Sink
from allears_sdk.testing import FakeClock, Fault, make_context
from allears_sdk.testing.context import MemoryFiles
from allears_sdk.testing.sinks import Stored
from bench.servers.desk import Desk as Faults
from bench.servers.desk import Mishap, Trouble
from tests.delivery.depot import HOOK, Depot
from tests.journal.desk import Desk, mail, said

SEEDS = range(int(os.environ.get("STORMS", "6")))
ODDS: Mapping[Trouble, float] = {
    Fault.LOSE_ANSWER: 0.08,
    Fault.LATE: 0.06,
    Fault.GARBAGE: 0.03,
    Fault.TOO_MANY: 0.04,
    Mishap.CUT_BEFORE: 0.05,
    Mishap.BROKEN_AFTER: 0.05,
    Mishap.TIMED_OUT_AFTER: 0.04,
    Mishap.BUSY: 0.04,
}
STEPS = 24
PEACE = timedelta(days=3)


class Storm:
    """One schedule."""

    def __init__(self, depot: Depot, faults: Faults, rng: random.Random, hire: Any, files: MemoryFiles) -> None:
        self.depot = depot
        self.faults = faults
        self.rng = rng
        self.hire = hire
        self.files = files
        self.sent: list[tuple[str, bytes]] = []
        """Name and content of each attachment."""
        self.tokens: list[str] = []
        self.people = 0

    async def run(self) -> None:
        self.faults.storm(self.rng, ODDS)
        self.hire()
        for _ in range(STEPS):
            step = self.rng.choices((self.speak, self.chat, self.wait, self.die), (5, 3, 4, 2))[0]
            await step()
        self.faults.weather = lambda: None
        await self.pass_time(PEACE.total_seconds())

    async def speak(self) -> None:
        """A mail, which opens a complaint or goes on with one, with files or without."""
        is_new = not self.people or self.rng.random() < 0.4
        self.people += is_new
        who = f"p{self.people if is_new else self.rng.randint(1, self.people)}"
        number = 0 if is_new else len(self.tokens) + 1
        thread = () if is_new else (f"{who}-0",)
        key, subject = f"{who}-{number}", "屏幕碎了" if is_new else "Re: 屏幕碎了"
        message = mail(
            key,
            f"{who}@mail.example.cn",
            subject=subject,
            thread=thread,
            text=self.token(),
            attachments=self.attached(),
        )
        await self.depot.desk.hear("mail", key, message)
        await self.pass_time(0)

    def attached(self) -> tuple[Attachment, ...]:
        made = []
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            name, content = f"照片 {len(self.sent)}.jpg", f"jpeg {len(self.sent)}".encode()
            self.sent.append((name, content))
            file = self.files.put(name, content)
            made.append(Attachment(name=name, media_type="image/jpeg", sha256=file.sha256, size=file.size))
        return tuple(made)

    async def chat(self) -> None:
        """A burst, told together."""
        for _ in range(self.rng.randint(1, 3)):
            key = f"c{len(self.tokens)}"
            await self.depot.desk.accept("chat", self.depot.desk.raw(key, said(self.token(), thread="wm-li")))
        await self.depot.desk.settle()
        await self.pass_time(0)

    async def wait(self) -> None:
        await self.pass_time(self.rng.choice((1, 20, 90, 400)))

    async def die(self) -> None:
        """While something is under way, or between two things."""
        await self.depot.couriers[HOOK].take()
        await self.depot.crash()
        self.hire()

    async def pass_time(self, seconds: float) -> None:
        """What a lost request still does is done within 85 s (a turn of the clock, and what is drawn): its answer was
        given up, it was not. Nobody looks before 90."""
        clock = self.depot.clock
        until = clock.monotonic() + seconds
        while True:
            await self.depot.work()
            if self.faults._late:
                await self.depot.run(self.rng.uniform(0, 25))
                await self.faults.land()
                continue
            left = until - clock.monotonic()
            if left < 1e-6:  # less than that may not move the clock at all
                return
            await self.depot.run(min(60.0, left))

    def token(self) -> str:
        self.tokens.append(f"tok{len(self.tokens):04d}x")
        return f"屏幕碎了，要求退款 {self.tokens[-1]}"


class Storms:
    """`make_sink` and `stored` as in the contract suite."""

    pytestmark = pytest.mark.asyncio

    def make_sink(self, context: Context) -> Sink[Any]:
        raise NotImplementedError

    async def stored(self) -> Sequence[Stored]:
        raise NotImplementedError

    async def stored_files(self) -> Sequence[tuple[str, bytes]] | None:
        """None: this store takes no files."""
        return None

    def faults(self) -> Faults:
        """Where the store's troubles are made; its clock is the one of the `clock` fixture."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.mark.timeout(180)
    @pytest.mark.parametrize("seed", SEEDS)
    async def test_every_message_is_in_the_store_once(self, tmp_path: Path, clock: FakeClock, seed: int) -> None:
        depot = Depot(await Desk.open(tmp_path / "data", clock), tmp_path)
        remote, files = Remote(clock=clock, sleep=clock.sleep), MemoryFiles()
        sink = self.make_sink(make_context(HOOK, tmp_path, clock=clock, remote=remote))

        def hire() -> None:
            made = self.make_sink(make_context(HOOK, tmp_path, clock=clock, remote=remote, files=files))
            courier = Courier(HOOK, depot.desk.journal, clock, made, made.settings, restored=False, is_started=False)
            depot.couriers[HOOK] = courier

        storm = Storm(depot, self.faults(), random.Random(seed), hire, files)
        try:
            await storm.run()
            await self._check(depot, sink, storm.tokens)
            await self._check_files(sink, storm)
        finally:
            for courier in depot.couriers.values():
                await courier.stop(0)
            await remote.aclose()
            await depot.desk.close()

    async def _check(self, depot: Depot, sink: Sink[Any], tokens: Sequence[str]) -> None:
        texts = [one.text for one in await self.stored()]
        times = Counter({token: sum(token in text for text in texts) for token in tokens})
        assert not [token for token in tokens if times[token] > 1], "filed twice"
        states = set(await depot.states(HOOK))
        if Certainty.D in (sink.spec.open_certainty, sink.spec.follow_up_certainty):
            assert states <= {DeliveryState.SENT, DeliveryState.LETTER, DeliveryState.PENDING}
            assert not await self._unheld(depot, tokens, times), "lost, and nobody was asked"
        else:
            assert states == {DeliveryState.SENT}
            assert not [token for token in tokens if not times[token]], "lost"

    async def _check_files(self, sink: Sink[Any], storm: Storm) -> None:
        there = await self.stored_files()
        if there is None or sink.spec.open_certainty is Certainty.D:
            return
        assert sorted(there) == sorted(storm.sent), "each attachment is there once"

    async def _unheld(self, depot: Depot, tokens: Sequence[str], times: Mapping[str, int]) -> list[str]:
        """What is neither in the store nor in a letter, nor behind one."""
        rows = await depot.desk.journal.deliveries(destination=HOOK, limit=10_000)
        held = {row.complaint_id for row in rows if row.state is not DeliveryState.SENT}
        waiting: set[str] = set()
        for reference in held:
            file = await depot.desk.journal.complaint(reference)
            assert file is not None
            waiting |= {token for token in tokens for row in file.messages if token in row.message.text}
        return [token for token in tokens if not times[token] and token not in waiting]
