"""The RabbitMQ sink against a real RabbitMQ, with a wire between them that breaks at the worst moment."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import EventKind
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, RetryLater, Unavailable
from allears_sdk.sink import Progress, Sending, Ticket
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.cable import Cable, Snap
from bench.servers.rabbitmq import PASSWORD, USER, RabbitMq
from sink.rabbitmq import RabbitMqSettings, RabbitMqSink
from tests.conftest import missing
from tests.sink.storms import Reader, Storms
from tests.sink.weather import Wire

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
NUMBERS = count()
PUBLISH = re.escape(b"\x00\x3c\x00\x28")
CONFIRMED = re.escape(b"\x00\x3c\x00\x50")


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMq]:
    if RabbitMq.program() is None:
        missing("RabbitMQ (apt: rabbitmq-server)")
    with RabbitMq() as server:
        yield server


@pytest.fixture
async def channel(server: RabbitMq) -> AsyncIterator[AbstractChannel]:
    """Of the test's own."""
    connection = await server.connect()
    yield await connection.channel()
    await connection.close()


@pytest.fixture
async def queue(channel: AbstractChannel) -> AsyncIterator[str]:
    """An empty durable queue."""
    name = f"complaints-{next(NUMBERS)}"
    await channel.declare_queue(name, durable=True)
    yield name
    await channel.queue_delete(name)


async def messages(channel: AbstractChannel, name: str) -> list[AbstractIncomingMessage]:
    """What lies in the queue; it lies there afterwards too."""
    queue = await channel.get_queue(name, ensure=False)
    found = []
    while message := await queue.get(fail=False):
        found.append(message)
    for message in found:
        await message.nack(requeue=True)
    return found


def settings(server: RabbitMq, queue_: str, **more: Any) -> RabbitMqSettings:
    values = {"sink": "rabbitmq", "url": server.url, "username": USER, "password": PASSWORD, "routing_key": queue_}
    return RabbitMqSettings.model_validate({**values, **more})


Make = Callable[..., RabbitMqSink]


