"""The MQTT sink against a real Mosquitto, with a wire between them that breaks at the worst moment."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
from bench.servers.mosquitto import Mosquitto, Subscriber
from sink.mqtt import MqttSettings, MqttSink
from tests.conftest import missing
from tests.sink.storms import Reader, Storms
from tests.sink.weather import Wire

pytestmark = pytest.mark.services

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
TOPIC = "allears/complaints"
PASSWORD = "kefu-Pa55-word"
PUBLISH = rb"allears/complaints/ALE"
PUBACK = rb"\x40[\x02-\x04]"
GARBAGE = b"\x00\x00<html>login</html>"
ALL = "topic readwrite #"
USERS = {"allears": PASSWORD, "crm": "x"}
READER = "\nuser crm\ntopic readwrite #"


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


def program() -> None:
    if Mosquitto.program() is None:
        missing("Mosquitto (apt: mosquitto)")


@pytest.fixture(scope="module")
def server() -> Iterator[Mosquitto]:
    program()
    with Mosquitto("log_type all") as server:
        yield server


@pytest.fixture
def reader(server: Mosquitto) -> Iterator[Subscriber]:
    with Subscriber(server.port, TOPIC) as reader:
        yield reader


def settings(url: str, **more: Any) -> MqttSettings:
    return MqttSettings.model_validate({"sink": "mqtt", "url": url, **more})


Make = Callable[..., MqttSink]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[MqttSink] = []

    def one(broker: Mosquitto | Cable, **more: Any) -> MqttSink:
        url = more.pop("url", f"mqtt://127.0.0.1:{broker.port}")
        made.append(MqttSink(settings(url, **more), make_context("bus", tmp_path)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


async def publish(sink: MqttSink, key: str = KEY) -> Ticket:
    return await sink.open(sink.render(make_event(), key), key, PROGRESS)


def batch(sink: MqttSink, size: int) -> list[Sending]:
    events = [make_event(who=f"mail-{number}") for number in range(size)]
    keys = [f"{event.complaint_id}-AB12CD" for event in events]
    return [
        Sending(payload=sink.render(event, key), key=key, ticket=None) for event, key in zip(events, keys, strict=True)
    ]


def ids(reader: Subscriber) -> list[str]:
    """Of all that came, repetitions too."""
    return [dict(message.properties.UserProperty)["id"] for message in reader.settle()]


class MqttStore:
    @pytest.fixture(autouse=True)
    async def store(self, server: Mosquitto) -> AsyncIterator[None]:
        self.server = server
        server.allow(rules=f"user allears\ntopic write {TOPIC}/#{READER}", users=USERS)
        with Subscriber(server.port, TOPIC, username="crm", password="x") as self.reader:
            async with Cable(server.port, request=PUBLISH, answer=PUBACK, garbage=GARBAGE) as self.cable:
                yield
        server.allow(rules=ALL)

    def make_sink(self, context: Context) -> MqttSink:
        return MqttSink(settings(f"mqtt://127.0.0.1:{self.cable.port}", username="allears", password=PASSWORD), context)

    async def events(self) -> list[dict[str, Any]]:
        """All that came, repetitions too."""
        messages = await asyncio.to_thread(self.reader.settle)
        return [json.loads(message.payload) for message in messages]


class TestMqtt(MqttStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(event["id"], event["data"]["complaint"]["description"]) for event in await self.events()]

    async def fail_next(self, fault: Fault) -> None:
        snaps = {Fault.LOSE_ANSWER: Snap.AFTER, Fault.GARBAGE: Snap.GARBAGE}
        if fault is Fault.UNREACHABLE:
            self.cable.is_unplugged = True
        elif fault is Fault.EXPIRED:
            self.server.allow(rules=READER, users=USERS)
        elif fault in snaps:
            self.cable.plan(snaps[fault])
        else:
            absent(f'fault "{fault}"')


class TestMqttStorm(MqttStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=False)
        told = [(event["id"], event["data"]) for event in await self.events()]
        return [Stored(key, reader.read(data["event"], data["complaint"])) for key, data in told]

    def faults(self) -> Wire:
        return Wire(self.cable)


async def test_a_message_is_the_event_with_its_attributes_beside_it(
    make: Make, server: Mosquitto, reader: Subscriber
) -> None:
    sink, event = make(server), make_event()
    payload = sink.render(event, KEY)
    assert await sink.open(payload, KEY, PROGRESS) == Ticket(id=KEY)
    (message,) = reader.settle()
    assert (message.topic, message.qos, message.retain) == (f"{TOPIC}/{event.complaint_id}", 1, False)
    assert message.payload == payload
    assert message.properties.ContentType == "application/cloudevents+json; charset=UTF-8"
    assert message.properties.PayloadFormatIndicator == 1
    assert dict(message.properties.UserProperty) == {
        "specversion": "1.0",
        "id": KEY,
        "source": "urn:allears:bus",
        "type": "complaint.created.v1",
        "subject": event.complaint_id,
    }


@pytest.mark.parametrize(
    ("kind", "type_"), [(EventKind.EDITED, "complaint.updated.v1"), (EventKind.WITHDRAWN, "complaint.withdrawn.v1")]
)
async def test_later_events(make: Make, server: Mosquitto, reader: Subscriber, kind: EventKind, type_: str) -> None:
    sink = make(server)
    await sink.follow_up(Ticket(id=KEY), sink.render(make_event(2, kind=kind), KEY), KEY, PROGRESS)
    (message,) = reader.settle()
    assert dict(message.properties.UserProperty)["type"] == type_


async def test_a_topic_of_any_letters(make: Make, server: Mosquitto) -> None:
    with Subscriber(server.port, "客服/投诉") as reader:
        await publish(make(server, topic="客服/投诉"))
        assert len(reader.settle()) == 1


async def test_without_a_reader_nothing_was_sent(make: Make, server: Mosquitto) -> None:
    sink = make(server)
    with pytest.raises(RetryLater, match=r"nobody subscribes to allears/complaints/#"):
        await publish(sink)
    await publish(make(server, accept_no_reader=True))
    with Subscriber(server.port, TOPIC) as reader:
        await publish(sink)
        assert ids(reader) == [KEY]


async def test_what_comes_while_a_named_reader_is_away_is_kept_for_it(make: Make) -> None:
    """Also over a restart; what comes between that and the reader's return, Mosquitto 2.0 drops, and says success."""
    program()
    with Mosquitto() as server:
        with Subscriber(server.port, TOPIC, name="crm") as reader:
            assert ids(reader) == []
        await publish(make(server))
        await publish(make(server), f"{KEY}-2")
        server.stop()
        server.start()
        with reader:
            reader.wait_for(2)
            assert ids(reader) == [KEY, f"{KEY}-2"]


