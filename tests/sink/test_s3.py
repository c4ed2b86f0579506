"""The S3 sink on moto's server, through a proxy that spoils what passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import EventKind
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket, marks_of
from allears_sdk.testing.components import absent
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.fault_proxy import FaultProxy
from bench.servers.s3 import BUCKET, S3
from sink.s3 import S3Settings, S3Sink
from tests.sink.storms import Reader, Storms

SECRET = "wJalrXUtnFEMI-kefu-Pa55"
WORK = r"PUT .*\.json"


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


PROGRESS = Progress(note={}, save=save)


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture
async def s3(server: S3) -> AsyncIterator[S3]:
    """An empty bucket; the sink is told nothing by the environment."""
    await asyncio.to_thread(server.clear)
    yield server


@pytest.fixture
async def proxy(s3: S3) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(s3.url) as proxy:
        yield proxy


def settings(url: str, **more: Any) -> S3Settings:
    facts = {
        "sink": "s3",
        "bucket": BUCKET,
        "endpoint_url": url,
        "path_style": True,
        "access_key_id": "AKIAKEFU",
        "secret_access_key": SECRET,
    }
    return S3Settings.model_validate({**facts, **more})


Make = Callable[..., S3Sink]


@pytest.fixture
def make(proxy: FaultProxy, tmp_path: Path, files: MemoryFiles, log: RecordingLog) -> Make:
    def one(**more: Any) -> S3Sink:
        context = make_context("archive", tmp_path, files=files, log=log)
        return S3Sink(settings(**{"url": proxy.url, **more}), context)

    return one


class S3Store:
    @pytest.fixture(autouse=True)
    def store(self, s3: S3, proxy: FaultProxy) -> None:
        self.s3, self.proxy = s3, proxy

    def make_sink(self, context: Context) -> S3Sink:
        return S3Sink(settings(self.proxy.url), context)

    async def stored_files(self) -> list[tuple[str, bytes]]:
        objects = await asyncio.to_thread(self.s3.objects)
        told = [json.loads(content)["data"] for name, content in objects.items() if name.endswith(".json")]
        names = {file["sha256"]: file["name"] for data in told for file in data["complaint"].get("attachments", ())}
        return [(names[name[-64:]], content) for name, content in objects.items() if "/files/" in name]


class TestS3(S3Store, SinkContract):
    async def stored(self) -> list[Stored]:
        events = await asyncio.to_thread(self.s3.events)
        return [Stored(one["id"], self._text(one["data"])) for one in events]

    @staticmethod
    def _text(data: dict[str, Any]) -> str:
        """With what an event says of files that are elsewhere."""
        named = [
            f"{file['name']} {data['files'].get(file['sha256'])}" for file in data["complaint"].get("attachments", ())
        ]
        return "\n".join([data["complaint"]["description"], *named])

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            await self.proxy.unplug()
        elif fault is Fault.GONE:
            absent("a complaint that takes no more")
        elif fault is Fault.TOO_MANY:
            absent("a Retry-After that obstore shows")
        else:
            self.proxy.plan(fault)


class TestS3Storm(S3Store, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=False)
        told = [(one["id"], one["data"]) for one in await asyncio.to_thread(self.s3.events)]
        return [Stored(key, reader.read(data["event"], data["complaint"])) for key, data in told]

    def faults(self) -> FaultProxy:
        return self.proxy


def key_of(event: Any, destination: str = "archive") -> str:
    return event_key(ticket_key(event.complaint_id, destination), event.id)


async def put(sink: S3Sink, event: Any) -> Ticket:
    key = key_of(event)
    return await sink.open(sink.render(event, key), key, PROGRESS)


async def test_an_object_is_the_event_under_its_name(make: Make, s3: S3) -> None:
    sink, opening, later = make(), make_event(), make_event(2, kind=EventKind.WITHDRAWN)
    ticket = await put(sink, opening)
    await sink.follow_up(ticket, sink.render(later, key_of(later)), key_of(later), PROGRESS)
    names = [f"allears/{opening.complaint_id}/{key_of(one)}.json" for one in (opening, later)]
    assert ticket == Ticket(id=key_of(opening))
    objects = s3.objects()
    assert sorted(objects) == sorted(names)
    assert objects[names[0]] == sink.render(opening, key_of(opening))
    assert s3.media_type(names[0]) == "application/cloudevents+json; charset=UTF-8"
    body = json.loads(objects[names[1]])
    assert (body["type"], body["source"], body["data"]["files"]) == (
        "complaint.withdrawn.v1",
        "urn:allears:archive",
        {},
    )


@pytest.mark.parametrize("prefix", ["", "客服/2026"])
async def test_a_prefix_of_any_letters(make: Make, s3: S3, files: MemoryFiles, prefix: str) -> None:
    sink, event = make(prefix=prefix), with_files(make_event(), files)
    payload, key = sink.render(event, key_of(event)), key_of(event)
    for _ in range(2):
        ticket = await sink.open(payload, key, PROGRESS)
        await sink.complete(ticket, payload, key, PROGRESS)
    assert sorted(name.count("/") for name in s3.objects()) == [
        1 + (2 if prefix else 0),
        *[2 + (2 if prefix else 0)] * 2,
    ]
    assert await sink.find(key) == ticket


async def test_what_is_there_is_not_written_over(make: Make, s3: S3) -> None:
    sink, event = make(), make_event()
    await put(sink, event)
    key = key_of(event)
    await sink.open(sink.render(make_event(text="又一次"), key), key, PROGRESS)
    assert s3.objects()[f"allears/{event.complaint_id}/{key}.json"] == sink.render(event, key)


async def test_without_create_only_the_same_bytes_are_written_again(make: Make, s3: S3, proxy: FaultProxy) -> None:
    sink, event = make(create_only=False), make_event()
    await put(sink, event)
    await put(sink, event)
    assert len(s3.objects()) == 1
    assert not any("if-none-match" in call.headers for call in proxy.calls)
    assert [status for _, status in proxy.answers] == [200, 200]


async def test_two_at_the_same_time_make_one(make: Make, s3: S3) -> None:
    sink = make()
    await asyncio.gather(*(put(sink, make_event()) for _ in range(8)))
    assert len(s3.objects()) == 1


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Mishap.CUT_BEFORE])
async def test_a_lost_answer_is_doubt_and_is_never_asked_again_by_the_client(
    make: Make, s3: S3, proxy: FaultProxy, fault: Any
) -> None:
    sink = make()
    proxy.plan(fault, on=WORK)
    with pytest.raises(InDoubt):
        await put(sink, make_event())
    assert len(proxy.calls) == 1
    await put(sink, make_event())
    assert len(s3.objects()) == 1


async def test_what_arrives_late_changes_nothing(make: Make, s3: S3, proxy: FaultProxy) -> None:
    sink, event = make(), make_event()
    proxy.plan(Fault.LATE, on=WORK)
    with pytest.raises(InDoubt):
        await put(sink, event)
    await put(sink, event)
    before = s3.objects()
    await proxy.land()
    assert s3.objects() == before
    assert len(before) == 1


async def test_what_was_told_is_found_message_by_message(make: Make, s3: S3) -> None:
    sink, burst, other = make(), make_event(told=3), make_event(2, told=2)
    assert await sink.find(key_of(burst)) is None
    ticket = await put(sink, burst)
    s3.put(f"allears/{burst.complaint_id}/note.json", b"somebody else's")
    marks = marks_of(burst, key_of(burst), is_stream=True)
    strangers = marks_of(other, key_of(other), is_stream=True)
    for mark in marks:
        assert await sink.find(mark) == Ticket(id=mark)
    assert set(await sink.find_follow_ups(ticket, [*strangers, *marks])) == set(marks)
    assert await sink.find(key_of(burst, "second")) is None
    assert set(await sink.find_follow_ups(ticket, [])) == set()


async def test_an_event_that_cannot_be_read_is_no_answer(make: Make, s3: S3, proxy: FaultProxy) -> None:
    """Whoever took it for nothing would tell it again."""
    sink, event = make(), make_event()
    await put(sink, event)
    proxy.plan(Fault.GARBAGE, on=r"GET .*\.json")
    with pytest.raises(Unavailable):
        await sink.find(key_of(event))
    assert await sink.find(key_of(event)) is not None


async def test_a_list_that_is_none_says_nothing_of_what_is_there(
    make: Make, s3: S3, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To obstore any page of HTML is a list without entries."""
    sink, event = make(), make_event()
    await put(sink, event)
    proxy.plan(Fault.GARBAGE, on=f"GET /{BUCKET}$")
    assert await sink.find(key_of(event)) == Ticket(id=key_of(event))
    proxy.plan(Fault.GARBAGE, Fault.GARBAGE, on=f"GET /{BUCKET}$")
    with pytest.raises(Unavailable, match="does not show what was written"):
        await sink.find(key_of(event))
    assert [name.rpartition("/")[2] for name in s3.objects()].count("asked") == 1


