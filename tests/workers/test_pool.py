"""Worker processes: what dies or hangs there harms nobody here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from allears.workers.pool import WorkerLost, Workers
from tests.workers.poison import die, double, fail, hang, pid


async def test_work_is_done_in_another_process() -> None:
    workers = Workers(1)
    assert await workers.run(double, 21) == 42
    there = await workers.run(pid)
    assert there != os.getpid()
    assert await workers.run(pid) == there, "an idle worker is used again"


async def test_no_more_processes_than_asked_for() -> None:
    workers = Workers(2)
    await asyncio.gather(*(workers.run(double, number) for number in range(20)))
    assert len({await workers.run(pid) for _ in range(5)}) <= 2


async def test_there_is_always_one() -> None:
    assert Workers().count == max(1, (os.cpu_count() or 2) - 1)
    assert Workers(3).count == 3


async def test_a_worker_that_dies_is_lost_and_replaced() -> None:
    workers = Workers(1)
    with pytest.raises(WorkerLost, match="died"):
        await workers.run(die, 9)
    assert await workers.run(double, 2) == 4


async def test_a_worker_that_hangs_is_given_up_and_replaced() -> None:
    workers = Workers(1, timeout_seconds=1)
    with pytest.raises(WorkerLost, match="longer than 1 s"):
        await workers.run(hang, 60)
    assert await Workers(1).run(double, 2) == 4


async def test_waiting_for_a_worker_is_not_working() -> None:
    """A short time limit is for the step itself, not for the queue before it."""
    workers = Workers(1, timeout_seconds=1)
    await workers.run(pid)
    await asyncio.gather(*(workers.run(hang, 0.3) for _ in range(5)))


async def test_an_error_comes_back_as_it_was() -> None:
    with pytest.raises(ValueError, match="订单号"):
        await Workers(1).run(fail, "订单号")


async def test_cancelling_is_quick() -> None:
    workers = Workers(1)
    await workers.run(pid)
    task = asyncio.create_task(workers.run(hang, 60))
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task


LIGHT = """
import asyncio, json
from allears.workers.pool import Workers
from allears.workers.tasks import derive_records, read_raws

async def main():
    workers = Workers(1)
    await workers.run(read_raws, []), await workers.run(derive_records, [])
    print(json.dumps(await workers.run(eval, "sorted(__import__('sys').modules), __import__('os').nice(0)")))

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_worker_is_light_and_polite(tmp_path: Path) -> None:
    """No web server, no settings models: it only reads and normalises, and lets accepting go first."""
    script = tmp_path / "light.py"
    script.write_text(LIGHT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=True)
    modules, niceness = json.loads(done.stdout)
    heavy = {"aiohttp", "pydantic", "httpx", "sqlite3", "openpyxl", "jinja2", "cryptography", "imapclient"}
    assert "normalizer.derive" in modules
    assert not heavy & set(modules)
    assert niceness > os.nice(0)
