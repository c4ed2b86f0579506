"""The Redis sink against a real Redis, with a wire between them that breaks at the worst moment."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import EventKind
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Progress, Sending, Ticket
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.cable import Cable, Snap
from bench.servers.redis import Redis
from sink.redis_streams import RedisSettings, RedisSink
from tests.conftest import missing
from tests.sink.storms import Reader, Storms
from tests.sink.weather import Wire

if TYPE_CHECKING:
    from redis import Redis as Client

pytestmark = pytest.mark.services

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
STREAM = "allears:complaints"
MARKER = f"{{{STREAM}}}:seen:{KEY}"
APPENDED = rb"\$\d+\r\n\d+-\d+\r\n"


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    if Redis.program() is None:
        missing("Redis (apt: redis-server)")
    with Redis() as server:
        yield server


@pytest.fixture
def client(server: Redis) -> Iterator[Client]:
    """An empty server, with everything as it was at its start."""
    with server.client() as client:
        client.flushall()
        yield client
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
        for name in ("writer", "half"):
            client.acl_deluser(name)


def settings(server: Redis, **more: Any) -> RedisSettings:
    return RedisSettings.model_validate({"sink": "redis", "url": server.url, **more})


Make = Callable[..., RedisSink]


@pytest.fixture
async def make(server: Redis, client: Client, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[RedisSink] = []

    def one(**more: Any) -> RedisSink:
        made.append(RedisSink(settings(server, **more), make_context("bus", tmp_path)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


def entries(client: Client) -> list[dict[str, str]]:
    found: Any = client.xrange(STREAM)
    return [fields for _, fields in found]


async def publish(sink: RedisSink, key: str = KEY) -> Ticket:
    return await sink.open(sink.render(make_event(), key), key, PROGRESS)


class RedisStore:
    @pytest.fixture(autouse=True)
    async def store(self, server: Redis, client: Client) -> AsyncIterator[None]:
        self.server, self.client = server, client
        garbage = b"<html>login</html>\r\n"
        async with Cable(server.port, request=b"EVAL", answer=APPENDED, garbage=garbage) as self.cable:
            yield
        client.config_set("requirepass", "")

    def make_sink(self, context: Context) -> RedisSink:
        url = f"redis://127.0.0.1:{self.cable.port}/0"
        return RedisSink(settings(self.server, url=url, username="default", password="kefu-Pa55-word"), context)

    @pytest.fixture(autouse=True)
    def password(self, store: None) -> None:
        self.client.config_set("requirepass", "kefu-Pa55-word")

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(fields["event"]) for fields in entries(self.client)]


class TestRedis(RedisStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(event["id"], event["data"]["complaint"]["description"]) for event in await self.events()]

    async def fail_next(self, fault: Fault) -> None:
        snaps = {Fault.LOSE_ANSWER: Snap.AFTER, Fault.GARBAGE: Snap.GARBAGE}
        if fault is Fault.UNREACHABLE:
            self.cable.is_unplugged = True
        elif fault is Fault.EXPIRED:
            self.client.config_set("requirepass", "a-new-one")
        elif fault in snaps:
            self.cable.plan(snaps[fault])
        else:
            absent(f'fault "{fault}"')


class TestRedisStorm(RedisStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=True)
        told = [(event["id"], event["data"]) for event in await self.events()]
        return [Stored(key, reader.read(data["event"], data["complaint"])) for key, data in told]

    def faults(self) -> Wire:
        return Wire(self.cable)


async def test_an_entry_is_the_event_and_what_to_sort_it_by(make: Make, client: Client) -> None:
    sink, event = make(), make_event()
    payload = sink.render(event, KEY)
    assert await sink.open(payload, KEY, PROGRESS) == Ticket(id=KEY)
    assert entries(client) == [
        {"id": KEY, "type": "complaint.created.v1", "subject": event.complaint_id, "event": payload.decode()}
    ]
    assert json.loads(payload)["source"] == "urn:allears:bus"


@pytest.mark.parametrize(
    ("kind", "type_"), [(EventKind.EDITED, "complaint.updated.v1"), (EventKind.WITHDRAWN, "complaint.withdrawn.v1")]
)
async def test_later_events(make: Make, client: Client, kind: EventKind, type_: str) -> None:
    sink = make()
    await sink.follow_up(Ticket(id=KEY), sink.render(make_event(2, kind=kind), KEY), KEY, PROGRESS)
    assert entries(client)[0]["type"] == type_


async def test_a_repetition_is_known_by_its_marker_and_the_marker_ends(make: Make, client: Client) -> None:
    sink = make(remember_days=2)
    for _ in range(3):
        await publish(sink)
    assert len(entries(client)) == 1
    assert 0 < client.ttl(MARKER) <= 2 * 86_400
    client.delete(MARKER)
    await publish(sink)
    assert len(entries(client)) == 2


async def test_two_at_the_same_time_append_one(make: Make, client: Client) -> None:
    await asyncio.gather(*(publish(make()) for _ in range(8)))
    assert len(entries(client)) == 1


async def test_a_repetition_is_known_after_a_power_cut(tmp_path: Path) -> None:
    if Redis.program() is None:
        missing("Redis (apt: redis-server)")
    with Redis() as server:
        sink = RedisSink(settings(server), make_context("bus", tmp_path))
        await publish(sink)
        server.kill()
        with pytest.raises((Unavailable, InDoubt)):
            await publish(sink)
        with pytest.raises(Unavailable):
            await publish(sink)
        server.start()
        await publish(sink)
        await sink.stop()
        with server.client() as client:
            assert len(entries(client)) == 1


def batch(sink: RedisSink, size: int) -> list[Sending]:
    events = [make_event(who=f"mail-{number}") for number in range(size)]
    keys = [f"{event.complaint_id}-AB12CD" for event in events]
    return [
        Sending(payload=sink.render(event, key), key=key, ticket=None) for event, key in zip(events, keys, strict=True)
    ]


@pytest.mark.parametrize("snap", [Snap.BEFORE, Snap.AFTER, Snap.SILENT, Snap.GARBAGE])
async def test_sending_a_batch_again_resolves_a_broken_wire(
    make: Make, server: Redis, client: Client, snap: Snap
) -> None:
    async with Cable(server.port, request=b"EVAL", answer=APPENDED, garbage=b"$-7\r\n?\r\n") as cable:
        sink = make(url=f"redis://127.0.0.1:{cable.port}", timeout_seconds=2)
        sendings = batch(sink, 40)
        cable.plan(snap)
        results = await sink.send_many(sendings)
        assert {type(result) for result in results} <= {Ticket, InDoubt}
        assert any(isinstance(result, InDoubt) for result in results)
        assert {type(result) for result in await sink.send_many(sendings)} == {Ticket}
        await sink.stop()
    assert len(entries(client)) == 40


async def test_what_arrives_after_it_was_sent_again_is_not_taken(make: Make, server: Redis, client: Client) -> None:
    async with Cable(server.port, request=b"EVAL") as cable:
        sink = make(url=f"redis://127.0.0.1:{cable.port}")
        sendings = batch(sink, 40)
        cable.plan(Snap.LATE)
        await sink.send_many(sendings)
        await sink.send_many(sendings)
        await sink.stop()
        cable.land()
        await cable.settle()
    assert len(entries(client)) == 40


async def test_a_full_memory_says_come_back_later_and_leaves_nothing(make: Make, client: Client) -> None:
    sink = make()
    await publish(sink)
    client.config_set("maxmemory", "1")
    with pytest.raises(RetryLater):
        await publish(sink, f"{KEY}-2")
    await publish(sink)
    client.config_set("maxmemory", "0")
    assert len(entries(client)) == 1
    await publish(sink, f"{KEY}-2")
    assert len(entries(client)) == 2


@pytest.mark.parametrize("held", [STREAM, MARKER])
async def test_a_key_that_holds_something_else(make: Make, client: Client, held: str) -> None:
    client.sadd(held, "x")
    with pytest.raises(ConfigError, match="something else"):
        await publish(make())
    assert client.type(STREAM) != "stream"


@pytest.mark.parametrize("lacking", ["-set", "-xadd", "-get", "-eval"])
async def test_a_permission_that_is_missing_leaves_nothing_half_done(make: Make, client: Client, lacking: str) -> None:
    client.acl_setuser("half", enabled=True, passwords=["+kefu-Pa55-word"], keys=["*"], commands=["+@all", lacking])
    sink = make(username="half", password="kefu-Pa55-word")
    with pytest.raises(AuthError, match="may not run scripts"):
        await publish(sink)
    assert not entries(client)
    client.acl_setuser("half", commands=[lacking.replace("-", "+")])
    await publish(sink)
    assert len(entries(client)) == 1


async def test_these_permissions_are_enough(make: Make, client: Client) -> None:
    commands = ["+ping", "+eval", "+get", "+set", "+xadd"]
    keys = [STREAM, f"{{{STREAM}}}:seen:*"]
    client.acl_setuser("writer", enabled=True, passwords=["+kefu-Pa55-word"], keys=keys, commands=commands)
    sink = make(username="writer", password="kefu-Pa55-word")
    await publish(sink)
    assert (await sink.check()).details == ("the user may not ask for INFO or TYPE, so nothing was checked",)


@pytest.mark.parametrize("login", [{"username": "nobody", "password": "x-9f1c03"}, {"password": "x-9f1c03"}])
async def test_a_login_that_is_refused(make: Make, client: Client, login: dict[str, Any]) -> None:
    client.config_set("requirepass", "another")
    try:
        with pytest.raises(AuthError) as caught:
            await publish(make(**login))
        with pytest.raises(AuthError):
            await make().check()
    finally:
        client.config_set("requirepass", "")
    assert "x-9f1c03" not in f"{caught.value} {caught.value.detail}"


async def test_a_length_keeps_the_newest(make: Make, client: Client) -> None:
    sink = make(max_entries=100)
    for _ in range(3):
        await sink.send_many(batch(sink, 200))
        client.delete(*client.keys("*:seen:*"))
    assert 100 <= len(entries(client)) < 600


async def test_check_says_what_the_server_keeps_and_takes_nothing(make: Make, client: Client) -> None:
    identity = await make().check()
    assert STREAM in identity.account
    assert [detail.split(",")[1] for detail in identity.details] == [" master"]
    client.config_set("maxmemory-policy", "allkeys-lru")
    identity = await make().check()
    assert "entries or markers go" in identity.details[1]
    assert client.dbsize() == 0
    client.set(STREAM, "x")
    with pytest.raises(ConfigError, match="holds a string"):
        await make().check()


async def test_a_server_that_forgets_is_named(tmp_path: Path) -> None:
    if Redis.program() is None:
        missing("Redis (apt: redis-server)")
    with Redis(durable=False) as server:
        identity = await RedisSink(settings(server), make_context("bus", tmp_path)).check()
    assert "appendonly is off" in identity.details[1]


async def test_a_replica_takes_nothing(make: Make, client: Client) -> None:
    client.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(AllearsError) as caught:
            await publish(make())
    finally:
        client.replicaof("NO", "ONE")
    assert type(caught.value) in (RetryLater, Unavailable)
    assert not entries(client)


async def test_nobody_listens(make: Make) -> None:
    for call in (publish(make(url="redis://127.0.0.1:1")), make(url="redis://127.0.0.1:1").check()):
        with pytest.raises(Unavailable):
            await call


async def test_what_is_missing_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    for call in (make().start(), make().check(), publish(make())):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[redis\]'"):
            await call


async def test_a_payload_that_is_no_event_is_refused(make: Make, client: Client) -> None:
    for payload in (b"", b"{}", b"\xff", b'{"id": 7}'):
        with pytest.raises(Rejected):
            await make().open(payload, KEY, PROGRESS)
    assert not entries(client)


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "http://127.0.0.1"},
        {"url": "redis://user:pass@127.0.0.1"},
        {"url": "redis://127.0.0.1/0?db=3"},
        {"stream": ""},
        {"remember_days": 0},
        {"max_entries": -1},
        {"strem": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedisSettings.model_validate({"sink": "redis", "url": "redis://127.0.0.1", **bad})
