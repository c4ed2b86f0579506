"""Hundreds of seeded storms: a store that loses answers, fails after creating and creates long after the caller
has died, couriers that die in the middle of calls, and time that jumps. Every failure names its seed."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears.delivery.courier import Courier
from allears.journal.records import DeliveryState
from allears_sdk.complaint import Event
from allears_sdk.errors import AuthError, InDoubt, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Progress, Sink, Ticket
from allears_sdk.testing import FakeClock, MemorySink, make_context, memory_sink
from tests.delivery.depot import HOOK, Asking, Depot
from tests.journal.desk import Desk

A, B, C, D = Certainty.A, Certainty.B, Certainty.C, Certainty.D
TIMEOUT_SECONDS = 10
LAG_SECONDS = 250.0
"""How long a class C store's look-up misses what was written: less than three looks take."""

FAULTS = (
    "fine",
    "lost",
    "broken_after",
    "refused",
    "busy",
    "expired",
    "late",
    "dies_before",
    "dies_after",
    "dies_late",
)
WEIGHTS = (50, 8, 6, 6, 4, 2, 8, 4, 6, 6)


@dataclass
class Store:
    """A ticket store that keeps its class's promise and no other."""

    certainty: Certainty
    clock: FakeClock
    rng: random.Random
    opened: list[tuple[str, float]] = field(default_factory=list)
    """(key, when it was written), in the order they were written."""
    added: list[tuple[str, str, float]] = field(default_factory=list)
    """(ticket, key, when)."""
    late: list[tuple[float, Callable[[float], None]]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    active: set[str] = field(default_factory=set)
    clashes: list[str] = field(default_factory=list)
    """Keys that were under way twice at the same time."""
    is_kind: bool = False

    def tell(self) -> float:
        """Whatever was still under way has arrived by now; the time."""
        now = self.clock.monotonic()
        for at, write in sorted((pair for pair in self.late if pair[0] <= now), key=lambda pair: pair[0]):
            write(at)
        self.late = [pair for pair in self.late if pair[0] > now]
        return now

    def open(self, key: str, at: float) -> None:
        if not (self.certainty is A and key in {known for known, _ in self.opened}):
            self.opened.append((key, at))

    def add(self, ticket: str, key: str, at: float) -> None:
        if not (self.certainty is A and key in {known for _, known, _ in self.added}):
            self.added.append((ticket, key, at))

    def is_seen(self, at: float) -> bool:
        return self.clock.monotonic() - at >= (LAG_SECONDS if self.certainty is C else 0)

    def longest_flight(self) -> float:
        """How long a request may still be running over there after it was sent."""
        return {A: 3600.0, B: TIMEOUT_SECONDS + 59.0, C: TIMEOUT_SECONDS + 100.0, D: 60.0}[self.certainty]


class StormySink(MemorySink):
    """Writes to a `Store`, one call at a time for each key."""

    there: Store

    def render(self, event: Event, key: str) -> bytes:
        return f"{key} {event.id}".encode()

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        await self._call(key, lambda at: self.there.open(key, at))
        return Ticket(id=key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._call(key, lambda at: self.there.add(ticket.id, key, at))

    async def find(self, key: str) -> Ticket | None:
        self.there.tell()
        found = [known for known, at in self.there.opened if known == key and self.there.is_seen(at)]
        return Ticket(id=key) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        self.there.tell()
        return {known for _, known, at in self.there.added if self.there.is_seen(at)} & set(marks)

    async def _call(self, key: str, write: Callable[[float], None]) -> None:
        there, now = self.there, self.there.tell()
        if key in there.active:
            there.clashes.append(key)
        there.active.add(key)
        fault = "fine" if there.is_kind else there.rng.choices(FAULTS, WEIGHTS)[0]
        there.faults[fault] += 1
        try:
            await asyncio.sleep(0)
            if fault in ("fine", "lost", "broken_after", "dies_after"):
                write(now)
            if fault in ("late", "dies_late"):
                there.late.append((now + there.rng.uniform(0, there.longest_flight()), write))
            if error := _error(fault):
                raise error
        finally:
            there.active.discard(key)


def _error(fault: str) -> BaseException | None:
    errors: dict[str, BaseException] = {
        "lost": InDoubt(),
        "broken_after": RuntimeError("500 after creating"),
        "late": TimeoutError(),
        "refused": Unavailable(),
        "busy": RetryLater(after_seconds=3),
        "expired": AuthError(),
    }
    return asyncio.CancelledError() if fault.startswith("dies") else errors.get(fault)


class Storm:
    """One seed's story."""

    def __init__(self, depot: Depot, certainty: Certainty, seed: int, **settings: Any) -> None:
        self.depot = depot
        self.rng = random.Random(seed)
        self.store = Store(certainty, depot.clock, self.rng)
        self.said: dict[str, int] = {}
        """Complaint → how many events it has."""
        self._settings = Asking(sink="memory", timeout_seconds=TIMEOUT_SECONDS, max_attempts=1000, **settings)

    async def run(self) -> None:
        self._hire()
        for number in range(self.rng.randint(2, 4)):
            self.said[await self.depot.complain(f"c{number}")] = 1
        for _ in range(self.rng.randint(8, 30)):
            await self._step()
        self.store.is_kind = True
        await self.depot.run(timedelta(days=2))
        self.store.tell()

    async def _step(self) -> None:
        kind = self.rng.random()
        if kind < 0.2:
            who = self.rng.randrange(len(self.said))
            reference = list(self.said)[who]
            await self.depot.add(f"c{who}", self.said[reference])
            self.said[reference] += 1
        elif kind < 0.7:
            await self.depot.run(self.rng.choice((0, 1, 9, 30, 80, 200)))
        elif kind < 0.9:
            await self.depot.work()
        elif kind < 0.95:
            await self.depot.crash()
            self._hire()

    def _hire(self) -> None:
        made: type[Sink[Any]] = memory_sink(self.store.certainty, self.store.certainty)
        sink: Any = type("Stormy", (StormySink,), {"spec": made.spec, "there": self.store})
        context = make_context(HOOK, self.depot.desk.folder, clock=self.depot.clock)
        self.depot.couriers[HOOK] = Courier(
            HOOK, self.depot.desk.journal, self.depot.clock, sink(context), self._settings, restored=False
        )

    async def expected(self) -> tuple[list[str], list[str]]:
        """Keys of the tickets there must be, and of the follow-ups in the order of each complaint."""
        rows = self.depot.desk.rows(
            "SELECT l.complaint_id, e.id, e.sequence FROM deliveries d JOIN lines l ON l.id = d.line_id"
            " JOIN events e ON e.id = d.event_id WHERE d.destination=? ORDER BY e.complaint_id, e.sequence",
            HOOK,
        )
        return [row[0] for row in rows if row[2] == 1], [_tail(row[1]) for row in rows if row[2] > 1]


def _tail(event: str) -> str:
    return event.rpartition(":")[2].upper()


def _complaint(key: str) -> str:
    return key[: len("ALE-0000-0000-0000")]


async def storm(folder: Path, certainty: Certainty, seed: int, **settings: Any) -> Storm:
    desk = await Desk.open(folder / str(seed))
    depot = Depot(desk, folder)
    made = Storm(depot, certainty, seed, **settings)
    try:
        await made.run()
        await check(made, seed)
    finally:
        for courier in depot.couriers.values():
            await courier.stop(0)
        await depot.desk.close()
    return made


async def check(made: Storm, seed: int) -> None:
    """Never doubled where the store can be asked; where it cannot, what is held is held for a person."""
    tickets, follow_ups = await made.expected()
    opened = Counter(_complaint(key) for key, _ in made.store.opened)
    added = Counter(key.rpartition("-")[2] for _, key, _ in made.store.added)
    where = f"seed {seed}: {dict(made.store.faults)}"
    assert sorted(tickets) == sorted(made.said), where
    assert not made.store.clashes, where
    if made.store.certainty is not D:
        assert opened == Counter(tickets), where
        assert added == Counter(follow_ups), where
        assert not await made.depot.desk.letters(), where
    elif made._settings.when_in_doubt == "hold":
        assert max([*opened.values(), *added.values()], default=1) == 1, f"doubled: {where}"
        await _check_held(made, opened, added, where)
    else:
        assert set(opened) == set(tickets), f"lost: {where}"
        assert set(added) == set(follow_ups), f"lost: {where}"
        assert set(await made.depot.states()) == {DeliveryState.SENT}, where
    _check_order(made, follow_ups, where)


async def _check_held(made: Storm, opened: Counter[str], added: Counter[str], where: str) -> None:
    """Each line is sent up to a letter, and waits from there on."""
    lines: dict[str, list[DeliveryState]] = {}
    for row in await made.depot.rows():
        lines.setdefault(row.complaint_id, []).append(row.state)
        there = opened[row.complaint_id] if len(lines[row.complaint_id]) == 1 else added[_tail(row.event_id)]
        assert there or row.state is not DeliveryState.SENT, f"lost: {where}"
    for states in lines.values():
        rest = states[states.count(DeliveryState.SENT) :]
        held = [DeliveryState.LETTER, *[DeliveryState.PENDING] * (len(rest) - 1)]
        assert rest == (held if rest else []), where


def _check_order(made: Storm, follow_ups: list[str], where: str) -> None:
    """A ticket's follow-ups came in the order of its events (of those that came again, the first time counts)."""
    for ticket in made.said:
        keys = [key.rpartition("-")[2] for there, key, _ in made.store.added if _complaint(there) == ticket]
        came = list(dict.fromkeys(keys))
        assert came == [key for key in follow_ups if key in came], f"out of order: {where}"


SEEDS = int(os.environ.get("STORM_SEEDS", "60"))
"""Stories per class of store; half as many where it cannot be asked."""

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("certainty", [A, B, C])
async def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path, certainty: Certainty) -> None:
    faults: Counter[str] = Counter()
    for seed in range(SEEDS):
        faults += (await storm(tmp_path, certainty, seed)).store.faults
    assert set(faults) == set(FAULTS), "every fault was met"


async def test_a_store_that_cannot_be_asked_doubles_nothing_and_holds_the_rest(tmp_path: Path) -> None:
    held = 0
    for seed in range(SEEDS // 2):
        held += len(await _letters(await storm(tmp_path, D, seed)))
    assert held


async def _letters(made: Storm) -> list[Any]:
    return made.depot.desk.rows("SELECT id FROM letters WHERE state='open'")


async def test_sent_again_where_the_admin_chose_so_nothing_is_lost(tmp_path: Path) -> None:
    doubled = 0
    for seed in range(SEEDS // 2):
        made = await storm(tmp_path, D, seed, when_in_doubt="send_again")
        doubled += len(made.store.opened) - len(made.said)
    assert doubled, "this choice has its price; if it had none, the storm would prove nothing"