async def test_files_lie_beside_their_events(make: Make, s3: S3, files: MemoryFiles) -> None:
    sink, event = make(), with_files(make_event(), files)
    payload, key = sink.render(event, key_of(event)), key_of(event)
    ticket = await sink.open(payload, key, PROGRESS)
    await sink.complete(ticket, payload, key, PROGRESS)
    objects, told = s3.objects(), json.loads(payload)["data"]["files"]
    for file in event.record.attachments:
        assert told[file.sha256] == f"allears/{event.complaint_id}/files/{file.sha256}"
        assert objects[told[file.sha256]] == files.contents[file.sha256]
        assert s3.media_type(told[file.sha256]) == file.media_type


async def test_a_file_that_is_no_more_keeps_no_event_from_being_filed(
    make: Make, s3: S3, files: MemoryFiles, log: RecordingLog
) -> None:
    sink, event = make(), with_files(make_event(), files)
    lost = event.record.attachments[0]
    del files.contents[lost.sha256]
    payload, key = sink.render(event, key_of(event)), key_of(event)
    await sink.complete(await sink.open(payload, key, PROGRESS), payload, key, PROGRESS)
    assert len(s3.objects()) == 2
    assert ("warning", "file_refused") in [(level, what) for level, what, _ in log.entries]


@pytest.mark.parametrize("mode", ["link", "none"])
async def test_files_that_stay_here(make: Make, s3: S3, files: MemoryFiles, mode: str) -> None:
    sink, event = make(files={"mode": mode}), with_files(make_event(), files)
    payload, key = sink.render(event, key_of(event)), key_of(event)
    await sink.complete(await sink.open(payload, key, PROGRESS), payload, key, PROGRESS)
    told = json.loads(payload)["data"]["files"]
    assert len(s3.objects()) == 1
    assert [place.startswith("https://allears.example.com/files/") for place in told.values()] == (
        [True, True] if mode == "link" else []
    )


