"""Sinks that take many deliveries in one step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from allears.journal.records import DeliveryState
from allears_sdk.errors import InDoubt, Rejected, Unavailable
from allears_sdk.sink import Certainty, Sending, Ticket
from tests.delivery.depot import Depot, Scripted

PENDING, DOUBT, LETTER, SENT = DeliveryState.PENDING, DeliveryState.DOUBT, DeliveryState.LETTER, DeliveryState.SENT

pytestmark = pytest.mark.usefixtures("quiet")


async def test_each_of_a_batch_gets_its_own_reaction(depot: Depot) -> None:
    depot.hire(Certainty.B, batches=True)
    for who in ("c0", "c1", "c2", "c3", "c4"):
        await depot.complain(who, follow_ups=1)
    depot.play.errors += [Rejected("too long"), InDoubt(), KeyError("id"), Unavailable()]
    await depot.work()
    assert (await depot.states())[::2] == [LETTER, DOUBT, DOUBT, PENDING, SENT]
    await depot.run(timedelta(hours=1))
    assert (await depot.states())[::2] == [LETTER, SENT, SENT, SENT, SENT]
    assert (await depot.states())[1::2] == [PENDING, SENT, SENT, SENT, SENT]
    assert [len(events) for events in depot.told().values()] == [2, 2, 2, 2]


async def test_a_batch_holds_one_delivery_of_a_line(depot: Depot) -> None:
    sizes: list[list[str]] = []

    class Counting(Scripted):
        async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
            sizes.append([one.key[:18] for one in sendings])
            return await super().send_many(sendings)

    depot.hire(batches=True, base=Counting)
    for number in range(5):
        await depot.complain(f"c{number}", follow_ups=2)
    await depot.work()
    assert [len(keys) for keys in sizes] == [5, 5, 5]
    assert all(len(set(keys)) == len(keys) for keys in sizes)
    assert [len(events) for events in depot.told().values()] == [3] * 5


@pytest.mark.parametrize("error", [Unavailable(), InDoubt(), TimeoutError(), ValueError("not JSON")])
async def test_a_batch_that_fails_whole(depot: Depot, error: Exception) -> None:
    class Failing(Scripted):
        async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
            if errors and isinstance(error, Unavailable):
                raise errors.pop()
            answers = await super().send_many(sendings)
            if errors:
                raise errors.pop()
            return answers

    errors = [error]
    depot.hire(Certainty.B, batches=True, base=Failing)
    for who in ("li", "amy", "bob"):
        await depot.complain(who)
    await depot.work()
    assert await depot.states() == [PENDING if isinstance(error, Unavailable) else DOUBT] * 3
    await depot.run(timedelta(hours=1))
    assert await depot.states() == [SENT] * 3
    assert len(depot.store.tickets) == 3


@pytest.mark.parametrize("count", [0, 1, 4])
async def test_a_sink_that_miscounts_leaves_doubt_and_ends_as_letters(depot: Depot, count: int) -> None:
    class Miscounting(Scripted):
        async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
            return [Ticket(id="T-1")] * count

    depot.hire(batches=True, max_attempts=3, base=Miscounting)
    for who in ("li", "amy"):
        await depot.complain(who)
    await depot.work()
    assert await depot.states() == [DOUBT] * 2
    await depot.run(timedelta(hours=1))
    assert await depot.states() == [LETTER] * 2
