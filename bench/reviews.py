"""Reviews from a paged API, all new: into the journal alone, and by the whole daemon until the last is normalised;
beside airbyte-cdk reading the same pages, where it is.

python -m bench.reviews FOLDER COUNT: reads them into a journal in FOLDER, and prints what came of it as JSON.

ALLEARS_BENCH_AIRBYTE names the Python of a virtual environment that holds airbyte-cdk.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from allears.daemon import GARBAGE_THRESHOLD, SWITCH_SECONDS
from bench.loop import run
from bench.posts import middle, surroundings
from bench.process import Folder, Process, wait_for_port
from bench.servers.process import free_port
from bench.servers.reviews import APP

AIRBYTE = "ALLEARS_BENCH_AIRBYTE"
LOOK_SECONDS = 0.02
MOST_SECONDS = 300.0
CHANNEL = """
[channels.play]
connector = "google_play"
calls_per_hour = 100_000
url = "{url}"
interval_seconds = 3600
[channels.play.apps]
"{app}" = "示例商城"
[channels.play.oauth]
provider = "custom"
grant = "client_credentials"
client_id = "bench"
client_secret = "bench-secret"
token_url = "{url}/token"
"""
DAEMON = """
[allears]
data_folder = "data"
[public]
port = {public}
[admin]
port = {admin}
"""

Progress = list[tuple[float, int]]


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Rows a second: from the first page to the last row, and between the first and the last tenth of them
    (`sustained`). Memory before, at half and at the end. Rounds in turn, so that a machine whose speed drifts favours
    nobody."""
    python = os.environ.get(AIRBYTE, "")
    journaled, normalised, peer = [], [], []
    with _served(count) as url:
        for _ in range(rounds):
            journaled.append(_journaled(url, count))
            normalised.append(_normalised(url, count))
            if python:
                peer.append(_peer(python, url, count))
    result: dict[str, Any] = {"rows": count, "journaled": middle(journaled), "normalised": middle(normalised)}
    if not peer:
        return {**result, "airbyte-cdk": f"not measured: {AIRBYTE} names no Python that has it"}
    ratios = {
        name: median(mine["sustained"] / theirs["sustained"] for mine, theirs in zip(ours, peer, strict=True))
        for name, ours in (("journaled / airbyte-cdk", journaled), ("normalised / airbyte-cdk", normalised))
    }
    return {**result, "airbyte-cdk": middle(peer), **ratios}


@contextmanager
def _served(count: int) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "bench.servers.reviews", str(port), str(count)]
    with subprocess.Popen(command, env={**os.environ, **surroundings()}) as server:
        try:
            wait_for_port(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _journaled(url: str, count: int) -> dict[str, float]:
    with Folder() as folder:
        (folder / "allears.toml").write_text(CHANNEL.format(url=url, app=APP))
        return _child([sys.executable, "-m", "bench.reviews", str(folder), str(count)])


def _child(command: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **surroundings()})
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _normalised(url: str, count: int) -> dict[str, float]:
    public = free_port()
    with Folder() as folder:
        text = DAEMON.format(public=public, admin=free_port()) + CHANNEL.format(url=url, app=APP)
        (folder / "allears.toml").write_text(text)
        with Process(["allears", "run", "--config", "allears.toml"], folder, public, surroundings()) as process:
            before = _cpu_seconds(process.pid)
            result = _watched(folder / "data" / "journal.sqlite3", process.measure, count)
            spent = [after - earlier for after, earlier in zip(_cpu_seconds(process.pid), before, strict=True)]
            own, workers = (1000 * seconds / count for seconds in spent)
            return {**result, "daemon_cpu_ms_per_row": own, "workers_cpu_ms_per_row": workers}


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """Of the daemon, and of its workers."""
    one = psutil.Process(pid)
    times = [process.cpu_times() for process in (one, *one.children(recursive=True))]
    own, *workers = (each.user + each.system for each in times)
    return own, sum(workers)


def _watched(file: Path, weigh: Callable[[], int], count: int) -> dict[str, float]:
    """Until that many are normalised: filed, or kept as needing no ticket."""
    sql = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
    query = "SELECT (SELECT count(*) FROM complaints) + (SELECT count(*) FROM unfiled), (SELECT stored FROM channels)"
    progress, stored, weights = [(time.perf_counter(), 0)], [(time.perf_counter(), 0)], [weigh()]
    while progress[-1][1] < count and progress[-1][0] - progress[0][0] < MOST_SECONDS:
        time.sleep(5 * LOOK_SECONDS)
        done, seen = sql.execute(query).fetchone()
        progress.append((time.perf_counter(), done))
        stored.append((time.perf_counter(), seen or 0))
        weights.append(weigh())
    sql.close()
    return {
        **_rates(progress, count),
        "stored_meanwhile": _sustained(stored),
        **_memory(weights),
        "lost": float(count - progress[-1][1]),
    }


def _peer(python: str, url: str, count: int) -> dict[str, float]:
    script = Path(__file__).parent / "airbyte.py"
    return _child([python, str(script), url, APP, str(count)])


def _rates(progress: Progress, count: int) -> dict[str, float]:
    begun = next((at for (at, _), (_, following) in pairwise(progress) if following), 0.0)
    return {"per_second": count / max(progress[-1][0] - begun, 1e-9), "sustained": _sustained(progress)}


def _sustained(progress: Progress) -> float:
    last = progress[-1][1]
    inner = [(at, count) for at, count in progress if last / 10 <= count <= last * 9 / 10]
    if len(inner) < 2:
        return 0.0
    (began, first), (ended, final) = inner[0], inner[-1]
    return (final - first) / (ended - began)


def _memory(weights: Sequence[int]) -> dict[str, float]:
    half = weights[len(weights) // 2]
    return {"begin_mib": weights[0] / 2**20, "half_mib": half / 2**20, "end_mib": weights[-1] / 2**20}


async def _read(folder: Path, count: int) -> dict[str, float]:
    """Intake and journal as the daemon has them; nobody reads what they store."""
    from allears.context import Contexts, SystemClock
    from allears.intake.intake import Intake
    from allears.intake.timing import Timing
    from allears.journal.sqlite import open_journal
    from allears.settings import load

    clock = SystemClock()
    journal = await open_journal(folder, clock)
    contexts = Contexts(journal, folder, clock)
    intake = Intake(journal, contexts, Timing(clock=clock))
    await intake.start()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    weigh = psutil.Process().memory_info
    progress, weights = [(time.perf_counter(), 0)], [weigh().rss]
    cpu = time.process_time()
    await intake.apply(load(folder / "allears.toml").channels)
    while progress[-1][1] < count and progress[-1][0] - progress[0][0] < MOST_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        progress.append((time.perf_counter(), await _stored(journal)))
        weights.append(weigh().rss)
    cpu = 1000 * (time.process_time() - cpu) / count
    await intake.stop()
    await contexts.close()
    await journal.close()
    lost = float(count - progress[-1][1])
    return {**_rates(progress, count), "cpu_ms_per_row": cpu, **_memory(weights), "lost": lost}


async def _stored(journal: Any) -> int:
    return sum(row.stored for row in await journal.channels())


def main() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    print(json.dumps(run(_read(Path(sys.argv[1]), int(sys.argv[2])))))


if __name__ == "__main__":
    main()
