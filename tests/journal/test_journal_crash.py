"""Killed at random points: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from tests.journal.desk import Desk
from tests.journal.victim import CUSTOMERS

ROOT = Path(__file__).parents[2]
KILLS = 20
ROUND = 100_000
"""More than a customer says in one life."""


async def live_and_die(folder: Path, life: int, seconds: float) -> list[str]:
    """Run the victim, kill it after so long; the keys it had acknowledged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journal.victim", str(folder), str(life * ROUND),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    first = await process.stdout.readline()
    assert first == b"ready\n", (await process.stderr.read()).decode()
    await asyncio.sleep(seconds)
    assert process.returncode is None, (await process.stderr.read()).decode()
    process.kill()
    output, errors = await process.communicate()
    assert errors == b""
    return output.decode().splitlines()[: output.count(b"\n")]


@pytest.mark.crash
@pytest.mark.timeout(180)
async def test_what_was_acknowledged_before_a_kill_is_there_once(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    told: list[str] = []
    for life in range(KILLS):
        told += await live_and_die(tmp_path / "data", life, chance.uniform(0.0, 0.2))
    assert len(told) == len(set(told)) > KILLS
    await check(await Desk.open(tmp_path / "data"), told)


async def check(desk: Desk, told: list[str]) -> None:
    rows = desk.rows("SELECT raw_key, count(*) FROM raws GROUP BY raw_key")
    stored = {key for key, _ in rows}
    assert set(told) <= stored, "nothing that was acknowledged is lost"
    assert {times for _, times in rows} == {1}
    assert len(stored) - len(set(told)) <= KILLS * CUSTOMERS, "at most what was on its way when it died"
    for number in range(CUSTOMERS):
        newest = max(int(key.partition("/")[2]) for key in stored if key.startswith(f"{number}/"))
        assert await desk.journal.cursor("review", f"{number}") == {"version": 1, "at": newest}
    await desk.journal.recover()
    for taken in await desk.take(limit=1_000_000, max_bytes=1 << 40):
        whole = await desk.journal.raw(taken.id)
        assert whole is not None
        await desk.join([desk.reading(whole)])
    await check_filing(desk, len(stored))
    await desk.close()


async def check_filing(desk: Desk, messages: int) -> None:
    assert desk.rows("SELECT count(*), count(DISTINCT external_id), count(event_id) FROM messages") == [
        (messages, messages, messages)
    ]
    assert desk.rows("SELECT count(*) FROM complaints") == [(messages,)]
    desk.clock.advance(3600)
    await desk.send_all()
    sent = desk.rows(
        "SELECT count(*), count(DISTINCT event_id) FROM deliveries WHERE destination='jsonl' AND state='sent'"
    )
    assert sent == [(messages, messages)]
    assert desk.rows("PRAGMA integrity_check") == [("ok",)]
