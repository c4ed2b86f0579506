"""The Kafka sink against the broker inside librdkafka; what arrived is read by librdkafka's own consumer."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from confluent_kafka import Consumer, Message
from confluent_kafka import TopicPartition as Place

from allears_sdk.complaint import Event, EventKind
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, Unavailable
from allears_sdk.reference import event_key
from allears_sdk.sink import Progress, Sending, Ticket, marks_of
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.kafka import FETCH, TRANSPORT, Kafka
from sink.kafka import KafkaSettings, KafkaSink
from tests.conftest import missing

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
TOPIC = "allears.complaints"
PARTITIONS = 4
NOT_AUTHORIZED, TOO_LARGE, NOT_LEADER, FEW_REPLICAS, OUT_OF_ORDER = 29, 10, 6, 19, 45


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


@pytest.fixture
def server() -> Iterator[Kafka]:
    if not Kafka.is_installed():
        missing("confluent-kafka (PyPI)")
    with Kafka() as server:
        server.add_topic(TOPIC, PARTITIONS)
        yield server


def settings(server: Kafka, **more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"sink": "kafka", "servers": server.servers, "timeout_seconds": 10, **more})


Make = Callable[..., KafkaSink]


@pytest.fixture
async def make(server: Kafka, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[KafkaSink] = []

    def one(**more: Any) -> KafkaSink:
        made.append(KafkaSink(settings(server, **more), make_context("bus", tmp_path)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


async def records(server: Kafka) -> list[Message]:
    return await asyncio.to_thread(_read, server)


def _read(server: Kafka) -> list[Message]:
    """All records of the topic, by partition."""
    consumer = Consumer(
        {"bootstrap.servers": ",".join(server.servers), "group.id": "test", "fetch.wait.max.ms": 10, "log_level": 0}
    )
    found: list[Message] = []
    try:
        for number in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(Place(TOPIC, number), timeout=20)
            consumer.assign([Place(TOPIC, number, low)])
            while low < high:
                (message,) = consumer.consume(1, timeout=20)
                assert not message.error()
                found.append(message)
                low = (message.offset() or 0) + 1
    finally:
        consumer.close()
    return found


def value(message: Message) -> bytes:
    body = message.value()
    assert isinstance(body, bytes)
    return body


def header(message: Message, name: str) -> str:
    found = dict(message.headers() or [])[name]
    assert isinstance(found, bytes)
    return found.decode()


async def publish(sink: KafkaSink, key: str = KEY, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), key), key, PROGRESS)


class TestKafka(SinkContract):
    @pytest.fixture(autouse=True)
    def store(self, server: Kafka) -> None:
        self.server = server

    def make_sink(self, context: Context) -> KafkaSink:
        return KafkaSink(settings(self.server, timeout_seconds=4), context)

    async def stored(self) -> list[Stored]:
        events = [json.loads(value(message)) for message in await records(self.server)]
        return [Stored(event["id"], event["data"]["complaint"]["description"]) for event in events]

    async def fail_next(self, fault: Fault) -> None:
        codes = {Fault.EXPIRED: NOT_AUTHORIZED, Fault.REJECT: TOO_LARGE}
        if fault is Fault.UNREACHABLE:
            self.server.stop()
            self.server.start()
            self.server.go_down()
            self.stored = _nothing  # type: ignore[method-assign]  # nobody to ask
        elif fault is Fault.LOSE_ANSWER:
            self.server.delay(600)
        elif fault in codes:
            self.server.fail(codes[fault])
        else:
            absent(f'fault "{fault}"')


async def _nothing() -> list[Stored]:
    return []


async def test_a_record_is_a_cloud_event_keyed_by_its_complaint(make: Make, server: Kafka) -> None:
    sink, event = make(), make_event()
    key = event_key(f"{event.complaint_id}-AB12CD", event.id)
    payload = sink.render(event, key)
    assert await sink.open(payload, key, PROGRESS) == Ticket(id=key)
    (message,) = await records(server)
    assert message.key() == event.complaint_id.encode()
    assert value(message) == payload
    assert dict(message.headers() or []) == {
        "ce_specversion": b"1.0",
        "ce_id": key.encode(),
        "ce_source": b"urn:allears:bus",
        "ce_type": b"complaint.created.v1",
        "ce_subject": event.complaint_id.encode(),
        "content-type": b"application/cloudevents+json; charset=UTF-8",
    }


async def test_the_events_of_a_complaint_are_in_one_partition_in_order(make: Make, server: Kafka) -> None:
    sink = make()
    for sequence in range(1, 5):
        for who in ("mail-17", "mail-18", "mail-19"):
            event = make_event(sequence, who=who, kind=EventKind.OPENED if sequence == 1 else EventKind.EDITED)
            await publish(sink, event_key(f"{event.complaint_id}-AB12CD", event.id), event)
    told: dict[bytes, list[tuple[int, int]]] = {}
    for message in await records(server):
        key = message.key()
        assert isinstance(key, bytes)
        sequence = json.loads(value(message))["data"]["event"]["sequence"]
        told.setdefault(key, []).append((message.partition() or 0, sequence))
    assert len(told) == 3
    for entries in told.values():
        assert len({partition for partition, _ in entries}) == 1
        assert [sequence for _, sequence in entries] == [1, 2, 3, 4]


@pytest.mark.parametrize("code", [NOT_LEADER, FEW_REPLICAS, TRANSPORT])
async def test_a_passing_trouble_is_the_producers_own(make: Make, server: Kafka, code: int) -> None:
    server.fail(code, code)
    await publish(make())
    assert len(await records(server)) == 1


def batch(sink: KafkaSink, size: int) -> list[Sending]:
    events = [make_event(who=f"mail-{number}") for number in range(size)]
    keys = [event_key(f"{event.complaint_id}-AB12CD", event.id) for event in events]
    return [
        Sending(payload=sink.render(event, key), key=key, ticket=None) for event, key in zip(events, keys, strict=True)
    ]


async def test_a_lost_answer_is_looked_up_and_what_is_there_is_not_sent_again(make: Make, server: Kafka) -> None:
    sink = make(timeout_seconds=2)
    await publish(sink)
    sendings = batch(sink, 30)
    server.delay(600)
    results = await sink.send_many(sendings)
    doubtful = [sending for sending, result in zip(sendings, results, strict=True) if isinstance(result, InDoubt)]
    assert doubtful
    assert {type(result) for result in results} <= {Ticket, InDoubt}
    later = make()
    again = [sending for sending in doubtful if await later.find(sending.key) is None]
    assert {type(result) for result in await later.send_many(again)} <= {Ticket}
    ids = [header(message, "ce_id") for message in await records(server)]
    assert sorted(ids) == sorted([KEY, *(sending.key for sending in sendings)])


async def test_a_look_up_reads_on_and_goes_no_deeper_than_it_was_told(make: Make, server: Kafka) -> None:
    sink = make(look_back_records=3)
    sendings = batch(sink, 60)
    await sink.send_many(sendings)
    newest = [header(message, "ce_id") for message in await records(server)][-3:]
    assert [key for key in newest if await sink.find(key) is None] == []
    found = [sending.key for sending in sendings if await sink.find(sending.key)]
    assert len(found) == 3 * PARTITIONS
    late = make_event(who="mail-99")
    late_key = event_key(f"{late.complaint_id}-AB12CD", late.id)
    assert await sink.find(late_key) is None
    await publish(make(), late_key, late)
    assert await sink.find(late_key) == Ticket(id=late_key)


async def test_an_event_of_several_messages_is_known_by_each(make: Make) -> None:
    event = make_event(told=3)
    key = event_key(f"{event.complaint_id}-AB12CD", event.id)
    sink = make()
    await publish(sink, key, event)
    marks = marks_of(event, key, is_stream=True)
    assert len(marks) == 3
    assert await sink.find_follow_ups(Ticket(id="T"), [*marks, f"{key}X"]) == list(marks)


async def test_records_of_others_do_not_disturb_a_look_up(make: Make, server: Kafka) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=list(server.servers))
    await producer.start()
    for headers in ([], [("ce_id", b"\xff\xfe")], [("ce_id", b"")], [("allears_marks", b"a b")]):
        await producer.send_and_wait(TOPIC, b"\x00", headers=headers)
    await producer.send_and_wait(TOPIC, None, key=b"k")
    await producer.stop()
    sink = make()
    assert await sink.find(KEY) is None
    await publish(sink)
    assert await sink.find(KEY) == Ticket(id=KEY)


async def test_who_may_only_write_looks_nothing_up(make: Make, server: Kafka) -> None:
    sink = make(look_back_records=0)
    await publish(sink)
    assert await sink.find(KEY) is None
    server.forbid(TOPIC, NOT_AUTHORIZED)
    with pytest.raises(ConfigError, match="not for this user to see"):
        await make().find(KEY)


async def test_a_look_up_that_meets_an_outage_is_not_an_answer(make: Make, server: Kafka) -> None:
    await publish(make())
    sink = make()
    server.fail(TRANSPORT, on=FETCH)
    assert await sink.find(KEY) == Ticket(id=KEY)
    server.go_down()
    with pytest.raises(Unavailable):
        await make().find(KEY)


async def test_nothing_is_sent_after_giving_up(make: Make, server: Kafka) -> None:
    sink = make(timeout_seconds=2)
    await publish(sink)
    line = sink._line
    assert line
    server.go_down()
    assert [type(result) for result in await sink.send_many(batch(sink, 1))] == [InDoubt]
    with pytest.raises(Unavailable):
        await sink.send_many(batch(sink, 1))
    sender = line.connection._sender.sender_task
    assert sender.done()
    server.come_up()
    other = make()
    await publish(other, f"{KEY}-2")
    assert len(await records(server)) == 2


async def test_calling_off_a_batch_ends_its_producer(make: Make, server: Kafka) -> None:
    sink = make()
    await publish(sink)
    line = sink._line
    assert line
    server.delay(600)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sink.send_many(batch(sink, 3)), 0.5)
    assert sink._line is None
    assert line.connection._sender.sender_task.done()


@pytest.mark.parametrize(
    ("code", "error"), [(NOT_AUTHORIZED, AuthError), (TOO_LARGE, Rejected), (OUT_OF_ORDER, InDoubt)]
)
async def test_what_the_broker_says_of_a_record(
    make: Make, server: Kafka, code: int, error: type[AllearsError]
) -> None:
    server.fail(code)
    sink = make()
    with pytest.raises(error):
        await publish(sink)
    assert not await records(server)
    await publish(sink)
    assert len(await records(server)) == 1


async def test_one_that_is_too_large_does_not_hold_up_the_others(make: Make, server: Kafka) -> None:
    sink, event = make(), make_event(text="太大" * 200_000)
    large = make(max_body_bytes=2 << 20).render(event, KEY)
    first, second = batch(sink, 2)
    results = await sink.send_many([first, Sending(payload=large, key=KEY, ticket=None), second])
    assert [type(result) for result in results] == [Ticket, Rejected, Ticket]
    assert len(await records(server)) == 2


async def test_check_says_where_events_go_and_makes_no_topic(make: Make, server: Kafka) -> None:
    identity = await make().check()
    assert identity.details == (f"{PARTITIONS} partitions, 1 brokers",)
    with pytest.raises(ConfigError, match="not there"):
        await make(topic="nobody.made.this").check()
    consumer = AIOKafkaConsumer(bootstrap_servers=list(server.servers))
    await consumer.start()
    assert await consumer.topics() == {TOPIC}
    ends = await consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    assert set(ends.values()) == {0}
    await consumer.stop()


async def test_nobody_listens(make: Make) -> None:
    sink = make(servers=["127.0.0.1:1", "127.0.0.1:2"])
    for call in (publish(sink), sink.check(), sink.find(KEY)):
        with pytest.raises(Unavailable, match="no connection to any"):
            await call


async def test_a_login_that_is_refused_says_so_without_the_password(make: Make) -> None:
    sink = make(username="allears", password="pw-9f1c03")
    await sink.start()
    for call in (publish(sink), sink.check()):
        with pytest.raises(AuthError) as caught:
            await call
        assert "pw-9f1c03" not in f"{caught.value} {caught.value.detail}"


async def test_what_the_client_logs_stays_out_of_our_log(make: Make) -> None:
    for _ in range(2):
        await make().start()
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.name)  # type: ignore[method-assign]  # all it does
    logging.getLogger().addHandler(handler)
    with pytest.raises(Unavailable):
        await publish(make(servers=["127.0.0.1:1"]))
    logging.getLogger().removeHandler(handler)
    assert heard == []


async def test_what_is_missing_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("aiokafka", "aiokafka.client"):
        monkeypatch.setitem(sys.modules, module, None)
    for call in (make().start(), make().check(), publish(make())):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[kafka\]'"):
            await call
