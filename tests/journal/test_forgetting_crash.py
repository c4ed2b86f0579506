"""Killed while it forgets, again and again: whoever goes on ends it, and nobody else has lost anything."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from allears.journal import oblivion
from tests.journal.desk import LI, Desk, said
from tests.journal.test_forgetting import fill, found, li, rows_of, search, traces

ROOT = Path(__file__).parents[2]
KILLS = 12


async def forget_and_die(folder: Path, customer: str, steps: int) -> bool:
    """Run the forgetter and kill it after so many lines; whether it had ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journal.forgetter", str(folder), customer,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    line = b""
    for _ in range(steps):
        line = await process.stdout.readline()
        if line in (b"", b"done\n"):
            break
    if process.returncode is None:
        process.kill()
    _, errors = await process.communicate()
    assert errors == b""
    return line == b"done\n"


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_killed_while_it_forgets(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    desk = await Desk.open(tmp_path / "data")
    others = await fill(desk)
    for n in range(60):
        await desk.hear("mail", f"more-{n}", li(f"more-{n}"))
    before = rows_of(desk, others)
    await desk.close()
    customer = LI
    for _ in range(KILLS):
        if await forget_and_die(desk.folder, customer, chance.randint(1, 12)):
            break
        customer = "-"
    while not await forget_and_die(desk.folder, "-", 10_000):
        pass
    after = await Desk.open(desk.folder)
    assert after.blobs() == []
    assert traces(desk.folder) == []
    assert rows_of(after, others) == before
    assert search(after, LI) is None
    assert after.rows("PRAGMA integrity_check") == [("ok",)]
    await after.close()


async def test_a_daemon_that_writes_meanwhile_loses_nothing(desk: Desk) -> None:
    """Steps of the command and of the daemon in turn, a message accepted and filed between each."""
    others = await fill(desk)
    before = rows_of(desk, others)
    oblivion.begin(desk.folder, found(desk, LI).plan, "test", 1.0)
    heard = 0
    while await desk.journal.upkeep.forget_on():
        heard += 1
        assert await desk.hear("review", f"new-{heard}", said(f"耳机没有声音 {heard}", f"new-{heard}"))
        await desk.send_all()
        if heard > 20:
            break
    assert heard >= 1
    assert desk.rows("SELECT count(*) FROM messages WHERE external_id LIKE 'new-%'") == [(heard,)]
    assert rows_of(desk, others)["messages"] == before["messages"]