async def test_a_broker_that_dies_and_comes_back(make: Make) -> None:
    program()
    with Mosquitto() as server:
        with Subscriber(server.port, TOPIC):
            sink = make(server)
            await publish(sink)
        server.kill()
        with pytest.raises((Unavailable, InDoubt)):
            await publish(sink)
        with pytest.raises(Unavailable):
            await publish(sink)
        server.start()
        with Subscriber(server.port, TOPIC) as reader:
            await publish(sink)
            assert ids(reader) == [KEY]


@pytest.mark.parametrize("snap", [Snap.BEFORE, Snap.AFTER, Snap.SILENT, Snap.GARBAGE])
async def test_sending_a_batch_again_resolves_a_broken_wire(
    make: Make, server: Mosquitto, reader: Subscriber, snap: Snap
) -> None:
    async with Cable(server.port, request=PUBLISH, answer=PUBACK, garbage=GARBAGE) as cable:
        sink = make(cable, timeout_seconds=2)
        sendings = batch(sink, 40)
        cable.plan(snap)
        results = await sink.send_many(sendings)
        assert {type(result) for result in results} <= {Ticket, InDoubt}
        assert any(isinstance(result, InDoubt) for result in results)
        assert {type(result) for result in await sink.send_many(sendings)} == {Ticket}
    assert set(ids(reader)) == {sending.key for sending in sendings}


async def test_nothing_goes_out_after_it_was_given_up(make: Make, server: Mosquitto, reader: Subscriber) -> None:
    """Of what waits for the broker's leave (it takes 20 at once and its answers are lost) not one follows."""
    async with Cable(server.port, request=PUBLISH, answer=PUBACK) as cable:
        sink = make(cable, timeout_seconds=1)
        cable.plan(Snap.SILENT)
        results = await sink.send_many(batch(sink, 60))
        assert all(isinstance(result, InDoubt) for result in results)
        assert len(ids(reader)) == 20
        cable.is_unplugged = True
        with pytest.raises(Unavailable):
            await publish(sink)
        await cable.settle()
    assert len(ids(reader)) == 20


async def test_more_than_the_broker_takes_at_once_comes_in_order(make: Make) -> None:
    program()
    with Mosquitto("max_inflight_messages 3") as server, Subscriber(server.port, TOPIC) as reader:
        sink = make(server)
        sendings = batch(sink, 256)
        assert {type(result) for result in await sink.send_many(sendings)} == {Ticket}
        assert ids(reader) == [sending.key for sending in sendings]


async def test_one_that_is_too_large_stops_no_other(make: Make) -> None:
    program()
    with Mosquitto("max_packet_size 6000") as server, Subscriber(server.port, TOPIC) as reader:
        sink = make(server)
        sendings = batch(sink, 3)
        large = Sending(payload=sink.render(make_event(text="投诉" * 2000), KEY), key=KEY, ticket=None)
        results = await sink.send_many([*sendings[:1], large, *sendings[1:]])
        assert [type(result) for result in results] == [Ticket, Rejected, Ticket, Ticket]
        assert ids(reader) == [sending.key for sending in sendings]
        assert "up to 6000 bytes" in (await sink.check()).details[0]


