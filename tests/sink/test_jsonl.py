from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Unavailable
from allears_sdk.sink import Progress, Sending, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.records import WORDS, make_event
from sink.jsonl import JsonlSettings, JsonlSink

Make = Callable[..., JsonlSink]


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "投诉.jsonl"


@pytest.fixture
async def make(tmp_path: Path, path: Path, clock: FakeClock) -> AsyncIterator[Make]:
    made: list[JsonlSink] = []

    def one(**settings: Any) -> JsonlSink:
        context: Context = make_context("archive", tmp_path, clock=clock)
        made.append(JsonlSink(JsonlSettings(sink="jsonl", **{"path": path, **settings}), context))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


def sending(sink: JsonlSink, number: int, text: str = WORDS) -> Sending:
    key = f"ALE-7K3M-Q9TX-4RWD-{number:06}"
    return Sending(payload=sink.render(make_event(who=f"mail-{number}", text=text), key), key=key, ticket=None)


async def send(sink: JsonlSink, *numbers: int, text: str = WORDS) -> None:
    results = await sink.send_many([sending(sink, number, text) for number in numbers])
    assert [type(result) for result in results] == [Ticket] * len(numbers)


def keys(path: Path) -> list[int]:
    return [int(json.loads(line)["delivery_key"][-6:]) for line in path.read_text("utf-8").splitlines()]


