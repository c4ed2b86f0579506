"""After a restore a burst of chat messages may be read in other groups than it was filed in: what the store has of each
message decides, so that nothing is lost and nothing is told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from allears.journal.records import DeliveryState
from allears_sdk.sink import Certainty
from allears_sdk.testing import FakeClock, Fault, MemoryStore
from tests.delivery.depot import HOOK, Depot
from tests.journal.desk import Desk, said

B, C = Certainty.B, Certainty.C
both = pytest.mark.parametrize("certainty", [B, C])
kinds = pytest.mark.parametrize("is_stream", [False, True], ids=["tickets", "stream"])


class Chat:
    """A house whose journal was born after everything was said, as after a restore from an old backup."""

    def __init__(self, folder: Path, clock: FakeClock, store: MemoryStore) -> None:
        self.folder = folder
        self.clock = clock
        self.store = store
        self.began = clock.now() - timedelta(hours=1)

    @asynccontextmanager
    async def house(self, name: str, certainty: Certainty, *, is_stream: bool) -> AsyncIterator[Depot]:
        folder = self.folder / name
        folder.mkdir()
        depot = Depot(await Desk.open(folder, self.clock), folder)
        depot.store = self.store
        depot.hire(certainty, restored=True, is_stream=is_stream)
        yield depot
        for courier in depot.couriers.values():
            await courier.stop(0)
        await depot.desk.close()

    async def hear(self, depot: Depot, *numbers: int) -> None:
        """A burst, read at once."""
        await self.read(depot, *numbers)
        await depot.run(timedelta(minutes=20))

    async def read(self, depot: Depot, *numbers: int) -> None:
        for number in numbers:
            at = self.began + timedelta(seconds=number)
            message = said(f"第{number}句：屏幕碎了，要求退款", external_id=f"m{number}", posted_at=at)
            await depot.desk.accept("chat", depot.desk.raw(f"m{number}", message, thread="wm-li"))
        await depot.desk.settle()

    def told(self, depot: Depot) -> list[str]:
        """Every message as often as the store was told of it."""
        return sorted(one for parts in depot.told().values() for part in parts for one in part)


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    return Chat(tmp_path, FakeClock(), MemoryStore())


GROUPS: Sequence[tuple[Sequence[tuple[int, ...]], Sequence[tuple[int, ...]]]] = [
    (((1, 2), (3,)), ((1, 2, 3, 4),)),
    (((1,), (2, 3)), ((1, 2), (3, 4))),
    (((1, 2, 3),), ((1,), (2,), (3, 4))),
    (((1, 2), (3, 4)), ((1, 2, 3, 4),)),
    (((1,), (2, 3, 4)), ((1, 2, 3), (4,))),
]


@both
@kinds
@pytest.mark.parametrize(("before", "after"), GROUPS)
async def test_each_message_is_told_once(
    chat: Chat,
    certainty: Certainty,
    is_stream: bool,
    before: Sequence[tuple[int, ...]],
    after: Sequence[tuple[int, ...]],
) -> None:
    for name, groups in (("lost", before), ("restored", after)):
        async with chat.house(name, certainty, is_stream=is_stream) as depot:
            for group in groups:
                await chat.hear(depot, *group)
            assert set(await depot.states(HOOK)) == {DeliveryState.SENT}
    assert chat.told(depot) == ["m1", "m2", "m3", "m4"]
    assert is_stream or len(chat.store.tickets) == 1


@kinds
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.UNREACHABLE])
@pytest.mark.parametrize("crashes", [False, True])
async def test_the_rest_is_told_once_though_its_answer_is_lost(
    chat: Chat, is_stream: bool, fault: Fault, crashes: bool
) -> None:
    async with chat.house("lost", B, is_stream=is_stream) as depot:
        await chat.hear(depot, 1, 2)
    async with chat.house("restored", B, is_stream=is_stream) as depot:
        chat.store.faults.append(fault)
        await chat.read(depot, 1, 2, 3, 4)
        await depot.work()
        if crashes:
            await depot.crash()
            depot.hire(B, restored=True, is_stream=is_stream)
        await depot.run(timedelta(minutes=20))
        assert set(await depot.states(HOOK)) == {DeliveryState.SENT}
    assert chat.told(depot) == ["m1", "m2", "m3", "m4"]
    assert is_stream or len(chat.store.tickets) == 1


async def test_its_next_follow_up_goes_to_the_ticket_that_was_found(chat: Chat) -> None:
    async with chat.house("lost", B, is_stream=False) as depot:
        await chat.hear(depot, 1)
    async with chat.house("restored", B, is_stream=False) as depot:
        await chat.hear(depot, 1, 2)
        await chat.hear(depot, 3)
    assert chat.told(depot) == ["m1", "m2", "m3"]
    assert len(chat.store.tickets) == 1
