"""Windows of budgets, and who may spend what in them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.budget import Budget, Period
from allears_sdk.errors import OverBudget, RetryLater
from allears_sdk.quota import Quota
from allears_sdk.testing import FakeClock, MemoryLedger

DAILY = Budget(account="youtube:project 1234", unit="units", most=5, period=Period.DAY, zone="America/Los_Angeles")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.fixture
def accounts(clock: FakeClock) -> Accounts:
    return Accounts(MemoryLedger(), Quotas(), clock)


@pytest.mark.parametrize(
    ("period", "zone", "now", "since", "until"),
    [
        ("hour", "UTC", "2026-11-22T12:34:56", "2026-11-22T12:00", "2026-11-22T13:00"),
        ("hour", "Asia/Kolkata", "2026-11-22T12:34:56", "2026-11-22T12:00", "2026-11-22T13:00"),
        ("day", "UTC", "2026-11-22T00:00", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("day", "Asia/Shanghai", "2026-11-22T15:59:59", "2026-11-21T16:00", "2026-11-22T16:00"),
        ("day", "Asia/Shanghai", "2026-11-22T16:00", "2026-11-22T16:00", "2026-11-23T16:00"),
        ("day", "America/Los_Angeles", "2026-11-01T12:00", "2026-11-01T07:00", "2026-11-02T08:00"),  # 25 hours
        ("day", "America/Los_Angeles", "2026-03-08T12:00", "2026-03-08T08:00", "2026-03-09T07:00"),  # 23 hours
        ("month", "UTC", "2026-12-31T23:59:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "UTC", "2028-02-29T00:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "America/Los_Angeles", "2026-11-22T12:00", "2026-11-01T07:00", "2026-12-01T08:00"),
    ],
)
def test_windows_follow_the_vendors_calendar(period: str, zone: str, now: str, since: str, until: str) -> None:
    budget = replace(DAILY, period=Period(period), zone=zone)
    window = budget.window(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (window.since, window.until) == tuple(
        datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (since, until)
    )
    assert budget.window(window.since) == window
    assert budget.window(window.until) != window


async def test_what_is_over_the_budget_is_postponed_to_the_next_window(accounts: Accounts, clock: FakeClock) -> None:
    assert [await accounts.spend(DAILY, 2) for _ in range(2)] == [3, 1]
    with pytest.raises(
        OverBudget, match="5 units per day are used up: reading goes on at 2026-11-23 08:00 UTC"
    ) as over:
        await accounts.spend(DAILY, 2)
    assert isinstance(over.value, RetryLater)
    assert over.value.after_seconds == 20 * 3600
    assert over.value.until == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert await accounts.left(DAILY) == 1
    clock.advance(over.value.after_seconds)
    assert await accounts.spend(DAILY, 2) == 3


async def test_channels_of_an_account_share_its_budget_and_see_it(clock: FakeClock) -> None:
    ledger, quotas = MemoryLedger(), Quotas()
    one, two, other = (Accounts(ledger, quotas, clock) for _ in range(3))
    await one.spend(DAILY, 3)
    assert await two.spend(DAILY, 2) == 0
    with pytest.raises(OverBudget):
        await one.spend(DAILY)
    assert [quota.left for quota in one.quotas["youtube:project 1234"]] == [0]
    assert not other.quotas


async def test_what_the_vendor_calls_used_up_is_so_for_all(clock: FakeClock) -> None:
    ledger, quotas = MemoryLedger(), Quotas()
    one, two = Accounts(ledger, quotas, clock), Accounts(ledger, quotas, clock)
    await one.spend(DAILY)
    await asyncio.gather(one.exhaust(DAILY), two.exhaust(DAILY))
    assert await two.left(DAILY) == 0
    with pytest.raises(OverBudget):
        await two.spend(DAILY)


async def test_a_quota_that_was_reset_is_whole_again(accounts: Accounts, clock: FakeClock) -> None:
    now, soon = clock.now(), clock.now() + timedelta(hours=1)
    accounts.note("reddit:ab12", Quota(name="calls", left=3, most=100, resets_at=soon, told_at=now))
    accounts.note("x:cd34", Quota(name="calls", left=3, resets_at=soon, told_at=now))
    accounts.note("meta ef56", Quota(name="percent", left=40, most=100, told_at=now))
    assert {account: [quota.left for quota in own] for account, own in accounts.quotas.items()} == {
        "meta ef56": [40],
        "reddit:ab12": [3],
        "x:cd34": [3],
    }
    clock.advance(3600)
    assert {account: [quota.left for quota in own] for account, own in accounts.quotas.items()} == {
        "meta ef56": [40],
        "reddit:ab12": [100],
    }


async def test_no_end_of_accounts_is_remembered(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allears_sdk.accounts.MOST_NOTED", 3)
    quotas = Quotas()
    for number in (1, 2, 3, 1, 4):
        quotas.note(f"shop {number}", Quota(name="calls", left=number, told_at=clock.now()))
    assert [account for account, _ in quotas.now(clock.now())] == ["shop 1", "shop 3", "shop 4"]


async def test_credentials_that_end_are_told_of_soonest_first(accounts: Accounts, clock: FakeClock) -> None:
    week, month = clock.now() + timedelta(days=7), clock.now() + timedelta(days=30)
    accounts.expires("refresh token", month, advice="log in again")
    accounts.expires("access_token", week, advice="make a new one")
    assert [one.name for one in accounts.credentials] == ["access_token", "refresh token"]
    accounts.expires("access_token", None, advice="")
    accounts.expires("refresh token", week, advice="log in again")
    assert [(one.name, one.expires_at) for one in accounts.credentials] == [("refresh token", week)]
