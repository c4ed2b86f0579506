"""The contract suite passes on a good connector, and fails on each kind of bad one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Batch, Cursor, Hears, Identity, Media, Missing, Reception, Request
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, RetryLater
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.settings import ChannelSettings
from allears_sdk.testing import make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.context import RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from allears_sdk.testing.scripted import STREAM, Script, ScriptedConnector


def raw(key: str, body: bytes, **more: Any) -> Raw:
    return Raw(key=key, body=body, media_type="text/plain", received_at=START, **more)


class ScriptedContract(ConnectorContract):
    connector_class: type[ScriptedConnector] = ScriptedConnector

    @cached_property
    def script(self) -> Script:
        return Script()

    def make_connector(self, context: Context) -> ScriptedConnector:
        return self.connector_class(context, self.script)

    async def put(self, text: str) -> None:
        await self.put_bytes(text.encode())

    async def put_bytes(self, text: bytes) -> None:
        self.script.add(raw(f"item-{len(self.script.steps)}", text))

    async def put_malformed(self) -> None:
        self.script.add(raw("malformed", b"\xff", quarantine="not readable"))

    async def put_oversize(self) -> None:
        self.script.steps.append(Batch(missing=[Missing(key="large", reason="larger than 25 MB")]))

    async def rate(self, stars: int) -> None:
        self.script.add(raw("review-1", b"*" * stars, digest=str(stars)))


class Fetches(ScriptedConnector):
    """Has one file."""

    async def fetch(self, ref: Ref) -> Media:
        if "content" not in ref.locator:
            raise Rejected("the file has expired over there")
        return Media(content=bytes.fromhex(ref.locator["content"]))


class TestScripted(ScriptedContract):
    connector_class = Fetches

    async def left_file(self, content: bytes) -> Ref:
        return Ref(locator={"content": content.hex()}, fetch_before=START)

    async def lost_file(self) -> Ref:
        return Ref(locator={})


class FetchesOnce(Fetches):
    """Forgets a file once it was asked for."""

    def __init__(self, context: Context, script: Script | None = None) -> None:
        super().__init__(context, script)
        self.asked = False

    async def fetch(self, ref: Ref) -> Media:
        asked, self.asked = self.asked, True
        return Media(content=b"") if asked else await super().fetch(ref)


class LosesOnDeath(ScriptedConnector):
    """Removes an item from the source before it is stored."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        while self.script.steps:
            step = self.script.steps.pop(0)
            assert isinstance(step, Batch)
            yield step


class RunsAhead(ScriptedConnector):
    """Gives a cursor that is true only after the next batch."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in super().poll(stream, cursor, hint, limit):
            assert batch.cursor
            yield Batch(raws=batch.raws, cursor={"version": 1, "position": batch.cursor["position"] + 1})


class RandomKeys(ScriptedConnector):
    """Makes a key of its own at every reading."""

    count = 0

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in super().poll(stream, cursor, hint, limit):
            RandomKeys.count += 1
            yield Batch(raws=[raw(f"random-{self.count}", item.body) for item in batch.raws], cursor=batch.cursor)


class IgnoresLimit(ScriptedConnector):
    """Hands everything over at once."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        steps = [step for step in self.script.steps if isinstance(step, Batch)]
        yield Batch(raws=[item for step in steps for item in step.raws])


class ForgetsEdits(ScriptedConnector):
    """Gives no digest to what can change."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in super().poll(stream, cursor, hint, limit):
            yield Batch(raws=[raw(item.key, item.body) for item in batch.raws], cursor=batch.cursor)


class MendsBytes(ScriptedConnector):
    """Decodes what it should hand over untouched."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in super().poll(stream, cursor, hint, limit):
            mended = [raw(item.key, item.body.decode("ascii", "replace").encode()) for item in batch.raws]
            yield Batch(raws=mended, cursor=batch.cursor)


class DropsBad(ScriptedConnector):
    """Passes over what it cannot read."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        async for batch in super().poll(stream, cursor, hint, limit):
            yield Batch(raws=[item for item in batch.raws if not item.quarantine], cursor=batch.cursor)


class NeverEnds(ScriptedConnector):
    """Always says that there is more."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        yield Batch(more=True)


