"""Housekeeping goes on by itself: what is old, what is forgotten, what nobody names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears import housekeeping
from allears.housekeeping import Housekeeping, keep_of
from allears.journal import oblivion, sweeping
from allears.journal.retention import FILES, ORIGINALS, PAYLOADS
from allears.settings.retention_section import RetentionSection
from tests.journal.desk import LI, Desk
from tests.journal.test_forgetting import LARGE, age_files, found, li, read_all, traces


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = await Desk.open(tmp_path / "data")
    yield desk
    await desk.close()


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(housekeeping, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(housekeeping, "LOOK_SECONDS", 0.01)


def keeper(desk: Desk, **days: float) -> Housekeeping:
    return Housekeeping(desk.journal, desk.clock, RetentionSection(**days))


async def standing(desk: Desk) -> dict[str, int]:
    return {one.name: one.erased for one in await desk.journal.upkeep.standing()}


async def fill(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("k1", li("1", LARGE)), desk.raw("k2", li("2")))
    await read_all(desk)
    await desk.send_all("jsonl")
    await desk.send_all("hook")
    age_files(desk.folder)


async def test_a_round_takes_what_is_old_and_says_so(desk: Desk) -> None:
    await fill(desk)
    house = keeper(desk)
    desk.clock.advance(timedelta(days=89))
    await house.tidy()
    assert await standing(desk) == {ORIGINALS: 0, PAYLOADS: 4, FILES: 0}
    desk.clock.advance(timedelta(days=2))
    await house.tidy()
    assert await standing(desk) == {ORIGINALS: 2, PAYLOADS: 4, FILES: 1}
    assert desk.blobs() == []
    assert {one.at for one in await desk.journal.upkeep.standing()} == {desk.clock.now()}


async def test_settings_are_taken_over_while_it_runs(desk: Desk) -> None:
    await fill(desk)
    house = keeper(desk, originals_days=0, payload_days=0)
    desk.clock.advance(timedelta(days=4000))
    await house.tidy()
    assert (await standing(desk))[ORIGINALS] == 0
    house.settings = RetentionSection(originals_days=30)
    await house.tidy()
    assert (await standing(desk))[ORIGINALS] == 2


async def test_files_wait_for_a_backup(desk: Desk) -> None:
    await fill(desk)
    house = keeper(desk)
    desk.clock.advance(timedelta(days=91))
    with sweeping.held(desk.folder):
        await house.tidy()
    assert len(desk.blobs()) == 1
    desk.clock.advance(timedelta(hours=1))
    await house.tidy()
    assert desk.blobs() == []


async def test_it_goes_on_with_a_forgetting_and_lasts(desk: Desk) -> None:
    await fill(desk)
    oblivion.begin(desk.folder, found(desk, LI).plan, "test", 1.0)
    task = asyncio.create_task(keeper(desk).run())
    for _ in range(1000):
        if not await desk.journal.upkeep.to_forget():
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert oblivion.compact(desk.folder, 1.0, is_daemon_up=True)
    assert traces(desk.folder) == []


def test_days_are_seconds_and_nothing_is_for_ever() -> None:
    keep = keep_of(RetentionSection(originals_days=1, payload_days=0))
    assert (keep.originals, keep.payloads) == (86_400.0, None)
