"""Where a delivery was left, by a crash, an outage or a person, it goes on: what is noted of it holds however it comes
back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears.journal.records import DeliveryState
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    TicketGone,
    Unavailable,
)
from allears_sdk.sink import Certainty, Progress, Ticket
from allears_sdk.testing import FakeClock, Fault, MemoryStore
from tests.delivery.depot import Depot, Play, Scripted
from tests.journal.desk import Desk, said

A, B, C = Certainty.A, Certainty.B, Certainty.C
HOUR = timedelta(hours=1)


class Completing(Scripted):
    """A store that takes files only into a ticket that is there."""

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        self.store.calls.append(("complete", key))
        if self.play.look_errors:
            raise self.play.look_errors.pop(0)


@pytest.mark.parametrize("certainty", list(Certainty))
@pytest.mark.parametrize("error", [RetryLater(after_seconds=7), Unavailable(), AuthError(), ConfigError(), InDoubt()])
async def test_what_is_there_is_not_sent_again_because_its_files_must_wait(
    depot: Depot, certainty: Certainty, error: AllearsError
) -> None:
    depot.hire(certainty, base=Completing)
    depot.play.look_errors = [error]
    await depot.complain("li", follow_ups=1)
    await depot.run(HOUR)
    operations = [operation for operation in depot.operations() if not operation.startswith("find")]
    assert operations == ["open", "complete", "complete", "follow_up", "complete"]
    assert len({key for _, key in depot.store.calls[:3]}) == 1
    assert await depot.states() == [DeliveryState.SENT] * 2


class Restored:
    """A journal born after `told` was said and filed, and more was said."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder = folder
        self.clock = clock
        self.store = MemoryStore()
        self.play = Play()
        self.facts: dict[str, Any] = {}
        self.began = clock.now() - timedelta(hours=1)

    async def open(self, name: str) -> Depot:
        folder = self.folder / name
        folder.mkdir()
        depot = Depot(await Desk.open(folder, self.clock), folder)
        depot.store, depot.play = self.store, self.play
        self.hire(depot)
        return depot

    def hire(self, depot: Depot) -> None:
        depot.hire(restored=True, **self.facts)

    async def read(self, depot: Depot, *numbers: int) -> None:
        for number in numbers:
            at = self.began + timedelta(seconds=number)
            message = said(f"第{number}句：要求退款", external_id=f"m{number}", posted_at=at)
            await depot.desk.accept("chat", depot.desk.raw(f"m{number}", message, thread="wm-li"))
        await depot.desk.settle()

    async def close(self, depot: Depot) -> None:
        for courier in depot.couriers.values():
            await courier.stop(0)
        await depot.desk.close()

    def told(self, depot: Depot) -> list[list[str]]:
        """By ticket."""
        return [[one for part in parts for one in part] for parts in depot.told().values()]


@pytest.fixture
async def restored(tmp_path: Path) -> Restored:
    return Restored(tmp_path, FakeClock())


@pytest.fixture
async def house(restored: Restored) -> AsyncIterator[Callable[..., Any]]:
    """A restored house that has read m1, m2 (which the store knows) and m3 (which it does not) as one burst."""
    opened: list[Depot] = []

    async def build(**facts: Any) -> Depot:
        restored.facts = facts
        lost = await restored.open("lost")
        await restored.read(lost, 1, 2)
        await lost.run(HOUR)
        await restored.close(lost)
        opened.append(await restored.open("restored"))
        await restored.read(opened[0], 1, 2, 3)
        return opened[0]

    yield build
    for depot in opened:
        await restored.close(depot)


OUTAGES: Sequence[AllearsError] = (RetryLater(after_seconds=7), Unavailable(), AuthError(), ConfigError())


@pytest.mark.parametrize("certainty", [B, C])
@pytest.mark.parametrize("error", [*OUTAGES, InDoubt()])
@pytest.mark.parametrize("crashes", [False, True])
async def test_what_is_left_stays_a_follow_up_to_the_ticket_that_was_found(
    house: Callable[..., Any], restored: Restored, certainty: Certainty, error: AllearsError, crashes: bool
) -> None:
    depot = await house(certainty=certainty)
    restored.play.errors = [error]
    for _ in range(4):
        await depot.run(150)
    if crashes:
        await depot.crash()
        restored.hire(depot)
    await depot.run(HOUR)
    assert restored.told(depot) == [["m1", "m2", "m3"]]


@pytest.mark.parametrize("error", [*OUTAGES, InDoubt()])
async def test_what_is_left_keeps_its_key(house: Callable[..., Any], restored: Restored, error: AllearsError) -> None:
    """A store that knows keys, and can be asked after a restore."""

    class Knowing(Scripted):
        def _check_can_find(self, certainty: Certainty) -> None:
            """It can."""

    depot = await house(base=Knowing, looks_up=True)
    first = len(restored.store.calls)
    restored.store.faults = [Fault.LOSE_ANSWER]
    await depot.work()
    restored.play.errors = [error]
    await depot.run(HOUR)
    keys = [key for operation, key in restored.store.calls[first:] if operation == "follow_up"]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert restored.told(depot) == [["m1", "m2", "m3"]]


@pytest.mark.parametrize("at", ["freeze", "note_progress"])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_death_before_the_first_byte(
    house: Callable[..., Any], restored: Restored, monkeypatch: pytest.MonkeyPatch, at: str, is_stream: bool
) -> None:
    """After the step is on disk, and before anybody could go on."""
    depot = await house(certainty=B, is_stream=is_stream)
    real = getattr(depot.desk.journal, at)

    async def die(*values: Any) -> Any:
        await real(*values)
        raise SystemError

    monkeypatch.setattr(depot.desk.journal, at, die)
    await depot.work()
    await depot.crash()
    restored.hire(depot)
    await depot.run(HOUR)
    assert sorted(one for ticket in restored.told(depot) for one in ticket) == ["m1", "m2", "m3"]
    assert is_stream or len(restored.store.tickets) == 1


async def test_a_letter_that_is_replayed_is_looked_up_again(house: Callable[..., Any], restored: Restored) -> None:
    depot = await house(certainty=B)
    restored.play.errors = [Rejected("priority is required")]
    await depot.run(HOUR)
    (letter,) = await depot.desk.letters()
    await depot.desk.journal.replay_letter(letter.id)
    await depot.run(HOUR)
    assert restored.told(depot) == [["m1", "m2", "m3"]]


@pytest.mark.parametrize("looks", [False, True])
async def test_the_successor_of_a_ticket_that_is_gone_is_looked_up(
    house: Callable[..., Any], restored: Restored, looks: bool
) -> None:
    """It may have been opened by the house that was lost."""

    class Closing(Scripted):
        """The first ticket takes nothing more, and shows nothing where `looks`."""

        async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
            if ticket.id == "T-1":
                raise TicketGone
            await super().follow_up(ticket, payload, key, progress)

        async def find_follow_ups(self, ticket: Ticket, marks: Any) -> Any:
            if looks and ticket.id == "T-1":
                raise TicketGone
            return await super().find_follow_ups(ticket, marks)

    depot = await house(certainty=B, base=Closing)
    await depot.run(HOUR)
    first = restored.told(depot)
    await restored.close(depot)
    again = await restored.open("restored again")
    await restored.read(again, 1, 2, 3)
    await again.run(HOUR)
    assert restored.told(again) == first
    await restored.close(again)