class CannotBeCancelled(ScriptedConnector):
    """Swallows its own cancelling."""

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        for _ in range(3):
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                continue
        yield Batch()


class Talks(ScriptedConnector):
    """Logs what it was configured with."""

    async def check(self) -> Identity:
        self.context.log.info("logging_in", secret=self.settings.secret.get_secret_value())
        return await super().check()


class SameStreams(ScriptedConnector):
    async def streams(self) -> tuple[str, ...]:
        return (STREAM, STREAM)


class SaysItListens(ScriptedConnector):
    spec = replace(ScriptedConnector.spec, hears=frozenset({Hears.POLL, Hears.LISTEN}))


class BareSettings(ChannelSettings):
    what: str = ""


class Unexplained(ScriptedConnector):
    def __init__(self, context: Context, script: Script | None = None) -> None:
        super().__init__(context, script)
        self.settings = BareSettings(connector="scripted")  # type: ignore[assignment] # the fault under test


class Crashes(ScriptedConnector):
    @staticmethod
    def parse(raw: Raw, settings: Any) -> list[Message]:
        return [Message(text=raw.body.decode())]


Run = Callable[[ScriptedContract, ScriptedConnector, MiniJournal, Context], Awaitable[None]]


async def loses(contract: ScriptedContract, connector: ScriptedConnector, journal: MiniJournal, ctx: Context) -> None:
    await contract.test_death_at_a_yield_loses_and_doubles_nothing(connector, journal, ctx, 1, is_stored=False)


async def loses_after(
    contract: ScriptedContract, connector: ScriptedConnector, journal: MiniJournal, ctx: Context
) -> None:
    await contract.test_death_at_a_yield_loses_and_doubles_nothing(connector, journal, ctx, 1, is_stored=True)


def simply(name: str, *more: str) -> Run:
    async def run(contract: ScriptedContract, connector: ScriptedConnector, journal: MiniJournal, ctx: Context) -> None:
        given = {"context": ctx, "journal": journal, "log": ctx.log}
        await getattr(contract, f"test_{name}")(connector, *(given.get(word, word) for word in more))

    return run


async def fetches_once(
    contract: ScriptedContract, connector: ScriptedConnector, journal: MiniJournal, ctx: Context
) -> None:
    await TestScripted().test_a_file_is_fetched_whole_and_again(connector)


BROKEN: list[tuple[type[ScriptedConnector], Run]] = [
    (LosesOnDeath, loses),
    (RunsAhead, loses_after),
    (RunsAhead, simply("reading_goes_on_at_the_cursor", "journal", "context")),
    (RandomKeys, simply("a_lost_cursor_brings_nothing_twice", "journal", "context")),
    (RandomKeys, simply("edits_are_heard_each_time", "journal")),
    (IgnoresLimit, simply("every_item_is_heard_once", "journal")),
    (NeverEnds, simply("every_item_is_heard_once", "journal")),
    (ForgetsEdits, simply("edits_are_heard_each_time", "journal")),
    (MendsBytes, simply("undeclared_bytes_are_kept_as_they_came", "journal")),
    (MendsBytes, simply("emoji_and_rare_letters_arrive_whole", "journal")),
    (DropsBad, simply("a_bad_item_stops_no_other", "journal", "malformed")),
    (DropsBad, simply("a_bad_item_stops_no_other", "journal", "oversize")),
    (CannotBeCancelled, simply("cancelling_takes_less_than_a_second", "journal")),
    (Talks, simply("secrets_stay_inside", "journal", "log")),
    (SameStreams, simply("streams_have_names_of_their_own")),
    (FetchesOnce, fetches_once),
    (SaysItListens, simply("spec_agrees_with_the_class")),
    (Unexplained, simply("settings_explain_themselves_and_refuse_unknown_keys")),
]


