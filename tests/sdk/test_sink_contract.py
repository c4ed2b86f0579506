"""The contract suite passes on a good sink of every class, and fails on each kind of bad one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Event
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, InDoubt, RetryLater, Unavailable
from allears_sdk.sink import Certainty, Progress, Ticket
from allears_sdk.testing import FakeClock, Fault, MemorySink, MemoryStore, make_context, make_event, memory_sink
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import RecordingLog
from allears_sdk.testing.sinks import SinkContract, Stored


class MemoryContract(SinkContract):
    sink_class: type[MemorySink] = MemorySink

    @cached_property
    def store(self) -> MemoryStore:
        return MemoryStore(lag_seconds=100 if self.sink_class.spec.open_certainty is Certainty.C else 0)

    def make_sink(self, context: Context) -> MemorySink:
        return self.sink_class(context, self.store)

    async def stored(self) -> list[Stored]:
        openings = [(ticket.key, ticket.payload) for ticket in self.store.tickets]
        follow_ups = [pair for ticket in self.store.tickets for pair in ticket.follow_ups]
        return [
            Stored(key, decode(payload, dict[str, Any])["event"]["record"]["description"])
            for key, payload in openings + follow_ups
        ]

    async def fail_next(self, fault: Fault) -> None:
        self.store.faults.append(fault)


class TestClassA(MemoryContract):
    sink_class = memory_sink(Certainty.A, Certainty.A)


class TestClassB(MemoryContract):
    sink_class = memory_sink(Certainty.B, Certainty.B)


class TestClassC(MemoryContract):
    sink_class = memory_sink(Certainty.C, Certainty.C)


class TestClassD(MemoryContract):
    sink_class = memory_sink(Certainty.D, Certainty.D)


class TestMixedClasses(MemoryContract):
    sink_class = memory_sink(Certainty.B, Certainty.D)


B = memory_sink(Certainty.B, Certainty.B)


class DoublesOnRepeat(MemorySink):
    """Claims class A, but knows no keys."""

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        self.store.tickets = [replace(ticket, key="") for ticket in self.store.tickets]
        ticket = await super().open(payload, key, progress)
        self.store.tickets = [replace(ticket, key=key) for ticket in self.store.tickets]
        return ticket


class FindsNothing(B):  # type: ignore[valid-type,misc] # made by a factory
    async def find(self, key: str) -> Ticket | None:
        return None


class FindsAnything(B):  # type: ignore[valid-type,misc] # made by a factory
    """Trusts a filter that the store ignores."""

    async def find(self, key: str) -> Ticket | None:
        return Ticket(id=self.store.tickets[0].id) if self.store.tickets else None


class CallsLostUndone(MemorySink):
    """Takes a time-out for a failure."""

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        try:
            return await super().open(payload, key, progress)
        except InDoubt:
            raise Unavailable from None


class StampsNow(MemorySink):
    """Renders the time of rendering."""

    def render(self, event: Event, key: str) -> bytes:
        return encode({"key": key, "event": event, "sent_at": self.context.clock.now()})


class CutsEmoji(MemorySink):
    def render(self, event: Event, key: str) -> bytes:
        record = replace(event.record, description=event.record.description.encode("gbk", "replace").decode("gbk"))
        return super().render(replace(event, record=record), key)


class ForgetsRetryAfter(MemorySink):
    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        try:
            return await super().open(payload, key, progress)
        except RetryLater:
            raise RetryLater from None


class ShowsSecret(MemorySink):
    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        try:
            return await super().open(payload, key, progress)
        except AuthError:
            raise AuthError("refused", detail=f"token {self.settings.secret.get_secret_value()}") from None


class LogsSecret(MemorySink):
    async def check(self) -> Identity:
        self.context.log.info("logging_in", token=self.settings.secret.get_secret_value())
        return await super().check()


class NeverGone(MemorySink):
    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        self.store.faults.clear()
        await super().follow_up(ticket, payload, key, progress)


class SaysItBatches(MemorySink):
    spec = replace(MemorySink.spec, batches=True)


Run = Callable[[MemoryContract, MemorySink], Awaitable[None]]


def simply(name: str, **given: Any) -> Run:
    async def run(contract: MemoryContract, sink: MemorySink) -> None:
        known = {"log": sink.context.log, "clock": sink.context.clock, "context": sink.context, **given}
        test = getattr(contract, f"test_{name}")
        wanted = test.__func__.__code__.co_varnames[2 : test.__func__.__code__.co_argcount]
        await test(sink, **{word: known[word] for word in wanted})

    return run


LOST = simply("an_opening_whose_answer_was_lost_is_not_doubled", is_restarted=False)
BROKEN: list[tuple[type[MemorySink], Run]] = [
    (DoublesOnRepeat, LOST),
    (FindsNothing, LOST),
    (FindsNothing, simply("look_up_finds_what_is_there_and_nothing_else")),
    (FindsAnything, simply("look_up_finds_what_is_there_and_nothing_else")),
    (CallsLostUndone, simply("an_answer_that_makes_no_sense_is_never_taken_for_not_done")),
    (StampsNow, simply("rendering_is_pure")),
    (CutsEmoji, simply("an_opening_and_its_follow_up_are_there_once_and_whole")),
    (
        ForgetsRetryAfter,
        simply("a_refusal_is_named_and_leaves_nothing_behind", fault=Fault.TOO_MANY, error=RetryLater),
    ),
    (ShowsSecret, simply("a_refusal_is_named_and_leaves_nothing_behind", fault=Fault.EXPIRED, error=AuthError)),
    (LogsSecret, simply("secrets_stay_inside")),
    (SaysItBatches, simply("spec_agrees_with_the_class")),
]


@pytest.mark.parametrize(
    ("broken", "run"), BROKEN, ids=[f"{broken.__name__}-{number}" for number, (broken, _) in enumerate(BROKEN)]
)
async def test_a_broken_sink_fails(broken: type[MemorySink], run: Run, tmp_path: Path) -> None:
    contract = MemoryContract()
    contract.sink_class = broken
    context = make_context("destination", tmp_path, clock=FakeClock(), log=RecordingLog())
    with pytest.raises(AssertionError):
        await run(contract, contract.make_sink(context))


@pytest.mark.parametrize(
    ("broken", "run"),
    [
        (CallsLostUndone, LOST),
        (NeverGone, simply("a_ticket_that_is_gone_says_so")),
    ],
)
async def test_a_sink_that_raises_the_wrong_thing_fails(broken: type[MemorySink], run: Run, tmp_path: Path) -> None:
    contract = MemoryContract()
    contract.sink_class = broken
    with pytest.raises((Unavailable, pytest.fail.Exception)):
        await run(contract, contract.make_sink(make_context("destination", tmp_path)))


async def test_two_destinations_that_meet_fail(tmp_path: Path) -> None:
    contract = MemoryContract()
    contract.sink_class = FindsAnything
    sink = contract.make_sink(make_context("destination", tmp_path, clock=FakeClock()))
    with pytest.raises(AssertionError, match="adopts"):
        await contract.test_two_destinations_in_one_store_never_meet(sink, tmp_path, FakeClock())


async def test_a_hook_left_out_skips(tmp_path: Path) -> None:
    class Bare(SinkContract):
        def make_sink(self, context: Context) -> MemorySink:
            return MemorySink(context)

    contract = Bare()
    with pytest.raises(pytest.skip.Exception, match="look into the store"):
        await contract.stored()
    with pytest.raises(pytest.skip.Exception, match="lose answer"):
        await contract.fail_next(Fault.LOSE_ANSWER)
    with pytest.raises(pytest.skip.Exception):
        absent("anything")


async def test_a_late_request_arrives_when_told(tmp_path: Path) -> None:
    sink = B(make_context("destination", tmp_path))
    sink.store.faults.append(Fault.LATE)

    async def forget(note: object) -> None:
        """A progress note that nobody needs."""

    event = make_event()
    with pytest.raises(InDoubt):
        await sink.open(sink.render(event, "ALE-K"), "ALE-K", Progress(note={}, save=forget))
    assert await sink.find("ALE-K") is None
    sink.store.land()
    assert await sink.find("ALE-K") == Ticket(id="T-1")
    assert sink.store.calls == [("open", "ALE-K"), ("find", "ALE-K"), ("find", "ALE-K")]
