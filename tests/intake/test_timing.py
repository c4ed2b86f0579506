"""Quiet hours, back-off and the poll schedule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from allears.intake.schedule import IntervalSchedule
from allears.intake.timing import Backoff, QuietHours


@pytest.mark.parametrize(
    ("span", "zone", "now", "is_quiet"),
    [
        ("22:00-06:00", "Asia/Shanghai", datetime(2026, 3, 1, 14, 0, tzinfo=UTC), True),
        ("22:00-06:00", "Asia/Shanghai", datetime(2026, 3, 1, 21, 59, tzinfo=UTC), True),
        ("22:00-06:00", "Asia/Shanghai", datetime(2026, 3, 1, 22, 0, tzinfo=UTC), False),
        ("22:00-06:00", "Asia/Shanghai", datetime(2026, 3, 1, 13, 59, tzinfo=UTC), False),
        ("12:00-13:30", "Europe/Berlin", datetime(2026, 7, 1, 10, 0, tzinfo=UTC), True),
        ("12:00-13:30", "Europe/Berlin", datetime(2026, 1, 1, 10, 0, tzinfo=UTC), False),
        ("", "UTC", datetime(2026, 1, 1, 0, 0, tzinfo=UTC), False),
        ("08:00-08:00", "UTC", datetime(2026, 1, 1, 8, 0, tzinfo=UTC), False),
    ],
)
def test_quiet_hours_are_local_and_may_span_midnight(span: str, zone: str, now: datetime, is_quiet: bool) -> None:
    assert QuietHours(span, zone).holds(now) is is_quiet


def test_full_jitter_draws_between_nothing_and_a_growing_ceiling() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(least: float, most: float) -> float:
        drawn.append((least, most))
        return most / 2

    backoff = Backoff(uniform)
    assert [backoff.delay() for _ in range(3)] == [0.5, 1, 2]
    backoff.reset()
    assert backoff.delay() == 0.5
    assert drawn == [(0, 1), (0, 2), (0, 4), (0, 1)]


async def test_the_schedule_ticks_until_cancelled() -> None:
    schedule = IntervalSchedule()
    ticks = asyncio.Semaphore(0)
    schedule.start()
    cancel = schedule.every(0.02, ticks.release)
    async with asyncio.timeout(5):
        await ticks.acquire()
        await ticks.acquire()
    cancel()
    schedule.stop()