@pytest.mark.parametrize(
    ("broken", "run"), BROKEN, ids=[f"{broken.__name__}-{number}" for number, (broken, _) in enumerate(BROKEN)]
)
async def test_a_broken_connector_fails(broken: type[ScriptedConnector], run: Run, tmp_path: Path) -> None:
    contract = ScriptedContract()
    contract.connector_class = broken
    journal = MiniJournal()
    context = make_context("broken", tmp_path, known=journal.known, log=RecordingLog())
    with pytest.raises(AssertionError):
        await run(contract, contract.make_connector(context), journal, context)


async def test_a_parser_that_crashes_fails(tmp_path: Path) -> None:
    contract = ScriptedContract()
    contract.connector_class = Crashes
    connector = contract.make_connector(make_context("broken", tmp_path))
    with pytest.raises(UnicodeDecodeError):
        await contract.test_parse_is_pure_and_raises_bad_message_alone(connector, MiniJournal())


class Receiver(ScriptedConnector):
    """Hears by request; `key` says how it knows one."""

    spec = replace(ScriptedConnector.spec, hears=frozenset({Hears.POLL, Hears.RECEIVE}))
    count = 0

    async def receive(self, request: Request) -> Reception:
        return Reception(raws=[raw(self.key(request), request.body)])

    def key(self, request: Request) -> str:
        return request.body.hex()


class RandomReceiver(Receiver):
    def key(self, request: Request) -> str:
        self.count += 1
        return str(self.count)


class BrittleReceiver(Receiver):
    def key(self, request: Request) -> str:
        return request.body.decode()


class TestReceiver(ScriptedContract):
    connector_class = Receiver

    async def request(self, text: str) -> Request:
        return Request(
            method="POST",
            path="",
            query=(),
            headers=(),
            body=text.encode(),
            remote_address="203.0.113.9",
            received_at=START,
        )


async def test_a_receiver_with_random_keys_or_brittle_hands_fails(tmp_path: Path) -> None:
    contract = TestReceiver()
    context = make_context("broken", tmp_path)
    with pytest.raises(AssertionError):
        await contract.test_a_request_delivered_again_has_the_same_keys(RandomReceiver(context))
    with pytest.raises(UnicodeDecodeError):
        await contract.test_any_bytes_may_come_in(BrittleReceiver(context))


class Listener(ScriptedConnector):
    """Hears of a queue; what is taken from it is acknowledged behind the `yield`, or (too early) before."""

    spec = replace(ScriptedConnector.spec, hears=frozenset({Hears.LISTEN}))
    acks_early = False

    async def listen(self) -> AsyncIterator[Batch]:
        while True:
            steps = list(self.script.steps)
            for step in steps:
                assert isinstance(step, Batch)
                if self.acks_early:
                    self.script.steps.remove(step)
                yield step
                if not self.acks_early:
                    self.script.steps.remove(step)
            await asyncio.sleep(0.01)


class HastyListener(Listener):
    acks_early = True


class ListenerContract(ScriptedContract):
    async def push(self, text: str) -> None:
        await self.put(text)


@pytest.mark.parametrize(("listener", "fails"), [(Listener, False), (HastyListener, True)])
async def test_a_listener_that_acknowledges_what_is_not_stored_fails(
    listener: type[Listener], fails: bool, tmp_path: Path
) -> None:
    contract, journal = ListenerContract(), MiniJournal()
    contract.connector_class = listener
    context = make_context("listener", tmp_path)
    with pytest.raises(AssertionError, match="lost") if fails else nullcontext():
        await contract.test_death_while_listening_loses_and_doubles_nothing(
            contract.make_connector(context), journal, context, 1, is_stored=False
        )


async def test_a_script_plays_errors_once_and_notes_what_was_acked(tmp_path: Path) -> None:
    script, journal = Script(), MiniJournal()
    connector = ScriptedConnector(make_context("script", tmp_path), script)
    script.add(raw("a", b"1"))
    script.steps.append(RetryLater(after_seconds=7))
    script.add(raw("b", b"2"))
    with pytest.raises(RetryLater):
        await hear(connector, journal)
    assert script.acked == ["a"]
    await hear(connector, journal)
    assert script.acked == ["a", "b"]
    assert [item.key for item in journal.raws] == ["a", "b"]