@pytest.fixture
async def make(server: RabbitMq, queue: str, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[RabbitMqSink] = []

    def one(**more: Any) -> RabbitMqSink:
        made.append(RabbitMqSink(settings(server, queue, **more), make_context("bus", tmp_path)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


async def publish(sink: RabbitMqSink, key: str = KEY) -> Ticket:
    return await sink.open(sink.render(make_event(), key), key, PROGRESS)


class RabbitMqStore:
    @pytest.fixture(autouse=True)
    async def store(self, server: RabbitMq, channel: AbstractChannel, queue: str) -> AsyncIterator[None]:
        self.server, self.channel, self.queue = server, channel, queue
        async with Cable(server.port, request=PUBLISH, answer=CONFIRMED, garbage=b"<html>login") as self.cable:
            yield

    def make_sink(self, context: Context) -> RabbitMqSink:
        url = f"amqp://127.0.0.1:{self.cable.port}/"
        return RabbitMqSink(settings(self.server, self.queue, url=url, timeout_seconds=6), context)

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(message.body) for message in await messages(self.channel, self.queue)]


class TestRabbitMq(RabbitMqStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(event["id"], event["data"]["complaint"]["description"]) for event in await self.events()]

    async def fail_next(self, fault: Fault) -> None:
        snaps = {Fault.LOSE_ANSWER: Snap.AFTER, Fault.GARBAGE: Snap.GARBAGE}
        if fault is Fault.UNREACHABLE:
            self.cable.is_unplugged = True
        elif fault in snaps:
            self.cable.plan(snaps[fault])
        else:
            absent(f'fault "{fault}"')


class TestRabbitMqStorm(RabbitMqStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=False)
        told = [(event["id"], event["data"]) for event in await self.events()]
        return [Stored(key, reader.read(data["event"], data["complaint"])) for key, data in told]

    def faults(self) -> Wire:
        return Wire(self.cable)


async def test_a_message_is_persistent_and_says_what_it_is(make: Make, channel: AbstractChannel, queue: str) -> None:
    sink, event = make(), make_event()
    payload = sink.render(event, KEY)
    assert await sink.open(payload, KEY, PROGRESS) == Ticket(id=KEY)
    (message,) = await messages(channel, queue)
    assert message.body == payload
    assert message.delivery_mode == 2
    assert message.message_id == KEY
    assert message.correlation_id == event.complaint_id
    assert (message.type, message.app_id) == ("complaint.created.v1", "allears")
    assert message.content_type == "application/cloudevents+json; charset=UTF-8"
    assert message.headers == {"x-deduplication-header": KEY}


async def test_an_exchange_takes_events_by_routing_key(make: Make, channel: AbstractChannel, queue: str) -> None:
    exchange = await channel.declare_exchange("complaints.topic", "topic", durable=True)
    await (await channel.get_queue(queue, ensure=False)).bind(exchange, "allears.#")
    sink = make(exchange="complaints.topic", routing_key="allears.投诉")
    event = make_event(2, kind=EventKind.WITHDRAWN)
    await sink.follow_up(Ticket(id="K"), sink.render(event, KEY), KEY, PROGRESS)
    (message,) = await messages(channel, queue)
    assert (message.type, message.routing_key) == ("complaint.withdrawn.v1", "allears.投诉")
    assert "exchange complaints.topic is there" in (await sink.check()).details[0]
    await channel.exchange_delete("complaints.topic")


async def test_what_no_queue_takes_is_not_sent(make: Make, channel: AbstractChannel, queue: str) -> None:
    sink = make(routing_key="nobody")
    results = await sink.send_many(batch(sink, 3))
    assert [type(result) for result in results] == [ConfigError] * 3
    assert "no queue takes queue nobody" in str(results[0])
    await channel.declare_queue("nobody")
    assert [type(result) for result in await sink.send_many(batch(sink, 3))] == [Ticket] * 3
    await channel.queue_delete("nobody")


async def test_a_queue_that_disappears_within_a_batch(make: Make, channel: AbstractChannel, queue: str) -> None:
    sink = make()
    await publish(sink)
    await channel.queue_delete(queue)
    assert {type(result) for result in await sink.send_many(batch(sink, 5))} == {ConfigError}
    await channel.declare_queue(queue, durable=True)
    assert {type(result) for result in await sink.send_many(batch(sink, 5))} == {Ticket}
    assert len(await messages(channel, queue)) == 5


async def test_an_exchange_that_is_not_there(make: Make) -> None:
    sink = make(exchange="nowhere")
    for call in (publish(sink), sink.check()):
        with pytest.raises(ConfigError, match="not there"):
            await call


async def test_an_exchange_that_disappears_costs_no_doubt(make: Make, channel: AbstractChannel, queue: str) -> None:
    exchange = await channel.declare_exchange("fleeting", "fanout")
    await (await channel.get_queue(queue, ensure=False)).bind(exchange)
    sink = make(exchange="fleeting")
    await publish(sink)
    await channel.exchange_delete("fleeting")
    assert {type(result) for result in await sink.send_many(batch(sink, 5))} == {ConfigError}
    exchange = await channel.declare_exchange("fleeting", "fanout")
    await (await channel.get_queue(queue, ensure=False)).bind(exchange)
    assert {type(result) for result in await sink.send_many(batch(sink, 5))} == {Ticket}
    await channel.exchange_delete("fleeting")
    assert len(await messages(channel, queue)) == 6


async def test_a_full_queue_says_come_back_later(make: Make, channel: AbstractChannel) -> None:
    await channel.declare_queue("full", durable=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    sink = make(routing_key="full")
    results = await sink.send_many(batch(sink, 5))
    assert {type(result) for result in results} == {Ticket, RetryLater}
    assert "nack" in str(results[-1])
    assert len(await messages(channel, "full")) == sum(isinstance(result, Ticket) for result in results)
    await channel.queue_delete("full")


def batch(sink: RabbitMqSink, size: int) -> list[Sending]:
    events = [make_event(who=f"mail-{number}") for number in range(size)]
    keys = [f"{event.complaint_id}-AB12CD" for event in events]
    return [
        Sending(payload=sink.render(event, key), key=key, ticket=None) for event, key in zip(events, keys, strict=True)
    ]


@pytest.mark.parametrize("snap", [Snap.BEFORE, Snap.AFTER, Snap.SILENT, Snap.GARBAGE])
async def test_a_broken_wire_is_doubt_of_one_and_the_others_were_not_sent(
    make: Make, server: RabbitMq, channel: AbstractChannel, queue: str, snap: Snap
) -> None:
    async with Cable(server.port, request=PUBLISH, answer=CONFIRMED, garbage=b"\xff" * 64) as cable:
        sink = make(url=f"amqp://127.0.0.1:{cable.port}/", timeout_seconds=3)
        cable.plan(snap)
        results = await sink.send_many(batch(sink, 10))
        assert [type(result) for result in results] == [InDoubt] + [RetryLater] * 9
        await sink.stop()
    assert len(await messages(channel, queue)) == (0 if snap is Snap.BEFORE else 1)


async def test_a_wire_that_breaks_within_a_batch(
    make: Make, server: RabbitMq, channel: AbstractChannel, queue: str
) -> None:
    async with Cable(server.port, request=PUBLISH, answer=CONFIRMED) as cable:
        sink = make(url=f"amqp://127.0.0.1:{cable.port}/")
        await publish(sink)
        sending = asyncio.create_task(sink.send_many(batch(sink, 200)))
        while not await holds(channel, queue, 2):
            pass
        cable.cut()
        results = await sending
        await sink.stop()
    there = {message.message_id for message in await messages(channel, queue)}
    sent = {result.id for result in results if isinstance(result, Ticket)}
    assert {type(result) for result in results} <= {Ticket, InDoubt, RetryLater}
    assert sent <= there


async def holds(channel: AbstractChannel, name: str, least: int) -> bool:
    declared = (await channel.declare_queue(name, passive=True)).declaration_result
    return (declared.message_count or 0) >= least


async def test_an_alarm_of_the_broker_holds_one_back_and_refuses_the_others(
    make: Make, server: RabbitMq, channel: AbstractChannel, queue: str
) -> None:
    sink = make(timeout_seconds=2)
    await publish(sink)
    server.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        results = await sink.send_many(batch(sink, 5))
        assert [type(result) for result in results] == [InDoubt] + [RetryLater] * 4
        for _ in range(3):
            results = await sink.send_many(batch(sink, 5))
            assert {str(result) for result in results} == {
                "the broker takes nothing now: it is short of memory or disk"
            }
    finally:
        server.control("set_vm_memory_high_watermark", "0.4")
    for _ in range(300):
        results = await sink.send_many(batch(sink, 5)[1:])
        if not isinstance(results[0], RetryLater):
            break
        await asyncio.sleep(0.1)
    assert {type(result) for result in results} == {Ticket}
    keys = [message.message_id for message in await messages(channel, queue)]
    assert len(keys) == len(set(keys)) == 6


async def test_what_was_confirmed_outlives_a_power_cut(tmp_path: Path) -> None:
    if RabbitMq.program() is None:
        missing("RabbitMQ (apt: rabbitmq-server)")
    with RabbitMq() as server:
        connection = await server.connect()
        await (await connection.channel()).declare_queue("q", durable=True)
        sink = RabbitMqSink(settings(server, "q"), make_context("bus", tmp_path))
        await sink.send_many(batch(sink, 20))
        server.kill()
        with pytest.raises((Unavailable, InDoubt)):
            await publish(sink)
        with pytest.raises(Unavailable):
            await publish(sink)
        server.start()
        await publish(sink)
        await sink.stop()
        connection = await server.connect()
        assert len(await messages(await connection.channel(), "q")) == 21
        await connection.close()


async def test_a_connection_that_ended_while_idle_is_made_anew(
    make: Make, server: RabbitMq, channel: AbstractChannel, queue: str
) -> None:
    async with Cable(server.port) as cable:
        sink = make(url=f"amqp://127.0.0.1:{cable.port}/")
        await publish(sink)
        line = sink._line
        assert line
        cable.cut()
        await line.lost.wait()
        await publish(sink)
        await sink.stop()
    assert len(await messages(channel, queue)) == 2


@pytest.mark.parametrize("login", [{"password": "pw-9f1c03"}, {"username": "nobody", "password": "pw-9f1c03"}])
async def test_a_login_that_is_refused(make: Make, login: dict[str, Any]) -> None:
    with pytest.raises(AuthError) as caught:
        await publish(make(**login))
    assert "pw-9f1c03" not in f"{caught.value} {caught.value.detail}"
    with pytest.raises(AuthError):
        await make(**login).check()


async def test_a_user_without_permission(make: Make, server: RabbitMq, channel: AbstractChannel, queue: str) -> None:
    server.control("add_user", "reader", PASSWORD)
    server.control("set_permissions", "reader", "^$", "^$", ".*")
    with pytest.raises(AuthError, match="may not publish"):
        await publish(make(username="reader"))
    server.control("set_permissions", "reader", "^$", r"^amq\.default$", "^$")
    sink = make(username="reader")
    await publish(sink)
    with pytest.raises(ConfigError, match="virtual host"):
        await make(username="reader", url=f"{server.url}other").check()
    assert len(await messages(channel, queue)) == 1


async def test_check_says_what_lies_there_and_adds_nothing(make: Make, channel: AbstractChannel, queue: str) -> None:
    sink = make()
    identity = await sink.check()
    assert identity.details == (f"queue {queue} holds 0 messages",)
    assert PASSWORD not in repr(identity)
    with pytest.raises(ConfigError, match="not there"):
        await make(routing_key="nobody").check()
    assert not await messages(channel, queue)


async def test_nobody_listens(make: Make) -> None:
    for call in (publish(make(url="amqp://127.0.0.1:1/")), make(url="amqp://127.0.0.1:1/").check()):
        with pytest.raises(Unavailable):
            await call


async def test_what_is_missing_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aio_pika", None)
    for call in (make().start(), make().check(), publish(make())):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[rabbitmq\]'"):
            await call


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "http://127.0.0.1"},
        {"url": "amqp://user:pass@127.0.0.1"},
        {"url": "amqp://127.0.0.1/?heartbeat=1"},
        {"routing_key": "投" * 90},
        {"exchange": "投诉"},
        {"when_in_doubt": "drop"},
        {"queue": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RabbitMqSettings.model_validate({"sink": "rabbitmq", "url": "amqp://127.0.0.1", **bad})