async def test_a_shortened_event_keeps_all_its_files(make: Make, s3: S3, files: MemoryFiles) -> None:
    sink, event = make(max_body_bytes=32_768), make_event(text="投诉" * 20_000)
    made = [files.put(f"照片 {number}.jpg", b"jpeg %d" % number, message=event.messages[0]) for number in range(40)]
    event = replace(event, record=replace(event.record, attachments=tuple(made)))
    payload, key = sink.render(event, key_of(event)), key_of(event)
    await sink.complete(await sink.open(payload, key, PROGRESS), payload, key, PROGRESS)
    body = json.loads(payload)
    assert len(body["data"]["complaint"]["attachments"]) == 20
    assert len(s3.objects()) == 41


async def test_a_bucket_that_is_not_there(make: Make) -> None:
    sink = make(bucket="somewhere-else")
    for call in (put(sink, make_event()), sink.check(), sink.find("ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789")):
        with pytest.raises(ConfigError, match="the bucket is not there"):
            await call


async def test_check_takes_and_makes_nothing(make: Make, s3: S3, proxy: FaultProxy) -> None:
    identity = await make().check()
    assert identity.account == f"complaints/allears at {proxy.url}"
    assert [call.method for call in proxy.calls] == ["GET"]
    assert s3.objects() == {}


async def test_nobody_listens(make: Make) -> None:
    sink = make(url="http://127.0.0.1:1")
    for call in (put(sink, make_event()), sink.check(), sink.find("ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789")):
        with pytest.raises(Unavailable):
            await call


async def test_a_payload_that_is_no_event_is_refused(make: Make, s3: S3) -> None:
    for payload in (b"", b"{}", b"\xff", b'{"id": 7}'):
        with pytest.raises(Rejected):
            await make().open(payload, key_of(make_event()), PROGRESS)
    assert s3.objects() == {}


async def test_a_look_that_fails_leaves_no_doubt(make: Make, proxy: FaultProxy) -> None:
    sink, event = make(), make_event()
    await put(sink, event)
    for fault, error in ((Mishap.BROKEN_AFTER, Unavailable), (Fault.EXPIRED, AuthError), (Mishap.BUSY, RetryLater)):
        proxy.plan(fault, on="GET ")
        with pytest.raises(AllearsError) as caught:
            await sink.find(key_of(event))
        assert type(caught.value) is error
