"""Doubt: what became of a request whose answer was lost is found out by the class of the store, not sooner than
the attempt's deadline plus the class's wait, and nothing overtakes it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from allears.journal.records import DeliveryState
from allears_sdk.errors import AuthError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Certainty
from allears_sdk.testing import Fault
from tests.delivery.depot import Depot
from tests.journal.desk import mail

A, B, C, D = Certainty.A, Certainty.B, Certainty.C, Certainty.D
PENDING, DOUBT, LETTER, SENT = DeliveryState.PENDING, DeliveryState.DOUBT, DeliveryState.LETTER, DeliveryState.SENT
LOOKS = ["find", "find_follow_ups"]
TIMEOUT = 30
"""The default `timeout_seconds`: an attempt's deadline."""

waits = pytest.mark.parametrize(("certainty", "seconds"), [(A, 0), (B, 60), (C, 120)])
operations = pytest.mark.parametrize("operation", ["open", "follow_up"])


async def into_doubt(depot: Depot, fault: Fault, operation: str) -> None:
    """One delivery of that operation meets the fault; the calls before it are forgotten."""
    await depot.complain("li")
    if operation == "follow_up":
        await depot.work()
        await depot.add("li", 1)
    depot.store.calls.clear()
    depot.store.faults.append(fault)
    await depot.work()
    assert (await depot.row()).state is DOUBT


def once(depot: Depot, operation: str) -> bool:
    """Whether the store holds what was said exactly once."""
    (ticket,) = depot.store.tickets
    return depot.told()[ticket.id] == [
        (f"li-{number}~digest",) for number in range(2 if operation == "follow_up" else 1)
    ]


@operations
@waits
async def test_nothing_happens_before_deadline_and_wait(
    depot: Depot, certainty: Certainty, seconds: int, operation: str
) -> None:
    depot.hire(certainty)
    await into_doubt(depot, Fault.LOSE_ANSWER, operation)
    await depot.run(TIMEOUT + seconds - 0.1)
    assert depot.operations() == [operation]
    await depot.run(0.2)
    look = "find" if operation == "open" else "find_follow_ups"
    assert depot.operations() == [operation, operation if certainty is A else look]
    assert (await depot.row()).state is SENT
    assert once(depot, operation)


@operations
@waits
async def test_a_request_that_arrives_after_its_sender_gave_up_is_not_doubled(
    depot: Depot, certainty: Certainty, seconds: int, operation: str
) -> None:
    depot.hire(certainty)
    await into_doubt(depot, Fault.LATE, operation)
    await depot.run(TIMEOUT + seconds - 0.1)
    depot.store.land()
    await depot.run(timedelta(hours=1))
    assert once(depot, operation)
    assert (await depot.row()).state is SENT


@operations
@waits
async def test_what_never_arrived_is_sent_again(
    depot: Depot, certainty: Certainty, seconds: int, operation: str
) -> None:
    depot.hire(certainty)
    await into_doubt(depot, Fault.LATE, operation)
    await depot.run(timedelta(hours=1))
    assert once(depot, operation)
    assert depot.play.payloads[-1] == depot.play.payloads[-2], "the same bytes"
    looks = {A: 0, B: 1, C: 3}[certainty]
    assert len(depot.operations()) == 2 + looks


@operations
async def test_a_lagging_look_up_looks_three_times(depot: Depot, operation: str) -> None:
    depot.hire(C)
    await into_doubt(depot, Fault.LATE, operation)
    look = "find" if operation == "open" else "find_follow_ups"
    await depot.run(TIMEOUT + 120 + 0.1)
    assert depot.operations() == [operation, look]
    await depot.run(120)
    assert depot.operations() == [operation, look, look]
    await depot.run(119)
    assert depot.operations() == [operation, look, look]
    await depot.run(1)
    assert depot.operations() == [operation, look, look, look, operation]


