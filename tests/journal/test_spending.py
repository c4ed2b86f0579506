"""What accounts have used up, counted on disk before it is used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from allears_sdk.budget import Budget, Period, Window
from tests.journal.desk import Desk

DAILY = Budget(account="youtube:project 1234", unit="units", most=10, period=Period.DAY, zone="America/Los_Angeles")
MONTHLY = Budget(account="youtube:project 1234", unit="USD/1000000", most=50_000_000, period=Period.MONTH)
TODAY = DAILY.window(datetime(2026, 11, 22, 12, tzinfo=UTC))
TOMORROW = DAILY.window(datetime(2026, 11, 23, 12, tzinfo=UTC))


async def test_it_is_counted_up_to_the_most(desk: Desk) -> None:
    ledger = desk.journal.spending
    assert [await ledger.spend(DAILY, TODAY, 4) for _ in range(3)] == [4, 8, None]
    assert await ledger.spent(DAILY, TODAY) == 8
    assert await ledger.spend(DAILY, TODAY, 2) == 10


async def test_the_next_window_begins_with_none(desk: Desk) -> None:
    ledger = desk.journal.spending
    assert await ledger.spend(DAILY, TODAY, 10) == 10
    assert await ledger.spend(DAILY, TOMORROW, 10) == 10
    assert await ledger.spent(DAILY, TODAY) == 10


async def test_accounts_and_units_are_counted_apart(desk: Desk) -> None:
    ledger, month = desk.journal.spending, MONTHLY.window(TODAY.since)
    other = replace(DAILY, account="youtube:project 5678")
    assert await ledger.spend(DAILY, TODAY, 10) == 10
    assert await ledger.spend(other, TODAY, 1) == 1
    assert await ledger.spend(MONTHLY, month, 5_000) == 5_000
    assert await ledger.spent(DAILY, TODAY) == 10


async def test_each_spends_up_to_its_own_most_from_one_count(desk: Desk) -> None:
    ledger, careful = desk.journal.spending, replace(DAILY, most=3)
    assert await ledger.spend(DAILY, TODAY, 3) == 3
    assert await ledger.spend(careful, TODAY, 1) is None
    assert await ledger.spend(DAILY, TODAY, 1) == 4


async def test_what_was_not_used_is_given_back(desk: Desk) -> None:
    ledger = desk.journal.spending
    await ledger.spend(DAILY, TODAY, 9)
    assert await ledger.spend(DAILY, TODAY, -4) == 5
    assert await ledger.spend(DAILY, TODAY, -40) == 0
    assert await ledger.spend(replace(DAILY, most=0), TODAY, -1) == 0


async def test_what_was_spent_is_spent_after_a_crash(desk: Desk) -> None:
    await desk.journal.spending.spend(DAILY, TODAY, 10)
    await desk.reopen()
    assert await desk.journal.spending.spent(DAILY, TODAY) == 10
    assert await desk.journal.spending.spend(DAILY, TODAY, 1) is None


async def test_many_at_once_spend_no_more_than_there_is(desk: Desk) -> None:
    wanted = (desk.journal.spending.spend(DAILY, TODAY, 1) for _ in range(40))
    results = await asyncio.gather(*wanted)
    assert sorted(result for result in results if result is not None) == list(range(1, 11))


async def test_two_processes_share_one_budget(desk: Desk) -> None:
    beside = await Desk.open(desk.folder, desk.clock, exclusive=False)
    try:
        assert await beside.journal.spending.spend(DAILY, TODAY, 10) == 10
        assert await desk.journal.spending.spend(DAILY, TODAY, 1) is None
    finally:
        await beside.close()


async def test_windows_long_past_are_forgotten(desk: Desk) -> None:
    ledger = desk.journal.spending
    await ledger.spend(DAILY, TODAY, 1)
    later = DAILY.window(datetime(2028, 2, 1, tzinfo=UTC))
    await ledger.spend(DAILY, later, 1)
    assert await ledger.spent(DAILY, TODAY) == 0
    assert await ledger.spent(DAILY, Window(since=later.since, until=later.until)) == 1
