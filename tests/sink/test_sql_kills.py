"""The writer is killed again and again in the middle of its batches: nothing is there twice, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.sink.sql_places import KINDS, Place, Servers, opened, running

KILLS = 5
BATCH = 20
WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Sending, Ticket
from allears_sdk.testing import make_context
from allears_sdk.testing.records import make_event
from sink.sql import SqlSettings, SqlSink

def sending(sink, number):
    event = make_event(number % 2 + 1, who=f"mail-{number // 2}")
    key = event_key(ticket_key(event.complaint_id, "x"), event.id)
    return Sending(payload=sink.render(event, key), key=key, ticket=None)

async def main():
    settings = SqlSettings(url=sys.argv[1], password=sys.argv[2] or None)
    sink = SqlSink(settings, make_context("x", Path(sys.argv[3])))
    await sink.start()
    for first in range(int(sys.argv[4]), 1_000_000, int(sys.argv[5])):
        numbers = range(first, first + int(sys.argv[5]))
        results = await sink.send_many([sending(sink, number) for number in numbers])
        if not all(isinstance(result, Ticket) for result in results):
            sys.exit(f"{results}")
        print(first + int(sys.argv[5]), flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    yield from running()


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> AsyncIterator[Place]:
    async for one in opened(request.param, servers, tmp_path):
        yield one


def write_until_killed(place: Place, folder: Path, done: int, batches: int) -> int:
    """From number `done` on; how many have surely been written."""
    url = place.url if place.kind == "sqlite" else f"{place.kind}://intake@127.0.0.1:{port(place)}/crm"
    command = [sys.executable, "-c", WRITER, url, place.password, str(folder), str(done), str(BATCH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _, line in zip(range(batches), child.stdout, strict=False):
            done = int(line)
        child.kill()
        rest, _ = child.communicate()
    return max([done, *map(int, rest.split())])


def port(place: Place) -> int:
    """The server's own: whoever waits here for the child cannot pass on what it says."""
    found: int = place.server.port  # type: ignore[attr-defined]  # of the two that have a server
    return found


async def test_killed_while_writing_it_doubles_and_loses_nothing(place: Place, tmp_path: Path) -> None:
    done = 0
    for kill in range(KILLS):
        done = write_until_killed(place, tmp_path, done, batches=3 + kill * 2)
    assert done >= KILLS * 3 * BATCH
    done = write_until_killed(place, tmp_path, done, batches=1)
    entries = place.ask("SELECT entry_key, ticket_key FROM complaint_event")
    tickets = place.ask('SELECT ticket_key, "events" FROM complaint')
    assert len({row["entry_key"] for row in entries}) == len(entries) >= done
    assert len(tickets) == len({row["ticket_key"] for row in entries})
    told = {row["ticket_key"]: row["events"] for row in tickets}
    counted: dict[str, int] = dict.fromkeys(told, 0)
    for row in entries:
        counted[row["ticket_key"]] += 1
    assert told == counted, "a row is behind its events, or ahead of them"