async def test_a_lagging_look_up_adopts_what_it_sees_at_last(depot: Depot) -> None:
    depot.store.lag_seconds = 300
    depot.hire(C)
    await into_doubt(depot, Fault.LOSE_ANSWER, "open")
    await depot.run(timedelta(hours=1))
    assert depot.operations() == ["open", "find", "find", "find"]
    assert once(depot, "open")


async def test_a_sink_may_need_no_wait(depot: Depot) -> None:
    depot.hire(B, wait_seconds=0, timeout_seconds=5)
    await into_doubt(depot, Fault.LOSE_ANSWER, "open")
    await depot.run(5.1)
    assert depot.operations() == ["open", "find"]


@operations
async def test_a_store_that_cannot_be_asked_holds_for_a_person(depot: Depot, operation: str) -> None:
    depot.hire(D)
    await into_doubt(depot, Fault.LOSE_ANSWER, operation)
    await depot.add("li", 2)
    await depot.run(timedelta(days=30))
    assert depot.operations() == [operation], "not once more, and nothing behind it"
    (letter,) = await depot.desk.letters()
    assert "replay or discard" in letter.reason
    assert (await depot.states())[-2:] == [LETTER, PENDING]


async def test_a_person_who_replays_a_held_one_sends_what_was_frozen(depot: Depot) -> None:
    depot.hire(D)
    await into_doubt(depot, Fault.LATE, "open")
    await depot.run(timedelta(minutes=1))
    (letter,) = await depot.desk.letters()
    depot.play.suffix = "\n# another template"
    await depot.desk.journal.replay_letter(letter.id)
    await depot.run(timedelta(minutes=1))
    assert depot.play.payloads[0] == depot.play.payloads[1]
    assert (await depot.row()).state is SENT


@operations
async def test_a_store_that_cannot_be_asked_may_get_it_again(depot: Depot, operation: str) -> None:
    depot.hire(D, when_in_doubt="send_again")
    await into_doubt(depot, Fault.LATE, operation)
    await depot.run(timedelta(hours=1))
    assert depot.operations() == [operation, operation]
    assert once(depot, operation)
    assert not await depot.desk.letters()


@pytest.mark.parametrize("certainty", [A, B, C, D])
async def test_nothing_overtakes_doubt_on_its_line_and_other_lines_go_on(depot: Depot, certainty: Certainty) -> None:
    depot.hire(certainty)
    await into_doubt(depot, Fault.LATE, "open")
    await depot.add("li", 1)
    await depot.complain("amy")
    await depot.run(TIMEOUT - 1)
    assert await depot.states() == [DOUBT, PENDING, SENT]


@waits
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LATE])
async def test_a_killed_process_leaves_doubt(depot: Depot, certainty: Certainty, seconds: int, fault: Fault) -> None:
    depot.hire(certainty)
    await depot.complain("li", follow_ups=1)
    depot.store.faults.append(fault)
    (due,) = await depot.desk.due("hook")
    await depot.desk.freeze(due, wait_seconds=seconds)
    sink = depot.sink(certainty)
    frozen = sink.render(due.event, due.key)
    with pytest.raises(InDoubt):
        depot.store.perform("open", due.key, lambda: sink._create(due.key, frozen))
    await depot.crash()
    depot.hire(certainty)
    await depot.run(TIMEOUT + seconds - 0.1)
    assert depot.operations() == ["open"]
    depot.store.land()
    await depot.run(timedelta(hours=1))
    assert len(depot.store.tickets) == 1
    assert await depot.states() == [SENT, SENT]


@pytest.mark.parametrize(
    ("certainty", "restored", "calls"),
    [(A, False, ["open"]), (B, False, LOOKS), (C, False, LOOKS), (D, False, ["open"]), (D, True, [])],
)
async def test_what_was_said_before_the_journal_is_looked_up_first(
    depot: Depot, certainty: Certainty, restored: bool, calls: list[str]
) -> None:
    depot.hire(certainty, restored=restored)
    told = mail("li-0", posted_at=depot.clock.now() - timedelta(days=1))
    await depot.desk.hear("mail", "li-0", told)
    (due,) = await depot.desk.due("hook")
    await depot.desk.journal.release_deliveries("hook", [due.id])
    sink = depot.sink(certainty)
    if certainty in (B, C):
        sink._create(due.key, sink.render(due.event, due.key))
    await depot.run(1)
    assert depot.operations() == calls
    assert (await depot.row()).state is (SENT if calls else LETTER)


