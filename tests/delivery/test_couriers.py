"""Couriers as they run in the daemon: side by side, interrupted, replaced."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from allears.context import SystemClock
from allears.delivery.courier import Courier
from allears.delivery.engine import Engine
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import DeliveryState
from allears_sdk.errors import ConfigError, InDoubt, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Progress, Ticket
from allears_sdk.testing import MemoryStore
from tests.delivery.depot import HOOK, Asking, Depot, Play, Scripted

PENDING, SENDING, DOUBT, SENT = DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DOUBT, DeliveryState.SENT

pytestmark = pytest.mark.usefixtures("quiet")


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for rings no bell
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


async def until_state(depot: Depot, *states: DeliveryState, name: str = HOOK) -> None:
    try:
        async with asyncio.timeout(10):
            while await depot.states(name) != list(states):  # noqa: ASYNC110  # states lie in the journal, which sets no event here
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{await depot.states(name)}, not {states}") from None


@pytest.fixture
async def run(depot: Depot) -> AsyncIterator[Callable[[], None]]:
    """Start every courier that was hired."""
    tasks: list[asyncio.Task[None]] = []

    def start() -> None:
        tasks.extend(asyncio.create_task(courier.run()) for courier in depot.couriers.values())

    yield start
    for courier in depot.couriers.values():
        await courier.stop(0)
    await asyncio.gather(*tasks)


async def test_one_slow_store_delays_no_other(depot: Depot, run: Callable[[], None]) -> None:
    slow = Play(gate=asyncio.Event())
    depot.hire(name="jsonl", play=slow, store=MemoryStore())
    depot.hire()
    run()
    for number in range(10):
        await depot.complain(f"c{number}")
    await until_state(depot, *[SENT] * 10)
    assert len(slow.payloads) == 4, "as many as its settings allow"
    assert set(await depot.states("jsonl")) == {SENDING, PENDING}


async def test_one_slow_ticket_delays_no_other_of_its_store(depot: Depot, run: Callable[[], None]) -> None:
    slow = asyncio.Event()

    class OneSlow(Scripted):
        async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
            if b"c0-0~digest" in payload:
                await slow.wait()
            return await super().open(payload, key, progress)

    depot.hire(base=OneSlow)
    for number in range(10):
        await depot.complain(f"c{number}")
    run()
    await until_state(depot, SENDING, *[SENT] * 9)
    slow.set()
    await until_state(depot, *[SENT] * 10)


async def test_a_bell_starts_what_was_filed(depot: Depot, run: Callable[[], None]) -> None:
    depot.hire()
    run()
    await asyncio.sleep(0.05)
    await depot.complain("li", follow_ups=3)
    async with asyncio.timeout(1):
        await until_state(depot, *[SENT] * 4)


async def test_a_stop_lets_running_calls_end(depot: Depot, run: Callable[[], None]) -> None:
    depot.play.gate = asyncio.Event()
    courier = depot.hire()
    for number in range(6):
        await depot.complain(f"c{number}")
    run()
    await until(lambda: len(depot.play.payloads) == 4, "four calls run")
    stopping = asyncio.create_task(courier.stop(10))
    await asyncio.sleep(0.02)
    depot.play.gate.set()
    await stopping
    assert await depot.states() == [SENT] * 4 + [PENDING] * 2


async def test_calls_that_outlast_the_stop_are_doubt_after_the_next_start(
    depot: Depot, run: Callable[[], None]
) -> None:
    depot.play.gate = asyncio.Event()
    courier = depot.hire(Certainty.B)
    await depot.complain("li")
    run()
    await until(lambda: depot.play.payloads, "the call runs")
    await courier.stop(0.01)
    assert await depot.states() == [SENDING]
    depot.play.gate = None
    await depot.crash()
    assert await depot.states() == [DOUBT]
    depot.hire(Certainty.B)
    await depot.run(89)
    assert depot.operations() == []
    await depot.run(2)
    assert depot.operations() == ["find", "open"]
    assert await depot.states() == [SENT]


async def test_nothing_new_begins_once_it_stops(depot: Depot) -> None:
    """Also when the journal was being asked just then."""
    await depot.complain("li")
    courier = depot.hire()
    taking = asyncio.create_task(courier.take())
    await asyncio.sleep(0)
    await courier.stop(0)
    assert await taking is False
    assert depot.play.payloads == []
    depot.hire()
    await depot.work()
    assert await depot.states() == [SENT]


class Refusing:
    """A journal that cannot write outcomes for a while, as on a full disk."""

    def __init__(self, journal: Journal, step: str, times: int) -> None:
        self._journal = journal
        self._step = step
        self.times = times

    def __getattr__(self, name: str) -> object:
        if name == self._step and self.times:
            self.times -= 1
            return self._refuse
        return getattr(self._journal, name)

    async def _refuse(self, *arguments: object) -> None:
        destination, outcomes = arguments if len(arguments) == 2 else ("", ())
        if destination:
            await self._journal.release_deliveries(str(destination), [one.delivery for one in outcomes])  # type: ignore[attr-defined]  # as the journal does it
        raise JournalUnavailable("the disk is full")


@pytest.mark.parametrize("certainty", [Certainty.A, Certainty.B])
@pytest.mark.parametrize("step", ["freeze", "note_outcomes", "due_deliveries"])
async def test_a_full_disk_loses_and_doubles_nothing(depot: Depot, step: str, certainty: Certainty) -> None:
    journal = depot.desk.journal
    refusing = Refusing(journal, step, 2)
    depot.desk.journal = refusing  # type: ignore[assignment]  # all but one step is the journal's own
    depot.hire(certainty)
    depot.desk.journal = journal
    await depot.complain("li", follow_ups=1)
    for _ in range(20):
        try:
            await depot.run(60)
        except JournalUnavailable:
            assert step == "due_deliveries"
    assert refusing.times == 0
    assert await depot.states() == [SENT, SENT]
    assert [len(events) for events in depot.told().values()] == [2]


async def test_no_delivery_is_under_way_twice(depot: Depot, run: Callable[[], None]) -> None:
    rng = random.Random(20261122)
    active: set[str] = set()
    clashes: list[str] = []
    most = 0

    class Hammered(Scripted):
        async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
            async with self._alone(key):
                return await super().open(payload, key, progress)

        async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
            async with self._alone(key):
                await super().follow_up(ticket, payload, key, progress)

        def _alone(self, key: str) -> Alone:
            return Alone(key)

    class Alone:
        def __init__(self, key: str) -> None:
            self.line = key[: len("ALE-0000-0000-0000-000000")]

        async def __aenter__(self) -> None:
            nonlocal most
            if self.line in active:
                clashes.append(self.line)
            active.add(self.line)
            most = max(most, len(active))
            await asyncio.sleep(rng.choice((0, 0, 0.001, 0.003)))

        async def __aexit__(self, *error: object) -> None:
            active.discard(self.line)
            fault = rng.random()
            if fault < 0.1:
                raise InDoubt
            if fault < 0.15:
                raise RetryLater(after_seconds=0.1)

    depot.hire(base=Hammered, clock=SystemClock(), concurrency=8, timeout_seconds=1, max_attempts=1000)
    for number in range(20):
        await depot.complain(f"c{number}", follow_ups=2)
    run()

    async def ring() -> None:
        while True:
            depot.desk.journal.bells.ring_all()
            await asyncio.sleep(0)

    ringing = asyncio.create_task(ring())
    try:
        async with asyncio.timeout(30):
            while set(await depot.states()) != {SENT}:  # noqa: ASYNC110  # states lie in the journal, which sets no event here
                await asyncio.sleep(0.05)
    finally:
        ringing.cancel()
    assert not clashes, "two calls of one line at the same time"
    assert most > 1, "lines go side by side"
    assert sorted(len(events) for events in depot.told().values()) == [3] * 20


# All couriers together


@pytest.fixture
async def engine(depot: Depot) -> AsyncIterator[Engine]:
    engine = Engine(depot.desk.journal, depot.clock)
    await engine.start()
    yield engine
    await engine.stop(0)


def destination(depot: Depot, play: Play | None = None, **settings: object) -> tuple[Scripted, Asking]:
    made = Asking.model_validate({"sink": "memory", **settings})
    return depot.sink(Certainty.B, settings=made, play=play or depot.play), made


async def test_only_what_changed_is_replaced(depot: Depot, engine: Engine) -> None:
    one, two = Play(), Play()
    await engine.apply({HOOK: destination(depot, one), "jsonl": destination(depot, two)})
    kept = engine.couriers[HOOK]
    same = destination(depot, one)[1]
    assert engine.sink(HOOK, same) is not None
    assert engine.sink("jsonl", destination(depot, title="门店")[1]) is None
    await engine.apply({HOOK: destination(depot, one), "jsonl": destination(depot, two, title="门店")})
    assert engine.couriers[HOOK] is kept
    assert (one.started, one.stopped, two.started, two.stopped) == (1, 0, 2, 1)
    await engine.apply({HOOK: destination(depot, one)})
    assert (two.started, two.stopped) == (2, 2)
    assert set(engine.couriers) == {HOOK}


async def test_a_removed_destination_parks_and_goes_on_when_it_is_back(depot: Depot, engine: Engine) -> None:
    await engine.apply({HOOK: destination(depot)})
    await depot.complain("li")
    await until_state(depot, SENT)
    await engine.apply({})
    await depot.add("li", 1)
    await asyncio.sleep(0.02)
    assert await depot.states() == [SENT, PENDING]
    await engine.apply({HOOK: destination(depot)})
    await until_state(depot, SENT, SENT)


async def test_a_call_cut_off_by_a_reload_is_looked_up_by_the_new_one(depot: Depot, engine: Engine) -> None:
    depot.play.gate = asyncio.Event()
    await engine.apply({HOOK: destination(depot)})
    await depot.complain("li")
    await until(lambda: depot.play.payloads, "the call runs")
    await engine.apply({HOOK: destination(depot, Play(), title="new")}, grace_seconds=0.01)
    await asyncio.sleep(0.02)
    assert depot.operations() == []
    depot.clock.advance(timedelta(seconds=91))
    depot.desk.journal.bells.ring_all()
    await until_state(depot, SENT)
    assert depot.operations() == ["find", "open"]


@pytest.mark.parametrize("error", [ConfigError("no such folder"), Unavailable(), RuntimeError("bug")])
async def test_when_the_new_one_cannot_start_the_old_one_goes_on(
    depot: Depot, engine: Engine, error: Exception
) -> None:
    other = Play()
    await engine.apply({HOOK: destination(depot)})
    broken = Play(start_error=error)
    await engine.apply({HOOK: destination(depot, broken, title="new"), "jsonl": destination(depot, other)})
    assert engine.sink(HOOK, destination(depot)[1]) is not None
    assert (broken.stopped, other.started) == (1, 1)
    await depot.complain("li")
    await until_state(depot, SENT)
    await engine.apply({HOOK: destination(depot, title="mended"), "jsonl": destination(depot, other)})
    assert engine.sink(HOOK, destination(depot, title="mended")[1]) is not None


@pytest.mark.parametrize("error", [ConfigError("no such folder"), Unavailable(), RuntimeError("bug")])
async def test_one_that_cannot_start_at_first_harms_no_other_and_is_tried_again(
    depot: Depot, engine: Engine, error: Exception
) -> None:
    broken = Play(start_error=error)
    await engine.apply({HOOK: destination(depot, broken), "jsonl": destination(depot)})
    await depot.complain("li")
    await until_state(depot, SENT, name="jsonl")
    await until(lambda: engine.couriers[HOOK].down_since, "it is shown as down")
    assert await depot.states() == [PENDING]
    broken.start_error = None
    depot.clock.advance(timedelta(hours=1))
    courier: Courier = engine.couriers[HOOK]
    await courier.take()
    await until_state(depot, SENT)
    assert courier.down_since is None
