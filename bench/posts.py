"""Durable JSON posts at 64 connections: ours, the floor's, and ours while a backlog is read."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from allears.context import SystemClock
from allears.journal.records import Deposit, Policy
from allears.journal.sqlite import open_journal
from allears_sdk.connector import Threading
from allears_sdk.message import MESSAGE_JSON, Raw
from bench.process import Folder, Process
from bench.servers.process import free_port
from bench.texts import TEXTS

CONNECTIONS = 64
BACKLOG = 30_000

CONFIGURATION = """
[allears]
data_folder = "data"
[public]
port = {public}
rate_limit_per_minute = 0
[admin]
port = {admin}
[channels.form]
connector = "form"
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """Rounds in turn, so that a machine whose speed drifts favours nobody; medians of what they gave."""
    floors, ours, beside = [], [], []
    for _ in range(rounds):
        floors.append(_floor(seconds))
        ours.append(_ours(seconds, backlog=0))
        beside.append(_ours(seconds, backlog=BACKLOG))
    result: dict[str, Any] = {"floor": middle(floors), "ours": middle(ours), "beside a backlog": middle(beside)}
    result["ours / floor"] = median(
        one["per_second"] / two["per_second"] for one, two in zip(ours, floors, strict=True)
    )
    result["beside / ours"] = median(
        one["per_second"] / two["per_second"] for one, two in zip(beside, ours, strict=True)
    )
    return result


def middle(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: median(row[key] for row in rows) for key in rows[0]}


def _floor(seconds: float) -> dict[str, float]:
    port = free_port()
    with (
        Folder() as folder,
        Process(["bench.floor", str(port), "floor.sqlite3"], folder, port, surroundings()) as process,
    ):
        return drive(f"http://127.0.0.1:{port}/in/form", seconds, process)


def _ours(seconds: float, *, backlog: int) -> dict[str, float]:
    public = free_port()
    with Folder() as folder:
        text = CONFIGURATION.format(public=public, admin=free_port(), folder=folder)
        (folder / "allears.toml").write_text(text)
        if backlog:
            asyncio.run(_store(folder / "data", backlog))
        with Process(["allears", "run", "--config", "allears.toml"], folder, public, surroundings()) as process:
            before = asyncio.run(_waiting(folder / "data"))
            result = drive(f"http://127.0.0.1:{public}/in/form", seconds, process)
            after = asyncio.run(_waiting(folder / "data"))
            result["read meanwhile"] = before + result["count"] - after
        return result


def drive(url: str, seconds: float, process: Process, *more: str) -> dict[str, float]:
    """What the load, a process of its own, found; and the most memory `process` took meanwhile."""
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, ended))
    watcher.start()
    command = [sys.executable, "-m", "bench.load", url]
    options = ["--connections", str(CONNECTIONS), "--seconds", str(seconds), *more]
    answer = subprocess.run([*command, *options], check=True, capture_output=True, env=_environment())
    ended.set()
    watcher.join()
    result: dict[str, float] = json.loads(answer.stdout)
    result["peak_mib"] = process.peak_bytes / 2**20
    return result


def _watch(process: Process, ended: threading.Event) -> None:
    while not ended.wait(0.1):
        process.measure()


async def _store(folder: Path, count: int) -> None:
    """A backlog as a night's outage of the worker leaves it."""
    journal = await open_journal(folder, SystemClock())
    policy = Policy(threading=Threading.ITEM)
    for start in range(0, count, 250):
        raws = [_raw(number) for number in range(start, start + 250)]
        await journal.accept(Deposit(channel="form", raws=raws, policy=policy))
    await journal.close()


def _raw(number: int) -> Raw:
    body = json.dumps({"text": f"{TEXTS[number % len(TEXTS)]} 积压 {number}"}).encode()
    key = f"backlog-{number}"
    return Raw(key=key, body=body, media_type=MESSAGE_JSON, received_at=datetime.now(UTC), thread=key)


async def _waiting(folder: Path) -> int:
    journal = await open_journal(folder, SystemClock(), exclusive=False)
    rows = await journal.channels()
    await journal.close()
    return sum(row.waiting for row in rows)


def surroundings() -> dict[str, str]:
    """The project's folder, for `python -m bench.…` started elsewhere."""
    return {"PYTHONPATH": str(Path(__file__).parent.parent)}


def _environment() -> dict[str, str]:
    return {**os.environ, **surroundings()}