async def test_an_answer_that_mqtt_5_does_not_have_is_doubt(make: Make) -> None:
    """Mosquitto's older `message_size_limit` says 0x95 in a PUBACK."""
    program()
    with Mosquitto("message_size_limit 6000") as server, Subscriber(server.port, TOPIC) as reader:
        sink = make(server)
        with pytest.raises(InDoubt):
            await sink.open(sink.render(make_event(text="投诉" * 2000), KEY), KEY, PROGRESS)
        await publish(sink)
        assert ids(reader) == [KEY]


async def test_a_user_who_may_not_publish(make: Make, server: Mosquitto) -> None:
    rules = f"user half\ntopic write other/#{READER}"
    server.allow(rules=rules, users={"half": PASSWORD, "crm": "x"})
    try:
        with Subscriber(server.port, TOPIC, username="crm", password="x") as reader:
            sink = make(server, username="half", password=PASSWORD)
            with pytest.raises(AuthError, match="may not publish on allears/complaints/#"):
                await publish(sink)
            await sink.check()
            assert ids(reader) == []
    finally:
        server.allow(rules=ALL)


@pytest.mark.parametrize("login", [{"username": "nobody", "password": "x-9f1c03"}, {}])
async def test_a_login_that_is_refused(make: Make, server: Mosquitto, login: dict[str, Any]) -> None:
    server.allow(rules=ALL, users={"allears": PASSWORD})
    try:
        for call in (publish(make(server, **login)), make(server, **login).check()):
            with pytest.raises(AuthError) as caught:
                await call
            assert "x-9f1c03" not in f"{caught.value} {caught.value.detail}"
    finally:
        server.allow(rules=ALL)


async def test_check_beside_a_daemon_at_work_takes_nothing(make: Make, server: Mosquitto, reader: Subscriber) -> None:
    sink = make(server, client_id="allears-1")
    await publish(sink)
    line = sink._line
    identity = await make(server, client_id="allears-1").check()
    await publish(sink, f"{KEY}-2")
    assert line is not None
    assert sink._line is line
    assert identity.account == f"{TOPIC}/# at {server.url}"
    assert "whether anybody subscribes shows only" in identity.details[0]
    assert ids(reader) == [KEY, f"{KEY}-2"]


async def test_an_idle_connection_is_kept(
    make: Make, server: Mosquitto, reader: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink.mqtt.KEEP_ALIVE_SECONDS", 1)
    monkeypatch.setattr("sink._mqtt_line.BEAT_SECONDS", 0.05)
    one = make(server, client_id="allears-idle")
    await publish(one)
    await asyncio.to_thread(server.wait_for_log, b"Received PINGREQ from allears-idle")
    assert one._line is not None
    assert not one._line.lost.is_set()


async def test_tls(make: Make) -> None:
    program()
    with Mosquitto() as server:
        certificate = server.encrypt()
        with Subscriber(server.plain_port, TOPIC) as reader:
            url = f"mqtts://localhost:{server.port}"
            sink = make(server, url=url, ca_file=str(certificate))
            sendings = batch(sink, 100)
            assert {type(result) for result in await sink.send_many(sendings)} == {Ticket}
            assert len(ids(reader)) == 100


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
async def test_tls_that_cannot_be(make: Make, tmp_path: Path) -> None:
    """paho leaves it to the garbage collector to close what no handshake was made on."""
    program()
    with Mosquitto() as server:
        server.encrypt()
        url = f"mqtts://localhost:{server.port}"
        with pytest.raises(Unavailable, match=r"SSLCertVerificationError|certificate"):
            await publish(make(server, url=url))
        with pytest.raises(Unavailable):
            await publish(make(server, timeout_seconds=2))
        with pytest.raises(Unavailable):
            await publish(make(server, url=f"mqtts://localhost:{server.plain_port}", timeout_seconds=2))
        with pytest.raises(ConfigError, match="ca_file"):
            await publish(make(server, url=url, ca_file=str(tmp_path / "none.pem")))


async def test_a_broker_that_confirms_nothing(make: Make) -> None:
    program()
    with Mosquitto("max_qos 0") as server:
        for call in (publish(make(server)), make(server).check()):
            with pytest.raises(ConfigError, match="QoS 0 only"):
                await call


async def test_nobody_listens(make: Make, server: Mosquitto) -> None:
    for call in (publish(make(server, url="mqtt://127.0.0.1:1")), make(server, url="mqtt://127.0.0.1:1").check()):
        with pytest.raises(Unavailable):
            await call


async def test_what_is_missing_is_named(make: Make, server: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    for call in (make(server).start(), make(server).check(), publish(make(server))):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[mqtt\]'"):
            await call


async def test_a_payload_that_is_no_event_is_refused(make: Make, server: Mosquitto, reader: Subscriber) -> None:
    for payload in (b"", b"{}", b"\xff", b'{"id": 7}'):
        with pytest.raises(Rejected):
            await make(server).open(payload, KEY, PROGRESS)
    assert ids(reader) == []
