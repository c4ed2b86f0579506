"""Money for reads: what is counted, when, and what stops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.budget import Budget, Period
from allears_sdk.context import Context
from allears_sdk.errors import OutOfMoney, Unavailable
from allears_sdk.spending import PARTS, Spending
from allears_sdk.testing import FakeClock, MemoryLedger, make_context

PRICE = 0.005


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def context(tmp_path: Path, clock: FakeClock, ledger: MemoryLedger) -> Context:
    return make_context("brand", tmp_path, clock=clock, accounts=Accounts(ledger, Quotas(), clock))


def make(context: Context, budget: float = 1.0) -> Spending:
    return Spending(context, "x:4711", monthly_budget=budget)


async def left(spending: Spending) -> str:
    return str(await spending.told())


async def buy(spending: Spending, *ids: str, price: float = PRICE, least: int = 5, most: int = 100) -> int:
    async with spending.purchase(price, least=least, most=most) as purchase:
        purchase.got("post", ids, price)
        return purchase.count


async def test_what_came_is_counted_and_the_rest_given_back(context: Context) -> None:
    spending = make(context)
    assert await buy(spending, "1", "2") == 100
    assert await left(spending) == "USD 0.99 of 1.00 left this month"


async def test_a_crash_counts_what_may_have_come(context: Context) -> None:
    spending = make(context)
    await spending.purchase(PRICE, least=5, most=100).__aenter__()  # and never comes back
    assert await left(make(context)) == "USD 0.50 of 1.00 left this month"


async def test_a_read_that_fails_costs_nothing(context: Context) -> None:
    spending = make(context)
    with pytest.raises(Unavailable):
        async with spending.purchase(PRICE, least=5, most=100):
            raise Unavailable
    assert await left(spending) == "USD 1.00 of 1.00 left this month"


async def test_the_same_item_costs_once_a_day(context: Context, clock: FakeClock) -> None:
    spending = make(context)
    for _ in range(3):
        await buy(spending, "1", "2")
    assert await left(spending) == "USD 0.99 of 1.00 left this month"
    clock.advance(timedelta(days=1))
    await buy(spending, "1", "2")
    assert await left(spending) == "USD 0.98 of 1.00 left this month"


async def test_little_money_buys_few_items_and_none_stops(context: Context) -> None:
    spending = make(context, 0.05)
    assert await buy(spending, *"abcdef") == 10
    with pytest.raises(OutOfMoney, match=r"USD 0\.05") as told:
        await buy(spending, "g")
    assert told.value.after_seconds == 3600
    assert told.value.until == datetime(2026, 12, 1, tzinfo=UTC)


async def test_it_goes_on_with_the_next_month_or_a_higher_budget(context: Context, clock: FakeClock) -> None:
    await buy(make(context, 0.05), *"abcdefghij")
    with pytest.raises(OutOfMoney):
        await buy(make(context, 0.05), "k")
    assert await buy(make(context, 0.10), "k") == 10
    clock.advance(timedelta(days=9))
    assert await buy(make(context, 0.05), "l") == 10


async def test_channels_of_an_account_share_it(tmp_path: Path, clock: FakeClock, ledger: MemoryLedger) -> None:
    contexts = [
        make_context(name, tmp_path, clock=clock, accounts=Accounts(ledger, Quotas(), clock)) for name in ("a", "b")
    ]
    await buy(make(contexts[0]), *(str(number) for number in range(100)))
    assert await left(make(contexts[1])) == "USD 0.50 of 1.00 left this month"


async def test_what_costs_more_than_was_thought_is_counted(context: Context) -> None:
    spending = make(context)
    async with spending.purchase(PRICE, least=5, most=10) as purchase:
        purchase.got("post", map(str, range(20)), PRICE)
    assert await left(spending) == "USD 0.90 of 1.00 left this month"
    async with spending.purchase(PRICE, least=5, most=10) as purchase:
        purchase.got("post", map(str, range(20, 900)), PRICE)
    assert await left(spending) == "USD 0.00 of 1.00 left this month"


async def test_nothing_is_given_back_to_another_month(context: Context, clock: FakeClock) -> None:
    spending = make(context)
    clock.advance(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC) - clock.now())
    async with spending.purchase(PRICE, least=5, most=100) as purchase:
        clock.advance(timedelta(seconds=2))
        other = Budget(account="x:4711", unit="USD", most=PARTS, period=Period.MONTH, parts=PARTS)
        await context.accounts.spend(other, 20_000)
        purchase.got("post", ["1"], PRICE)
    assert await left(spending) == "USD 0.98 of 1.00 left this month"


async def test_two_who_read_at_the_same_time_do_not_take_each_others_money(context: Context) -> None:
    spending = make(context, 0.06)
    assert await asyncio.gather(*(buy(spending, one, least=5, most=10) for one in "abc")) == [10, 10, 10]


async def test_what_is_free_is_never_out_of_money(context: Context) -> None:
    assert await buy(make(context, 0), "1", price=0.0) == 100
