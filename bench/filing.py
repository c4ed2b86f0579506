"""How many complaints a second each kind of destination takes, beside the same store fed without a journal; a backlog
drained; and whether a slow destination slows another.

python -m bench.filing CONFIGURATION: files a backlog as the JSON file says, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.process import Folder
from bench.servers.nats import Nats
from bench.servers.process import free_port

KINDS = ("webhook", "sql", "jsonl", "nats")
SLOW_SECONDS = 2.0
BATCH = 256


def measure(count: int, backlog: int) -> dict[str, Any]:
    """`count`: complaints for each rate; `backlog`: for the long one."""
    result: dict[str, Any] = {}
    for kind in KINDS:
        ours, floor = _filed([kind], count)[kind], _floor(kind, count)
        result[kind] = {"per_second": ours["per_second"], "ours / floor": ours["per_second"] / floor}
    result["backlog"] = _filed(["jsonl"], backlog)["jsonl"]
    result["beside a slow one"] = _beside(count)
    return result


def _beside(count: int) -> dict[str, float]:
    """With the slow one at work, and parked; in turn, so that a machine whose speed drifts favours nobody."""
    ratios = []
    for _ in range(5):
        alone = _filed(["webhook", "slow"], count, parked=["slow"])["webhook"]["per_second"]
        together = _filed(["webhook", "slow"], count)["webhook"]["per_second"]
        ratios.append(together / alone)
    return {"beside / alone": median(ratios)}


def _filed(kinds: Sequence[str], count: int, *, parked: Sequence[str] = ()) -> dict[str, dict[str, float]]:
    with Folder() as folder, _stores(folder) as stores:
        destinations = {kind: stores[kind] for kind in kinds}
        given = {"folder": str(folder), "count": count, "destinations": destinations, "parked": list(parked)}
        (folder / "given.json").write_text(json.dumps(given))
        filed: dict[str, dict[str, float]] = _child("bench.filing", str(folder / "given.json"))
        return filed


def _floor(kind: str, count: int) -> float:
    with Folder() as folder, _stores(folder) as stores:
        result: dict[str, float] = _child("bench.filing_floor", kind, json.dumps(stores[kind]), str(count), str(folder))
        return result["per_second"]


def _child(*arguments: str) -> Any:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


class _stores:  # noqa: N801  # read as a verb: with stores
    """The stores themselves, each an instant one, and the settings of their destinations."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> dict[str, dict[str, Any]]:
        self._port = free_port()
        command = [sys.executable, "-m", "bench.sinkhole", str(self._port), str(SLOW_SECONDS)]
        self._sinkhole = subprocess.Popen(command)
        self._nats = Nats() if Nats.program() else None
        if self._nats is not None:
            self._nats.start()
            asyncio.run(_add_stream(self._nats))
        _await_port(self._port)
        return {**self._destinations(), **self._brokers()}

    def _destinations(self) -> dict[str, dict[str, Any]]:
        hook = {"sink": "webhook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "allow_private_network": True}
        place = f"http://127.0.0.1:{self._port}"
        return {
            "webhook": {**hook, "url": f"{place}/fast", "concurrency": 32},
            "slow": {**hook, "url": f"{place}/slow", "concurrency": 32},
            "sql": {"sink": "sql", "url": f"sqlite:{self._folder}/complaints.db"},
            "jsonl": {"sink": "jsonl", "path": f"{self._folder}/filed.jsonl"},
        }

    def _brokers(self) -> dict[str, dict[str, Any]]:
        return {} if self._nats is None else {"nats": {"sink": "nats", "servers": [self._nats.url], "stream": "bench"}}

    def __exit__(self, *error: object) -> None:
        self._sinkhole.kill()
        self._sinkhole.wait()
        if self._nats is not None:
            self._nats.stop()


async def _add_stream(server: Nats) -> None:
    client = await server.connect()
    await client.jetstream().add_stream(name="bench", subjects=["allears.complaints.>"])
    await client.close()


def _await_port(port: int) -> None:
    import socket

    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the instant store does not start")


async def file(given: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The backlog is made first, then the couriers start, all at once."""
    from allears.context import Contexts, SystemClock
    from allears.delivery.engine import Engine
    from allears.journal.sqlite import open_journal
    from allears_sdk import registry

    clock = SystemClock()
    journal = await open_journal(Path(given["folder"]) / "data", clock)
    contexts = Contexts(journal, Path(given["folder"]) / "data", clock)
    await _hear(journal, given["count"], list(given["destinations"]))
    engine = Engine(journal, clock)
    await engine.start()
    sinks = {}
    for name, facts in given["destinations"].items():
        if name in given["parked"]:
            continue
        kind = registry.sink_class(facts["sink"])
        settings = kind.Settings.model_validate(facts)
        sinks[name] = (kind(settings, contexts.destination(name)), settings)
    began = time.monotonic()
    await engine.apply(sinks)
    counts = sqlite3.connect(Path(given["folder"]) / "data" / "journal.sqlite3")
    result = {
        name: await _drain(counts, name, given["count"], began) for name in given["destinations"] if name != "slow"
    }
    counts.close()
    await engine.stop(0.1)
    await contexts.close()
    await journal.close()
    return result


async def _drain(counts: sqlite3.Connection, name: str, count: int, began: float) -> dict[str, float]:
    """Until the destination has all; resident memory after a tenth and at the end."""
    process = psutil.Process()
    early = 0
    while (sent := _sent(counts, name)) < count:
        if not early and sent >= count / 10:
            early = process.memory_info().rss
        await asyncio.sleep(0.02)
    seconds, late = time.monotonic() - began, process.memory_info().rss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {
        "per_second": count / seconds,
        "MiB after a tenth": (early or late) / (1 << 20),
        "MiB at the end": late / (1 << 20),
        "peak MiB": peak / (1 << 20),
    }


def _sent(counts: sqlite3.Connection, name: str) -> int:
    row = counts.execute("SELECT sent FROM sent_counts WHERE destination=?", (name,)).fetchone()
    return int(row[0]) if row else 0


async def _hear(journal: Any, count: int, destinations: Sequence[str]) -> None:
    """Complaints that wait for these destinations."""
    from allears.journal.records import Deposit, Destination, Policy, Reading, Route
    from allears_sdk import codec
    from allears_sdk.connector import Threading
    from allears_sdk.message import MESSAGE_JSON, Message, Raw
    from normalizer.conversation import Draft

    policy = Policy(threading=Threading.ITEM)
    route = Route(destinations=tuple(Destination(name=name) for name in destinations))
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        raws = [
            Raw(key=f"r{number}", body=codec.encode(said(number)), media_type=MESSAGE_JSON, received_at=at(number))
            for number in numbers
        ]
        await journal.accept(Deposit(channel="reviews", raws=raws, policy=policy))
        taken = await journal.take_raws(BATCH, 8 << 20, ("reviews",))
        readings = []
        for stored in taken:
            message = codec.decode(stored.raw.body, Message)
            draft = Draft(record=record_of(message, stored.raw.received_at), files=True)
            readings.append(Reading(raw_id=stored.id, messages=(message,), draft=draft))
        await journal.join(readings, {"reviews": policy}, lambda record: route)


def said(number: int) -> Any:
    from allears_sdk.message import Author, Message

    words = "屏幕用了两天就碎了，客服一直不回复，要求退款。The screen cracked after two days, please refund. "
    return Message(external_id=f"m{number}", author=Author(id=f"c{number}", name="李雷"), text=f"{words * 3}{number}")


def record_of(message: Any, received_at: Any) -> Any:
    from allears_sdk.complaint import Complaint, Contact

    return Complaint(
        id="", title=message.text[:40], nature="complaint", received_at=received_at, description=message.text,
        contact=Contact(name="李雷", phone="13800138000"), channel="reviews", category="product.function_failure",
        priority="P2", expectation=("refund",), product_or_order="2026112200017", language="zh",
    )  # fmt: skip


def at(number: int) -> Any:
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC) + timedelta(microseconds=number)


def main() -> None:
    from bench.loop import run

    print(json.dumps(run(file(json.loads(Path(sys.argv[1]).read_text())))))


if __name__ == "__main__":
    main()
