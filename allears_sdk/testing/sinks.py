"""The contract suite of a sink.

Subclass it in a test file, say how to make the sink and what its store holds, and pytest runs the rest. Every hook
that is left out skips the tests that need it, and says so::

    class TestJsonl(SinkContract):
        @pytest.fixture(autouse=True)
        def store(self, tmp_path: Path) -> None:
            self.path = tmp_path / "out.jsonl"

        def make_sink(self, context: Context) -> JsonlSink:
            return JsonlSink(JsonlSettings(sink="jsonl", path=self.path), context)

        async def stored(self) -> list[Stored]:
            lines = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
            return [Stored(line["delivery_key"], line["complaint"]["description"]) for line in lines]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Event
from allears_sdk.context import Context
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
from allears_sdk.reference import ticket_key
from allears_sdk.sink import Certainty, Progress, Sending, Sink, Ticket
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.components import absent, check_settings, check_silent, check_spec, overrides
from allears_sdk.testing.context import RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event

EMOJI = '气死我了😡👨‍👩‍👧 𠮷野家的卡 – café ☕ «refund» "now" \\ </td>&amp;\u2028第二行\n第三行'
OVERSIZE = "投诉" * 2_000_000
FINDS = frozenset({Certainty.B, Certainty.C})


@dataclass(frozen=True, slots=True)
class Stored:
    """An opening or a follow-up as the store holds it."""

    key: str
    text: str
    """What the customer said in it."""


@dataclass
class Notes:
    """Progress notes that last for the test."""

    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def progress(self, key: str) -> Progress:
        async def save(note: Mapping[str, Any]) -> None:
            self.notes[key] = dict(note)

        return Progress(note=self.notes.get(key, {}), save=save)


class SinkContract:
    """What every sink promises. `self` is new for each test, and so must the store be."""

    pytestmark = pytest.mark.asyncio

    def make_sink(self, context: Context) -> Sink[Any]:
        """A sink on this test's store; called again for a second destination and after a restart."""
        raise NotImplementedError

    async def stored(self) -> list[Stored]:
        """Every opening and follow-up in the store, in any order."""
        absent("look into the store")
        raise AssertionError

    async def fail_next(self, fault: Fault) -> None:
        """Make the next call meet this fault; call `absent` for those the store cannot have."""
        absent(f'fault "{fault}"')

    async def pass_lag(self, clock: FakeClock) -> None:
        """Let as much time go by as the store's look-up may lag (class C)."""
        clock.advance(120)

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def log(self) -> RecordingLog:
        return RecordingLog()

    @pytest.fixture
    def context(self, tmp_path: Path, clock: FakeClock, log: RecordingLog) -> Context:
        return make_context("destination", tmp_path, clock=clock, log=log)

    @pytest.fixture
    async def sink(self, context: Context) -> AsyncIterator[Sink[Any]]:
        sink = self.make_sink(context)
        await sink.start()
        yield sink
        await sink.stop()
        await context.remote.aclose()

    async def test_spec_agrees_with_the_class(self, sink: Sink[Any]) -> None:
        check_spec(sink.spec)
        assert sink.settings.sink == sink.spec.kind
        assert overrides(sink, Sink, "send_many") == sink.spec.batches, "spec.batches and send_many disagree"
        for method, certainty in (
            ("find", sink.spec.open_certainty),
            ("find_follow_up", sink.spec.follow_up_certainty),
        ):
            assert overrides(sink, Sink, method) or certainty not in FINDS, f"class {certainty} needs {method}"

    async def test_settings_explain_themselves_and_refuse_unknown_keys(self, sink: Sink[Any]) -> None:
        check_settings(sink.settings)

    async def test_stop_without_start(self, context: Context) -> None:
        await self.make_sink(context).stop()

    async def test_rendering_is_pure(self, sink: Sink[Any], context: Context, clock: FakeClock) -> None:
        event = make_event(text=EMOJI)
        first = sink.render(event, _key(event))
        clock.advance(3600)
        assert sink.render(event, _key(event)) == first, "the same event was rendered differently"
        assert self.make_sink(context).render(event, _key(event)) == first, "a restart renders differently"

    async def test_an_opening_and_its_follow_up_are_there_once_and_whole(self, sink: Sink[Any]) -> None:
        ticket = await self._open(sink, make_event(text=EMOJI))
        await self._follow_up(sink, ticket, make_event(2, text=EMOJI + "2"))
        await self._check_stored(_key(make_event()), f"{_key(make_event())}-2")
        for stored in await self.stored():
            assert EMOJI in stored.text, "emoji, rare letters or marks were changed on the way"

    async def test_look_up_finds_what_is_there_and_nothing_else(self, sink: Sink[Any], clock: FakeClock) -> None:
        event, other = make_event(), make_event(who="mail-18")
        if sink.spec.open_certainty not in FINDS or sink.spec.is_view:
            pytest.skip("this sink looks nothing up")
        assert await sink.find(_key(event)) is None
        ticket = await self._open(sink, event)
        await self.pass_lag(clock)
        found = await sink.find(_key(event))
        assert found is not None, "the ticket is not found by its key"
        assert found.id == ticket.id
        assert await sink.find(_key(other)) is None, "a key that nobody used was found"
        if sink.spec.follow_up_certainty in FINDS:
            assert not await sink.find_follow_up(ticket, f"{_key(event)}-2")
            await self._follow_up(sink, ticket, make_event(2))
            await self.pass_lag(clock)
            assert await sink.find_follow_up(ticket, f"{_key(event)}-2")
            assert not await sink.find_follow_up(ticket, f"{_key(event)}-3")

    @pytest.mark.parametrize("is_restarted", [False, True], ids=["alive", "restarted"])
    async def test_an_opening_whose_answer_was_lost_is_not_doubled(
        self, sink: Sink[Any], context: Context, clock: FakeClock, is_restarted: bool
    ) -> None:
        event = make_event()
        await self.fail_next(Fault.LOSE_ANSWER)
        with pytest.raises(InDoubt):
            await self._open(sink, event)
        await self.pass_lag(clock)
        later = await self._restarted(sink, context) if is_restarted else sink
        await self._resolve_open(later, event)
        await self._check_stored(_key(event))
        await later.stop()

    async def test_a_follow_up_whose_answer_was_lost_is_not_doubled(self, sink: Sink[Any], clock: FakeClock) -> None:
        event = make_event(2)
        ticket = await self._open(sink, make_event())
        await self.fail_next(Fault.LOSE_ANSWER)
        with pytest.raises(InDoubt):
            await self._follow_up(sink, ticket, event)
        await self.pass_lag(clock)
        await self._resolve_follow_up(sink, ticket, event)
        await self._check_stored(_key(event), f"{_key(event)}-2")

    async def test_two_destinations_in_one_store_never_meet(
        self, sink: Sink[Any], tmp_path: Path, clock: FakeClock
    ) -> None:
        event = make_event()
        second = self.make_sink(make_context("second", tmp_path, clock=clock, remote=sink.context.remote))
        try:
            await second.start()
        except ConfigError:
            return  # a store that only one may write to: they cannot meet
        first_ticket = await self._open(sink, event)
        if sink.spec.open_certainty in FINDS:
            await self.pass_lag(clock)
            assert await second.find(_key(event, "second")) is None, "one destination adopts the other's ticket"
        second_ticket = await self._open(second, event, "second")
        await second.stop()
        assert sink.spec.is_view or first_ticket.id != second_ticket.id, "two destinations share one ticket"
        await self._check_stored(_key(event), _key(event, "second"))

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault.UNREACHABLE, Unavailable),
            (Fault.TOO_MANY, RetryLater),
            (Fault.EXPIRED, AuthError),
            (Fault.REJECT, Rejected),
        ],
    )
    async def test_a_refusal_is_named_and_leaves_nothing_behind(
        self, sink: Sink[Any], log: RecordingLog, fault: Fault, error: type[AllearsError]
    ) -> None:
        await self.fail_next(fault)
        with pytest.raises(AllearsError) as caught:
            await self._open(sink, make_event())
        assert type(caught.value) is error, f"{fault}: {caught.value!r} should be a {error.__name__}"
        if isinstance(caught.value, RetryLater):
            assert caught.value.after_seconds == 7, "Retry-After is not honoured"
        check_silent(sink.settings, caught.value, log.entries)
        await self._check_stored()

    async def test_a_ticket_that_is_gone_says_so(self, sink: Sink[Any]) -> None:
        ticket = await self._open(sink, make_event())
        await self.fail_next(Fault.GONE)
        with pytest.raises(TicketGone):
            await self._follow_up(sink, ticket, make_event(2))

    async def test_an_answer_that_makes_no_sense_is_never_taken_for_not_done(self, sink: Sink[Any]) -> None:
        await self.fail_next(Fault.GARBAGE)
        try:
            await self._open(sink, make_event())
        except AllearsError as error:
            assert isinstance(error, InDoubt), f"{error!r}: perhaps the ticket is there"

    async def test_too_much_to_send_is_refused_or_shortened(self, sink: Sink[Any]) -> None:
        event = make_event(text=OVERSIZE)
        try:
            await self._open(sink, event)
        except Rejected:
            await self._check_stored()
        else:
            await self._check_stored(_key(event))

    async def test_a_batch_answers_for_each_in_order(self, sink: Sink[Any]) -> None:
        if not sink.spec.batches:
            pytest.skip("this sink does not batch")
        events = [make_event(who=f"mail-{number}") for number in range(5)]
        sendings = [Sending(payload=sink.render(event, _key(event)), key=_key(event), ticket=None) for event in events]
        results = await sink.send_many(sendings)
        assert [type(result) for result in results] == [Ticket] * 5
        assert len({result.id for result in results if isinstance(result, Ticket)}) == 5
        assert list(await sink.send_many([])) == []
        await self._check_stored(*[sending.key for sending in sendings])

    async def test_secrets_stay_inside(self, sink: Sink[Any], log: RecordingLog) -> None:
        shown: list[object] = [sink, sink.context]
        event = make_event()
        try:
            await sink.check()
            await self._open(sink, event)
        except AllearsError as error:
            shown.append(error)
        check_silent(sink.settings, *shown, log.entries, sink.render(event, _key(event)).decode("utf-8", "replace"))

    @cached_property
    def _notes(self) -> Notes:
        return Notes()

    async def _open(self, sink: Sink[Any], event: Event, destination: str = "destination") -> Ticket:
        key = _key(event, destination)
        return await sink.open(sink.render(event, key), key, self._notes.progress(key))

    async def _follow_up(self, sink: Sink[Any], ticket: Ticket, event: Event) -> None:
        key = f"{_key(event)}-{event.sequence}"
        await sink.follow_up(ticket, sink.render(event, key), key, self._notes.progress(key))

    async def _restarted(self, sink: Sink[Any], context: Context) -> Sink[Any]:
        await sink.stop()
        later = self.make_sink(context)
        await later.start()
        return later

    async def _resolve_open(self, sink: Sink[Any], event: Event) -> None:
        """As the core does it, by class."""
        certainty = sink.spec.open_certainty
        if certainty is Certainty.A or (certainty in FINDS and await sink.find(_key(event)) is None):
            await self._open(sink, event)

    async def _resolve_follow_up(self, sink: Sink[Any], ticket: Ticket, event: Event) -> None:
        certainty, key = sink.spec.follow_up_certainty, f"{_key(event)}-{event.sequence}"
        if certainty is Certainty.A or (certainty in FINDS and not await sink.find_follow_up(ticket, key)):
            await self._follow_up(sink, ticket, event)

    async def _check_stored(self, *keys: str) -> None:
        there = sorted(stored.key for stored in await self.stored())
        assert there == sorted(keys), f"the store holds {there}, not {sorted(keys)}"


def _key(event: Event, destination: str = "destination") -> str:
    return ticket_key(event.complaint_id, destination)