async def test_a_line_is_the_whole_event_in_readable_utf8(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    event = make_event()
    ticket = await sink.open(sink.render(event, "ALE-K1"), "ALE-K1", PROGRESS)
    update = make_event(2)
    await sink.follow_up(ticket, sink.render(update, "ALE-K2"), "ALE-K2", PROGRESS)
    first, second = path.read_text("utf-8").splitlines()
    assert "屏幕碎了😡" in first
    line = json.loads(first)
    assert (line["type"], line["delivery_key"]) == ("complaint.created.v1", "ALE-K1")
    assert line["complaint"]["id"] == event.complaint_id
    assert line["event"] == {
        "id": event.id,
        "sequence": 1,
        "kind": "opened",
        "at": "2026-11-22T04:00:42Z",
        "messages": ["mail-17/1"],
        "keys": {event.id: "mail-17/1"},
        "changes": {},
    }
    assert json.loads(second)["type"] == "complaint.updated.v1"
    assert json.loads(second)["event"]["changes"] == {"priority": ["P2", "P1"]}


async def test_file_is_for_its_owner_only(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send(sink, 1)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_half_line_is_set_aside_and_the_delivery_sent_again(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send(sink, 1)
    await sink.stop()
    half = sending(sink, 2).payload[:-40]
    with path.open("ab") as file:
        file.write(half)

    sink = make()
    await sink.start()
    assert await sink.find(sending(sink, 1).key) is not None
    assert await sink.find(sending(sink, 2).key) is None
    await send(sink, 2)
    assert keys(path) == [1, 2]
    assert path.with_name("投诉.jsonl.torn").read_bytes() == half + b"\n"


async def test_file_that_is_one_half_line_longer_than_a_block(make: Make, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"type":"complaint.created.v1","x":"' + b"a" * 200_000)
    sink = make()
    await sink.start()
    await send(sink, 1)
    assert keys(path) == [1]
    assert len(path.with_name("投诉.jsonl.torn").read_bytes()) == 200_037


async def test_look_up_sees_earlier_and_own_lines_and_rotated_files(make: Make, path: Path, clock: FakeClock) -> None:
    sink = make(rotate_bytes=1)
    await sink.start()
    for number in (1, 2):
        await send(sink, number)
        clock.advance(1)
    await sink.stop()
    sink = make()
    await sink.start()
    found = [await sink.find(sending(sink, number).key) for number in (1, 2, 3)]
    assert [ticket is not None for ticket in found] == [True, True, False]
    await send(sink, 3)
    ticket = Ticket(id="ALE-K1")
    known, foreign = sending(sink, 3).key, "ALE-7K3M-Q9TX-4RWD-000004"
    assert list(await sink.find_follow_ups(ticket, [known, foreign])) == [known]


async def test_customers_words_cannot_pass_for_a_key(make: Make) -> None:
    sink = make()
    await sink.start()
    await send(sink, 1, text='"delivery_key":"ALE-FORGED"} {"delivery_key":"ALE-FORGED"')
    assert await sink.find("ALE-FORGED") is None
    assert await sink.find(sending(sink, 1).key) is not None


async def test_rotation_by_size_and_by_day_keeps_every_line(make: Make, path: Path, clock: FakeClock) -> None:
    sink = make(rotate_bytes=4000, rotate_daily=True)
    await sink.start()
    for number in range(6):
        await send(sink, number)
    clock.advance(86_400)
    await send(sink, 6)
    rotated = sorted(path.parent.glob("投诉-*.jsonl"))
    assert keys(path) == [6]
    assert sorted(key for file in rotated for key in keys(file)) == list(range(6))
    assert rotated[0].name.startswith("投诉-20261122T040000Z")


async def test_file_taken_away_by_another_rotation_is_begun_anew(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send(sink, 1)
    path.rename(path.with_suffix(".1"))
    await send(sink, 2)
    assert keys(path) == [2]
    assert keys(path.with_suffix(".1")) == [1]


async def test_two_destinations_never_share_a_file(make: Make, path: Path) -> None:
    first, second = make(), make()
    await first.start()
    with pytest.raises(ConfigError, match="another destination"):
        await second.start()
    await first.stop()
    await second.start()
    await send(second, 1)


async def test_a_link_to_the_file_is_the_same_file(make: Make, path: Path, tmp_path: Path) -> None:
    first = make()
    await first.start()
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(ConfigError):
        await make(path=tmp_path / "link.jsonl").start()


async def test_a_payload_of_two_lines_is_refused_alone(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    bad = Sending(payload=b'{"a":\n1}', key="ALE-BAD", ticket=None)
    good, refused = await sink.send_many([sending(sink, 1), bad])
    assert isinstance(good, Ticket)
    assert isinstance(refused, Rejected)
    assert keys(path) == [1]


async def test_a_full_disk_leaves_no_half_line_and_says_not_done(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send(sink, 1)
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))  # a write past it fails halfway, as on a full disk
    try:
        results = await sink.send_many([sending(sink, 2), sending(sink, 3)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [type(result) for result in results] == [Unavailable] * 2
    assert path.stat().st_size == size
    await send(sink, 2, 3)
    assert keys(path) == [1, 2, 3]


async def test_look_up_waits_for_an_append_that_was_given_up(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make()
    await sink.start()
    entered, go_on = threading.Event(), threading.Event()
    real = os.fsync

    def slow(descriptor: int) -> None:
        entered.set()
        go_on.wait(10)
        real(descriptor)

    monkeypatch.setattr("sink._lines.os.fsync", slow)
    append = asyncio.create_task(sink.send_many([sending(sink, 1)]))
    await sink.context.blocking(entered.wait, 10)
    append.cancel()
    look_up = asyncio.create_task(sink.find(sending(sink, 1).key))
    go_on.set()
    assert await look_up is not None


async def test_check_names_what_is_wrong_and_creates_nothing(make: Make, path: Path, tmp_path: Path) -> None:
    identity = await make().check()
    assert identity.account == str(path)
    assert not path.parent.exists()
    with pytest.raises(ConfigError, match="not a file"):
        await make(path=tmp_path).check()


async def test_a_folder_in_the_way_is_a_config_error(make: Make, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError):
        await make().start()


def test_killed_while_writing_it_doubles_and_tears_nothing(path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from allears_sdk.testing import make_context
from allears_sdk.sink import Sending
from sink.jsonl import JsonlSettings, JsonlSink
async def main():
    path = Path(sys.argv[1])
    sink = JsonlSink(JsonlSettings(sink="jsonl", path=path), make_context("x", path.parent))
    await sink.start()
    for number in range(int(sys.argv[2]), 100_000):
        key = f"ALE-{number:06}"
        if await sink.find(key) is None:
            payload = b'{"type":"t","delivery_key":"%s","p":"%s"}' % (key.encode(), b"x" * 9000)
            await sink.send_many([Sending(payload=payload, key=key, ticket=None)])
        print(number, flush=True)
asyncio.run(main())
"""
    done = 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(done)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            done = int(line)
            if done % 50 == 49:
                break
        child.kill()
        rest, _ = child.communicate()
        done = max([done, *map(int, rest.split())])
    text = path.read_text()
    written = [int(json.loads(line)["delivery_key"][4:]) for line in text[: text.rfind("\n")].splitlines()]
    assert written[: done + 1] == list(range(done + 1))
    assert len(written) == len(set(written))
