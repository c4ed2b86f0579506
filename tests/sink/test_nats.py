"""The NATS sink against a real nats-server, with a wire between them that breaks at the worst moment."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nats.js.api import RetentionPolicy, StreamConfig
from pydantic import ValidationError

from allears_sdk.complaint import EventKind
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Progress, Sending, Ticket
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.cable import Cable, Snap
from bench.servers.nats import Nats
from sink.nats import NatsSettings, NatsSink
from tests.sink.storms import Reader, Storms
from tests.sink.weather import Wire

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import RawStreamMsg

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
NUMBERS = count()
USERS = """
authorization { users: [
  {user: allears, password: "kefu-Pa55-word"}
  {user: reader, password: "kefu-Pa55-word", permissions: {publish: "$JS.API.>"}}
  {user: writer, password: "kefu-Pa55-word", permissions: {publish: "allears.>"}}
] }
"""


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    with Nats(USERS) as server:
        yield server


@pytest.fixture
async def js(server: Nats) -> AsyncIterator[JetStreamContext]:
    client = await server.connect(user="allears", password="kefu-Pa55-word")
    yield client.jetstream()
    await client.close()


@pytest.fixture
async def stream(js: JetStreamContext) -> AsyncIterator[str]:
    """An empty stream that takes `NAME.>`."""
    name = f"C{next(NUMBERS)}"
    await js.add_stream(StreamConfig(name=name, subjects=[f"{name}.>"]))
    yield name
    await js.delete_stream(name)


async def messages(js: JetStreamContext, stream: str) -> list[RawStreamMsg]:
    info = await js.stream_info(stream)
    return [await js.get_msg(stream, seq) for seq in range(1, info.state.last_seq + 1)]


def settings(server: Nats, subject_: str, **more: Any) -> NatsSettings:
    values = {
        "sink": "nats",
        "servers": [server.url],
        "subject": subject_,
        "username": "allears",
        "password": "kefu-Pa55-word",
    }
    return NatsSettings.model_validate({**values, **more})


Make = Callable[..., NatsSink]


@pytest.fixture
async def make(server: Nats, stream: str, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[NatsSink] = []

    def one(**more: Any) -> NatsSink:
        made.append(NatsSink(settings(server, stream, **more), make_context("bus", tmp_path)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


class NatsStore:
    @pytest.fixture(autouse=True)
    async def store(self, server: Nats, js: JetStreamContext, stream: str) -> AsyncIterator[None]:
        self.server, self.js, self.name = server, js, stream
        garbage = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        async with Cable(server.port, request=rb"HPUB", answer=rb'"seq"', garbage=garbage) as self.cable:
            yield

    def make_sink(self, context: Context) -> NatsSink:
        return NatsSink(settings(self.server, self.name, servers=[f"nats://127.0.0.1:{self.cable.port}"]), context)

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(message.data or b"") for message in await messages(self.js, self.name)]


class TestNats(NatsStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(event["id"], event["data"]["complaint"]["description"]) for event in await self.events()]

    async def fail_next(self, fault: Fault) -> None:
        snaps = {Fault.LOSE_ANSWER: Snap.AFTER, Fault.GARBAGE: Snap.GARBAGE}
        if fault is Fault.UNREACHABLE:
            self.cable.is_unplugged = True
        elif fault is Fault.REJECT:
            await self.js.update_stream(name=self.name, subjects=[f"{self.name}.>"], max_msg_size=100)
        elif fault in snaps:
            self.cable.plan(snaps[fault])
        else:
            absent(f'fault "{fault}"')


class TestNatsStorm(NatsStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=True)
        told = [(event["id"], event["data"]) for event in await self.events()]
        return [Stored(key, reader.read(data["event"], data["complaint"])) for key, data in told]

    def faults(self) -> Wire:
        return Wire(self.cable)


async def test_a_message_is_a_cloud_event_on_a_subject_of_its_own(
    make: Make, js: JetStreamContext, stream: str
) -> None:
    sink, event = make(), make_event()
    payload = sink.render(event, KEY)
    assert await sink.open(payload, KEY, PROGRESS) == Ticket(id=KEY)
    (message,) = await messages(js, stream)
    assert message.subject == f"{stream}.{event.complaint_id}.{KEY}"
    assert message.data == payload
    assert message.headers == {
        "ce-specversion": "1.0",
        "ce-id": KEY,
        "ce-source": "urn:allears:bus",
        "ce-type": "complaint.created.v1",
        "ce-subject": event.complaint_id,
        "content-type": "application/cloudevents+json; charset=UTF-8",
        "Nats-Msg-Id": KEY,
        "Nats-Expected-Last-Subject-Sequence": "0",
    }
    assert json.loads(payload)["data"]["complaint"]["description"] == event.record.description


async def test_a_consumer_follows_one_complaint(make: Make, js: JetStreamContext, stream: str) -> None:
    sink = make()
    for sequence in (1, 2):
        for who in ("mail-17", "mail-18"):
            event = make_event(sequence, who=who, kind=EventKind.OPENED if sequence == 1 else EventKind.EDITED)
            key = f"{event.complaint_id}-AB12CD-{sequence}"
            await sink.open(sink.render(event, key), key, PROGRESS)
    consumer = await js.subscribe(f"{stream}.{make_event().complaint_id}.>")
    heard = [await consumer.next_msg(timeout=20) for _ in range(2)]
    types = [(message.headers or {})["ce-type"] for message in heard]
    assert types == ["complaint.created.v1", "complaint.updated.v1"]


async def test_a_repetition_is_known_long_after_the_duplicate_window(
    make: Make, js: JetStreamContext, stream: str
) -> None:
    await js.update_stream(name=stream, subjects=[f"{stream}.>"], duplicate_window=0.1)
    sink = make()
    payload = sink.render(make_event(), KEY)
    for _ in range(3):
        await sink.open(payload, KEY, PROGRESS)
        await asyncio.sleep(0.3)
    assert len(await messages(js, stream)) == 1


async def test_a_repetition_is_known_after_a_power_cut(tmp_path: Path) -> None:
    with Nats() as server:
        client = await server.connect()
        await client.jetstream().add_stream(StreamConfig(name="C", subjects=["C.>"]))
        await client.close()
        sink = NatsSink(settings(server, "C", username="", password=None), make_context("bus", tmp_path))
        payload = sink.render(make_event(), KEY)
        await sink.open(payload, KEY, PROGRESS)
        server.kill()
        with pytest.raises((Unavailable, InDoubt)):
            await sink.open(payload, KEY, PROGRESS)
        with pytest.raises(Unavailable):
            await sink.open(payload, KEY, PROGRESS)
        server.start()
        await sink.open(payload, KEY, PROGRESS)
        await sink.stop()
        client = await server.connect()
        assert len(await messages(client.jetstream(), "C")) == 1
        await client.close()


@pytest.mark.parametrize("snap", [Snap.BEFORE, Snap.AFTER, Snap.SILENT, Snap.GARBAGE])
async def test_sending_a_batch_again_resolves_a_broken_wire(
    make: Make, server: Nats, js: JetStreamContext, stream: str, snap: Snap
) -> None:
    answer = rb'"seq":\d*[05],?'  # within a batch: some are confirmed, some are not
    async with Cable(server.port, request=b"HPUB", answer=answer, garbage=b"PONG? \r\n") as cable:
        sink = make(servers=[f"nats://127.0.0.1:{cable.port}"], timeout_seconds=2)
        sendings = batch(sink, 40)
        cable.plan(snap)
        results = await sink.send_many(sendings)
        assert {type(result) for result in results} <= {Ticket, InDoubt}
        assert any(isinstance(result, InDoubt) for result in results)
        assert {type(result) for result in await sink.send_many(sendings)} == {Ticket}
        await sink.stop()
    assert len(await messages(js, stream)) == 40


async def test_what_arrives_after_it_was_sent_again_is_not_taken(
    make: Make, server: Nats, js: JetStreamContext, stream: str
) -> None:
    async with Cable(server.port, request=b"HPUB") as cable:
        sink = make(servers=[f"nats://127.0.0.1:{cable.port}"])
        sendings = batch(sink, 40)
        cable.plan(Snap.LATE)
        await sink.send_many(sendings)
        await sink.send_many(sendings)
        await sink.stop()
        cable.land()
        await cable.settle()
    assert len(await messages(js, stream)) == 40


def batch(sink: NatsSink, size: int) -> list[Sending]:
    events = [make_event(who=f"mail-{number}") for number in range(size)]
    keys = [f"{event.complaint_id}-AB12CD" for event in events]
    return [
        Sending(payload=sink.render(event, key), key=key, ticket=None) for event, key in zip(events, keys, strict=True)
    ]


async def test_a_connection_that_ended_while_idle_is_made_anew(
    make: Make, server: Nats, js: JetStreamContext, stream: str
) -> None:
    async with Cable(server.port) as cable:
        sink = make(servers=[f"nats://127.0.0.1:{cable.port}"])
        first, second = batch(sink, 2)
        await sink.send_many([first])
        line = sink._line
        assert line
        cable.cut()
        await line.lost.wait()
        assert [type(result) for result in await sink.send_many([second])] == [Ticket]
        await sink.stop()
    assert len(await messages(js, stream)) == 2


async def test_one_that_is_too_large_for_the_server_does_not_hold_up_the_others(
    make: Make, js: JetStreamContext, stream: str
) -> None:
    sink = make(max_body_bytes=4 << 20)
    event = make_event(text="太大" * 400_000)
    large = Sending(payload=sink.render(event, KEY), key=KEY, ticket=None)
    first, second = batch(sink, 2)
    results = await sink.send_many([first, large, second])
    assert [type(result) for result in results] == [Ticket, Rejected, Ticket]
    assert "max_payload" in str(results[1])
    assert len(await messages(js, stream)) == 2


async def test_a_full_stream_says_come_back_later(make: Make, js: JetStreamContext, stream: str) -> None:
    await js.update_stream(name=stream, subjects=[f"{stream}.>"], max_msgs=1, discard="new")
    first, second = batch(sink := make(), 2)
    results = [*await sink.send_many([first]), *await sink.send_many([second])]
    assert [type(result) for result in results] == [Ticket, RetryLater]
    assert "maximum messages" in str(results[1])
    assert [type(result) for result in await sink.send_many([first])] == [Ticket]


@pytest.mark.parametrize("more", [{"subject": "nobody.takes.this"}, {"stream": "OTHER"}])
async def test_a_stream_that_is_not_there(make: Make, js: JetStreamContext, stream: str, more: dict[str, Any]) -> None:
    sink = make(**more)
    with pytest.raises(ConfigError, match=r"OTHER|no stream takes nobody\.takes\.this"):
        await sink.check()
    with pytest.raises((ConfigError, Unavailable)):
        await sink.open(sink.render(make_event(), KEY), KEY, PROGRESS)
    assert not await messages(js, stream)


async def test_check_says_where_events_go_and_sends_none(make: Make, js: JetStreamContext, stream: str) -> None:
    identity = await make().check()
    assert stream in identity.account
    assert identity.details == (f"stream {stream}, limits retention, 1 replicas",)
    assert not await messages(js, stream)


async def test_check_warns_of_a_stream_that_forgets(make: Make, js: JetStreamContext, stream: str) -> None:
    await js.delete_stream(stream)
    config = StreamConfig(name=stream, subjects=[f"{stream}.>"], retention=RetentionPolicy.WORK_QUEUE)
    await js.add_stream(config, duplicate_window=3600)
    identity = await make().check()
    assert "a repetition after 3600 s is not known" in identity.details[1]


@pytest.mark.parametrize("login", [{"password": "wrong"}, {"username": "", "password": None, "token": "t-3f9a7c"}])
async def test_a_login_that_is_refused(make: Make, login: dict[str, Any]) -> None:
    sink = make(**login)
    with pytest.raises(AuthError) as caught:
        await sink.open(sink.render(make_event(), KEY), KEY, PROGRESS)
    assert "t-3f9a7c" not in f"{caught.value} {caught.value.detail}"
    with pytest.raises(AuthError):
        await sink.check()


async def test_a_user_who_may_not_publish(make: Make, js: JetStreamContext, stream: str) -> None:
    sink = make(username="reader", timeout_seconds=2)
    with pytest.raises(AuthError, match="may not publish"):
        await sink.open(sink.render(make_event(), KEY), KEY, PROGRESS)
    assert not await messages(js, stream)


async def test_a_user_who_may_only_publish_is_enough(server: Nats, js: JetStreamContext, tmp_path: Path) -> None:
    await js.add_stream(StreamConfig(name="W", subjects=["allears.w.>"]))
    sink = NatsSink(settings(server, "allears.w", username="writer"), make_context("bus", tmp_path))
    await sink.open(sink.render(make_event(), KEY), KEY, PROGRESS)
    identity = await sink.check()
    assert "may not look at streams" in identity.details[0]
    await sink.stop()
    assert len(await messages(js, "W")) == 1
    await js.delete_stream("W")


async def test_nobody_listens(make: Make) -> None:
    sink = make(servers=["nats://127.0.0.1:1", "nats://127.0.0.1:2"])
    with pytest.raises(Unavailable):
        await sink.open(sink.render(make_event(), KEY), KEY, PROGRESS)
    with pytest.raises(Unavailable):
        await sink.check()


async def test_what_is_missing_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("nats", "nats.aio.client"):
        monkeypatch.setitem(sys.modules, module, None)
    for call in (make().start(), make().check(), make().send_many(batch(make(), 1))):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[nats\]'"):
            await call


async def test_cancelling_a_batch_leaves_no_connection_behind(make: Make, server: Nats) -> None:
    async with Cable(server.port, answer=rb'"seq"') as cable:
        sink = make(servers=[f"nats://127.0.0.1:{cable.port}"])
        first, second = batch(sink, 2)
        await sink.send_many([first])
        cable.plan(Snap.SILENT)
        sending: Awaitable[object] = asyncio.wait_for(sink.send_many([second]), 0.5)
        with pytest.raises(TimeoutError):
            await sending
        assert [type(result) for result in await sink.send_many([second])] == [Ticket]
        await sink.stop()


@pytest.mark.parametrize(
    "bad",
    [
        {"servers": []},
        {"servers": ["http://127.0.0.1:4222"]},
        {"servers": ["nats://user:pass@127.0.0.1:4222"]},
        {"subject": "allears.>"},
        {"subject": "allears complaints"},
        {"subject": "投诉"},
        {"subject": ""},
        {"passwd": "x"},
    ],
)
def test_settings_refuse(server: Nats, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(server, "C", **bad)
