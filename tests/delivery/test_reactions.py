"""What each answer of a store does to a delivery, its line and its destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from allears.journal.records import DeliveryState
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    BadMessage,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    TicketGone,
    Unavailable,
)
from allears_sdk.sink import Certainty
from tests.delivery.depot import HOOK, Depot

PENDING, DOUBT, LETTER, SENT = DeliveryState.PENDING, DeliveryState.DOUBT, DeliveryState.LETTER, DeliveryState.SENT


@dataclass(frozen=True)
class Case:
    error: BaseException
    state: DeliveryState
    counts: bool
    rests: tuple[float, float] = (0, 0)
    """Between how many seconds the destination is left alone."""
    is_down: bool = False


CASES = {
    "unavailable": Case(Unavailable(), PENDING, False, (0.5, 1), True),
    "retry-later": Case(RetryLater(after_seconds=7), PENDING, False, (7, 7), True),
    "retry-later-without-time": Case(RetryLater(), PENDING, False, (0.5, 1), True),
    "auth": Case(AuthError(), PENDING, False, (300, 300), True),
    "config": Case(ConfigError(), PENDING, False, (300, 300), True),
    "rejected": Case(Rejected("必填字段缺失"), LETTER, True),
    "bad-message": Case(BadMessage(), LETTER, True),
    "in-doubt": Case(InDoubt(), DOUBT, True),
    "time-out": Case(TimeoutError(), DOUBT, True),
    "unexpected": Case(KeyError("id"), DOUBT, True),
    "unnamed": Case(AllearsError("?"), LETTER, True),
}


@pytest.mark.parametrize("operation", ["open", "follow_up"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_reaction(depot: Depot, case: Case, operation: str) -> None:
    courier = depot.hire()
    await depot.complain()
    if operation == "follow_up":
        await depot.work()
        await depot.add("li", 1)
    depot.play.errors.append(case.error)
    await depot.work()
    row = await depot.row()
    assert (row.state, row.attempts) == (case.state, int(case.counts))
    assert case.rests[0] <= courier.rest_seconds <= case.rests[1]
    assert (courier.down_since is not None) == case.is_down
    letters = await depot.desk.letters()
    assert len(letters) == (case.state is LETTER)
    assert all(letter.complaint_id == row.complaint_id and letter.place == HOOK for letter in letters)
    await depot.run(timedelta(hours=1))
    assert (await depot.row()).state is (LETTER if case.state is LETTER else SENT)


async def test_an_opening_whose_ticket_is_gone_is_a_letter(depot: Depot) -> None:
    depot.hire()
    await depot.complain()
    depot.play.errors.append(TicketGone("工单系统已删除该队列"))
    await depot.work()
    assert (await depot.row()).state is LETTER


@pytest.mark.parametrize("error", [Rejected("no field for the category"), RuntimeError("template"), KeyError("x")])
async def test_what_cannot_be_rendered_is_a_letter_and_is_never_sent(depot: Depot, error: Exception) -> None:
    depot.hire()
    await depot.complain("li")
    depot.play.render_error = error
    await depot.work()
    assert depot.store.calls == []
    (letter,) = await depot.desk.letters()
    assert str(error).strip("'") in letter.reason
    depot.play.render_error = None
    await depot.desk.journal.replay_letter(letter.id)
    await depot.work()
    assert (await depot.row()).state is SENT


async def test_a_letter_holds_its_own_line_and_no_other(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li", follow_ups=1)
    await depot.complain("amy")
    depot.play.errors.append(Rejected())
    await depot.run(timedelta(days=1))
    assert await depot.states() == [LETTER, PENDING, SENT]
    (letter,) = await depot.desk.letters()
    await depot.desk.journal.replay_letter(letter.id)
    await depot.run()
    assert await depot.states() == [SENT, SENT, SENT]
    assert sorted(map(len, depot.told().values())) == [1, 2]


async def test_discarding_an_opening_makes_the_next_event_the_opening(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li", follow_ups=1)
    depot.play.errors.append(Rejected())
    await depot.work()
    (letter,) = await depot.desk.letters()
    await depot.desk.journal.discard_letter(letter.id)
    await depot.work()
    (ticket,) = depot.store.tickets
    assert depot.operations() == ["open"], "the store has no ticket to follow up on"
    assert b'"kind":"opened"' in ticket.payload
    assert "要求退款 0".encode() in ticket.payload, "the record is the whole conversation"


async def test_down_and_up_are_said_once_each(depot: Depot) -> None:
    courier = depot.hire()
    await depot.complain("li")
    depot.play.errors.extend(Unavailable("no route to host") for _ in range(9))
    with capture_logs() as said:
        await depot.run(timedelta(minutes=30))
    (down,) = [entry for entry in said if entry["event"] == "destination_down"]
    (up,) = [entry for entry in said if entry["event"] == "destination_up"]
    assert (down["destination"], down["reason"], down["log_level"]) == (HOOK, "no route to host", "warning")
    assert up["away"] != "0:00:00"
    assert courier.down_since is None
    assert len(depot.play.payloads) == 10


async def test_rests_grow_and_end(depot: Depot) -> None:
    courier = depot.hire()
    await depot.complain()
    depot.play.errors.extend(Unavailable() for _ in range(12))
    rests = []
    for _ in range(12):
        await depot.work()
        rests.append(courier.rest_seconds)
        depot.clock.advance(courier.rest_seconds + 0.001)
    assert all(2**index / 2 <= rest <= 2**index for index, rest in enumerate(rests[:8]))
    assert all(150 <= rest <= 300 for rest in rests[9:])
    await depot.work()
    depot.play.errors.append(Unavailable())
    await depot.complain("amy")
    await depot.work()
    assert courier.rest_seconds <= 1, "after it was up, the first rest is short again"


async def test_while_it_is_down_one_delivery_tries(depot: Depot) -> None:
    courier = depot.hire(concurrency=4)
    for number in range(8):
        await depot.complain(f"c{number}")
    depot.play.errors.extend(Unavailable() for _ in range(5))
    await courier.take()
    await courier.settle()
    assert len(depot.play.payloads) == 4
    depot.clock.advance(courier.rest_seconds + 0.001)
    await courier.take()
    await courier.settle()
    assert len(depot.play.payloads) == 5
    await depot.run(60)
    assert await depot.states() == [SENT] * 8


async def test_a_gone_ticket_opens_a_linked_one_with_the_whole_record(depot: Depot) -> None:
    courier = depot.hire()
    await depot.complain("li", follow_ups=1)
    await depot.work()
    await depot.add("li", 2)
    await depot.add("li", 3)
    depot.play.errors.append(TicketGone("merged"))
    with capture_logs() as said:
        await depot.work()
    first, second = depot.store.tickets
    assert first.key != second.key
    assert [len(first.follow_ups), len(second.follow_ups)] == [1, 1]
    assert b'"kind":"opened"' in second.payload
    assert f'"former":["{first.id}"]'.encode() in second.payload, "it says what it goes on from"
    for number in range(3):
        assert f" {number}".encode() in second.payload, "the successor tells it all"
    assert courier.down_since is None, "one ticket is gone, not the store"
    assert not [entry for entry in said if entry["event"] == "destination_down"]
    assert await depot.states() == [SENT] * 4


async def test_a_week_of_outage_makes_no_letter_and_keeps_the_order(depot: Depot) -> None:
    depot.hire()
    for number in range(60):
        await depot.complain(f"c{number}", follow_ups=4)
    week = timedelta(days=7)
    ends = depot.clock.now() + week

    class Outage(list[BaseException]):
        def __bool__(self) -> bool:
            return depot.clock.now() < ends

        def pop(self, index: object = -1) -> BaseException:
            return Unavailable("connection refused")

    depot.play.errors = Outage()
    with capture_logs() as said:
        await depot.run(week + timedelta(minutes=10))
    assert await depot.states() == [SENT] * 300
    assert not await depot.desk.letters()
    heard = [[messages[0] for messages in ticket] for ticket in depot.told().values()]
    assert sorted(heard) == sorted([f"c{who}-{number}~digest" for number in range(5)] for who in range(60))
    events = [entry["event"] for entry in said]
    assert events == ["destination_down", "destination_up", "caught_up"]
    assert said[-1]["filed"] == 300


async def test_long_catching_up_shows_how_far_it_has_come(depot: Depot) -> None:
    courier = depot.hire(concurrency=1)
    for number in range(6):
        await depot.complain(f"c{number}")
    depot.play.errors = [Unavailable("maintenance")]
    with capture_logs() as said:
        await depot.work()
        depot.clock.advance(10)
        while await courier.take():
            await courier.settle()
            depot.clock.advance(40)
    told = [(one["filed"], one["left"]) for one in said if one["event"] == "catching_up"]
    assert told == [(3, 3), (5, 1)], "about once a minute"
    assert said[-1]["event"] == "caught_up"


async def test_words_of_the_store_are_masked_in_the_log(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li")
    depot.play.errors += [
        Unavailable("try later", detail='{"phone": "13800138000"}'),
        InDoubt("lilei@mail.example.cn?"),
        Rejected("mobile 13800138000 已存在"),
    ]
    with capture_logs() as said:
        await depot.run(timedelta(hours=1))
    assert {entry["event"] for entry in said} >= {"destination_down", "in_doubt", "letter"}
    assert "13800138000" not in str(said)
    assert "lilei@" not in str(said)


async def test_the_class_of_the_opening_says_nothing_of_the_follow_up(depot: Depot) -> None:
    depot.hire(Certainty.A, follow_up_certainty=Certainty.D)
    await depot.complain("li")
    depot.play.errors.append(InDoubt())
    await depot.run(timedelta(hours=1))
    assert await depot.states() == [SENT]
    await depot.add("li", 1)
    depot.play.errors.append(InDoubt())
    await depot.run(timedelta(hours=1))
    assert await depot.states() == [SENT, LETTER]
