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

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Event, EventKind
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
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Certainty, Progress, Sending, Sink, Ticket, marks_of
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.components import absent, check_settings, check_silent, check_spec, overrides
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
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

    async def stored_files(self) -> list[tuple[str, bytes]]:
        """Name and content of every attachment in the store, in any order."""
        absent("attachments in the store")
        raise AssertionError

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
    def files(self) -> MemoryFiles:
        return MemoryFiles()

    @pytest.fixture
    def context(self, tmp_path: Path, clock: FakeClock, log: RecordingLog, files: MemoryFiles) -> Context:
        return make_context("destination", tmp_path, clock=clock, log=log, files=files)

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
            ("find_follow_ups", sink.spec.follow_up_certainty),
        ):
            assert overrides(sink, Sink, method) or certainty not in FINDS, f"class {certainty} needs {method}"

    async def test_settings_explain_themselves_and_refuse_unknown_keys(self, sink: Sink[Any]) -> None:
        check_settings(sink.settings)

    async def test_stop_without_start(self, context: Context) -> None:
        await self.make_sink(context).stop()

    async def test_rendering_is_pure(self, sink: Sink[Any], context: Context, clock: FakeClock) -> None:
        event = make_event(text=EMOJI)
        first = sink.render(event, self._key(sink, event))
        clock.advance(3600)
        assert sink.render(event, self._key(sink, event)) == first, "the same event was rendered differently"
        assert self.make_sink(context).render(event, self._key(sink, event)) == first, "a restart renders differently"

    async def test_an_opening_and_its_follow_up_are_there_once_and_whole(self, sink: Sink[Any]) -> None:
        ticket = await self._open(sink, make_event(text=EMOJI))
        await self._follow_up(sink, ticket, make_event(2, text=EMOJI + "2"))
        await self._check_stored(self._key(sink, make_event()), _event_key(make_event(2)))
        for stored in await self.stored():
            assert EMOJI in stored.text, "emoji, rare letters or marks were changed on the way"

    async def test_look_up_finds_what_is_there_and_nothing_else(self, sink: Sink[Any], clock: FakeClock) -> None:
        event, other = make_event(), make_event(who="mail-18")
        if sink.spec.open_certainty not in FINDS or sink.spec.is_view:
            pytest.skip("this sink looks nothing up")
        assert await sink.find(self._key(sink, event)) is None
        ticket = await self._open(sink, event)
        await self.pass_lag(clock)
        found = await sink.find(self._key(sink, event))
        assert found is not None, "the ticket is not found by its key"
        assert found.id == ticket.id
        assert await sink.find(self._key(sink, other)) is None, "a key that nobody used was found"
        if sink.spec.follow_up_certainty in FINDS:
            await self._check_marks(sink, ticket, make_event(), make_event(2))
            await self._follow_up(sink, ticket, make_event(2))
            await self.pass_lag(clock)
            await self._check_marks(sink, ticket, make_event(2), make_event(3))

    async def test_a_mark_is_left_for_each_message(self, sink: Sink[Any], clock: FakeClock) -> None:
        if sink.spec.follow_up_certainty not in FINDS or sink.spec.is_view:
            pytest.skip("this sink looks nothing up")
        opening, later = make_event(told=3), make_event(2, told=2)
        ticket = await self._open(sink, opening)
        await self._follow_up(sink, ticket, later)
        await self.pass_lag(clock)
        for event in (opening, later):
            await self._check_marks(sink, ticket, event, make_event(3, told=2))

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
        await self._check_stored(self._key(sink, event))
        await later.stop()

    async def test_a_follow_up_whose_answer_was_lost_is_not_doubled(self, sink: Sink[Any], clock: FakeClock) -> None:
        event = make_event(2)
        ticket = await self._open(sink, make_event())
        await self.fail_next(Fault.LOSE_ANSWER)
        with pytest.raises(InDoubt):
            await self._follow_up(sink, ticket, event)
        await self.pass_lag(clock)
        await self._resolve_follow_up(sink, ticket, event)
        await self._check_stored(self._key(sink, make_event()), _event_key(event))

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
            assert await second.find(self._key(sink, event, "second")) is None, "one adopts the other's ticket"
        second_ticket = await self._open(second, event, "second")
        await second.stop()
        assert sink.spec.is_view or first_ticket.id != second_ticket.id, "two destinations share one ticket"
        await self._check_stored(self._key(sink, event), self._key(sink, event, "second"))

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
            await self._check_stored(self._key(sink, event))

    @pytest.mark.parametrize("sequence", [1, 2], ids=["opening", "follow-up"])
    async def test_attachments_are_there_once_and_whole(
        self, sink: Sink[Any], files: MemoryFiles, sequence: int
    ) -> None:
        await self.stored_files()
        event = with_files(make_event(sequence), files)
        ticket = await self._open(sink, make_event()) if sequence > 1 else None
        key, payload, progress = await self._tell(sink, ticket, event)
        ticket = ticket or self._opened
        await sink.complete(ticket, payload, key, progress)
        await self._check_files(event, files)
        await sink.complete(ticket, payload, key, self._notes.progress(key))
        await self._check_files(event, files)

    async def test_attachments_are_not_doubled_when_an_answer_is_lost(
        self, sink: Sink[Any], files: MemoryFiles
    ) -> None:
        await self.stored_files()
        event, ticket = with_files(make_event(2), files), await self._open(sink, make_event())
        if not overrides(sink, Sink, "complete") or type(sink).__dict__.get("attach") is None:
            pytest.skip("its files go with the request")
        key, payload, progress = await self._tell(sink, ticket, event)
        await self.fail_next(Fault.LOSE_ANSWER)
        with contextlib.suppress(AllearsError):
            await sink.complete(ticket, payload, key, progress)
        await sink.complete(ticket, payload, key, self._notes.progress(key))
        await self._check_files(event, files)

    async def test_a_file_that_is_too_large_is_linked(self, sink: Sink[Any], files: MemoryFiles) -> None:
        await self.stored_files()
        event = with_files(make_event(), files, size=3 << 30)
        await self._open(sink, event)
        (stored,) = await self.stored()
        assert await self.stored_files() == []
        assert "https://allears.example.com/files/" in stored.text
        assert "碎屏 照片.jpg" in stored.text

    async def test_a_batch_answers_for_each_in_order(self, sink: Sink[Any]) -> None:
        if not sink.spec.batches:
            pytest.skip("this sink does not batch")
        events = [make_event(who=f"mail-{number}") for number in range(5)]
        sendings = [
            Sending(payload=sink.render(event, self._key(sink, event)), key=self._key(sink, event), ticket=None)
            for event in events
        ]
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
        check_silent(
            sink.settings, *shown, log.entries, sink.render(event, self._key(sink, event)).decode("utf-8", "replace")
        )

    @cached_property
    def _notes(self) -> Notes:
        return Notes()

    def _key(self, sink: Sink[Any], event: Event, destination: str = "destination") -> str:
        """Of the operation that opens: a stream has no tickets, each event has its own."""
        return _event_key(event, destination) if sink.spec.is_stream else _ticket_key(event, destination)

    async def _check_marks(self, sink: Sink[Any], ticket: Ticket, there: Event, absent_: Event) -> None:
        key = self._key(sink, there) if there.kind is EventKind.OPENED else _event_key(there)
        marks = marks_of(there, key, is_stream=sink.spec.is_stream)
        foreign = marks_of(absent_, _event_key(absent_))
        found = await sink.find_follow_ups(ticket, [*foreign, *marks])
        assert set(found) == set(marks), f"of the marks {marks} the store knows {sorted(found)}"

    async def _open(self, sink: Sink[Any], event: Event, destination: str = "destination") -> Ticket:
        key = self._key(sink, event, destination)
        return await sink.open(sink.render(event, key), key, self._notes.progress(key))

    async def _follow_up(self, sink: Sink[Any], ticket: Ticket, event: Event) -> None:
        key = _event_key(event)
        await sink.follow_up(ticket, sink.render(event, key), key, self._notes.progress(key))

    async def _tell(self, sink: Sink[Any], ticket: Ticket | None, event: Event) -> tuple[str, bytes, Progress]:
        """Open, or follow up where there is a ticket."""
        key = self._key(sink, event) if ticket is None else _event_key(event)
        payload, progress = sink.render(event, key), self._notes.progress(key)
        if ticket is None:
            self._opened = await sink.open(payload, key, progress)
        else:
            await sink.follow_up(ticket, payload, key, progress)
        return key, payload, self._notes.progress(key)

    async def _check_files(self, event: Event, files: MemoryFiles) -> None:
        wanted = sorted((file.name, files.contents[file.sha256]) for file in event.record.attachments)
        there = sorted(await self.stored_files())
        assert [content for _, content in there] == [content for _, content in wanted], (
            "attachments are not what was sent"
        )
        assert [name for name, _ in there] == [name for name, _ in wanted], "their names were changed"

    async def _restarted(self, sink: Sink[Any], context: Context) -> Sink[Any]:
        await sink.stop()
        later = self.make_sink(context)
        await later.start()
        return later

    async def _resolve_open(self, sink: Sink[Any], event: Event) -> None:
        """As the core does it, by class."""
        certainty = sink.spec.open_certainty
        if certainty is Certainty.A or (certainty in FINDS and await sink.find(self._key(sink, event)) is None):
            await self._open(sink, event)

    async def _resolve_follow_up(self, sink: Sink[Any], ticket: Ticket, event: Event) -> None:
        certainty, marks = sink.spec.follow_up_certainty, [_event_key(event)]
        if certainty is Certainty.A or (certainty in FINDS and not await sink.find_follow_ups(ticket, marks)):
            await self._follow_up(sink, ticket, event)

    async def _check_stored(self, *keys: str) -> None:
        there = sorted(stored.key for stored in await self.stored())
        assert there == sorted(keys), f"the store holds {there}, not {sorted(keys)}"


def with_files(event: Event, files: MemoryFiles, *, size: int = 0) -> Event:
    """The event with two attachments of its newest message: of these bytes, or said to have that size."""
    made = [
        files.put("碎屏 照片.jpg", b"\xff\xd8\xff\xe0 \x00jpeg", message=event.messages[0]),
        files.put("invoice 2026.pdf", b"%PDF-1.7\n\xe2\xe3", media_type="application/pdf", message=event.messages[0]),
    ]
    attachments = tuple(replace(file, size=size or file.size) for file in made)
    return replace(event, record=replace(event.record, attachments=attachments))


def _ticket_key(event: Event, destination: str = "destination") -> str:
    return ticket_key(event.complaint_id, destination)


def _event_key(event: Event, destination: str = "destination") -> str:
    return event_key(_ticket_key(event, destination), event.id)