@pytest.mark.parametrize("error", [Unavailable(), AuthError(), RetryLater(after_seconds=600)])
async def test_a_look_up_that_meets_an_outage_waits_it_out(depot: Depot, error: Exception) -> None:
    courier = depot.hire(B)
    await into_doubt(depot, Fault.LOSE_ANSWER, "open")
    depot.play.look_errors = [error] * 40
    with capture_logs() as said:
        await depot.run(TIMEOUT + 60.1)
        assert courier.down_since is not None
        assert courier.rest_seconds > 0
        await depot.run(timedelta(days=1))
    assert not await depot.desk.letters()
    assert once(depot, "open")
    assert (await depot.row()).attempts == 2, "a look-up in an outage is no attempt"
    assert [entry["event"] for entry in said] == ["destination_down", *["in_doubt"] * 40, "destination_up", "caught_up"]


@pytest.mark.parametrize("error", [Rejected("bad query"), InDoubt(), KeyError("tickets")])
async def test_a_look_up_that_never_works_is_a_letter_in_the_end(depot: Depot, error: Exception) -> None:
    courier = depot.hire(B, max_attempts=4)
    await into_doubt(depot, Fault.LOSE_ANSWER, "open")
    await depot.complain("amy")
    depot.play.look_errors = [error] * 9
    await depot.run(timedelta(hours=1))
    assert courier.down_since is None
    assert await depot.states() == [LETTER, SENT]
    assert depot.operations().count("open") == 2


async def test_doubt_without_end_is_a_letter_that_can_be_replayed(depot: Depot) -> None:
    depot.hire(A, max_attempts=3)
    await depot.complain("li")
    depot.play.errors += [InDoubt("500", detail="stack trace")] * 3
    await depot.run(timedelta(days=1))
    (letter,) = await depot.desk.letters()
    assert (letter.reason, letter.detail) == ("500", "stack trace")
    assert (await depot.row()).attempts == 3
    depot.play.suffix = "\n# another template"
    await depot.desk.journal.replay_letter(letter.id)
    await depot.run(1)
    assert await depot.states() == [SENT]
    assert len(set(depot.play.payloads)) == 1


@operations
@pytest.mark.parametrize("certainty", [B, C])
async def test_who_can_look_does_so_before_giving_up(depot: Depot, certainty: Certainty, operation: str) -> None:
    depot.hire(certainty, max_attempts=1)
    await into_doubt(depot, Fault.LOSE_ANSWER, operation)
    await depot.run(timedelta(hours=1))
    assert not await depot.desk.letters()
    assert once(depot, operation)


@pytest.mark.parametrize("certainty", [B, C])
async def test_a_letter_of_a_store_that_was_looked_through_doubles_nothing(depot: Depot, certainty: Certainty) -> None:
    depot.hire(certainty, max_attempts=2)
    await depot.complain("li")
    depot.store.faults += [Fault.LATE, Fault.LATE]
    await depot.run(timedelta(hours=1))
    assert depot.operations().count("open") == 2
    (letter,) = await depot.desk.letters()
    await depot.desk.journal.replay_letter(letter.id)
    await depot.run(1)
    assert once(depot, "open")


async def test_tries_in_doubt_come_ever_more_slowly(depot: Depot) -> None:
    depot.hire(A, timeout_seconds=1, max_attempts=30)
    await depot.complain("li")
    depot.play.errors += [InDoubt()] * 20
    await depot.run(60)
    few = len(depot.play.payloads)
    assert few <= 7
    await depot.run(timedelta(days=2))
    assert await depot.states() == [SENT]
