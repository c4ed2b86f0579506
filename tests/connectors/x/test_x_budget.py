"""What is read is paid for: the count agrees with the bill, and reading stops before the budget is exceeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.errors import OutOfMoney
from allears_sdk.testing import FakeClock, MemoryLedger, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.x import XConnector
from connectors.x.walk import moment_of
from tests.connectors.x.conftest import Connect, X, make_settings

PRICES = {"post": 0.005, "user": 0.010, "media": 0.005}


def bill(x: X) -> float:
    return sum(PRICES[kind] for _, kind, _ in x.charged)


def counted(connector: XConnector) -> float:
    ((quota,),) = connector.context.accounts.quotas.values()
    assert (quota.name, quota.most) == ("USD", connector.settings.monthly_budget)
    return connector.settings.monthly_budget - quota.left


async def test_the_count_agrees_with_the_bill(x: X, connect: Connect, journal: MiniJournal, clock: FakeClock) -> None:
    x.page_items = 7
    x.media = {"3_1": {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/GaBc12.jpg"}}
    for number in range(30):
        attached = {"media_keys": ["3_1"] if number == 3 else []}
        x.write(number, "@examplebrand hello", age=timedelta(minutes=30 - number), attachments=attached)
    connector = connect()
    for _ in range(3):
        await hear(connector, journal)
        clock.advance(timedelta(minutes=5))
    assert len(journal.raws) == 30
    assert counted(connector) == pytest.approx(bill(x)) == pytest.approx(30 * 0.005 + 2 * 0.010 + 0.005)


async def test_reading_stops_before_the_budget_and_goes_on_next_month_where_it_was(
    x: X, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    clock.advance(datetime(2026, 11, 30, 12, tzinfo=UTC) - clock.now())
    x.page_items = 20
    for number in range(200):
        x.write(number, "@examplebrand hello", age=timedelta(days=-8, minutes=200 - number))
    settings = {"read_own": False, "read_media": False, "monthly_budget": 0.5}
    with pytest.raises(OutOfMoney, match="monthly_budget"):
        await hear(connect(**settings), journal)
    first = len(journal.raws)
    assert 60 < first < 200
    assert bill(x) <= 0.5
    before = len(x.asked)
    with pytest.raises(OutOfMoney):
        await hear(connect(**settings), journal)
    assert len(x.asked) == before, "nothing is asked without money"
    clock.advance(timedelta(days=1))
    x.charged.clear()
    with pytest.raises(OutOfMoney):
        await hear(connect(**settings), journal)
    assert len(journal.raws) > first
    assert bill(x) <= 0.5
    await hear(connect(**settings | {"monthly_budget": 2.0}), journal)
    assert {raw.key for raw in journal.raws} == set(x.posts)


async def test_mentions_that_were_pushed_out_while_there_was_no_money_are_a_gap(
    x: X, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    settings = {"read_own": False, "read_media": False}
    await hear(connect(**settings, monthly_budget=1), journal)
    clock.advance(timedelta(hours=1))
    for number in range(100):
        x.write(number, "@examplebrand hello", age=timedelta(minutes=-number / 2))
    with pytest.raises(OutOfMoney):
        await hear(connect(**settings, monthly_budget=0.2), journal)
    reached = min(raw.key for raw in journal.raws)
    clock.advance(timedelta(days=9))
    for number in range(900):
        x.write(1000 + number, "storm", age=timedelta(days=-9, minutes=-number / 100))
    for _ in range(2):
        await hear(connect(**settings, monthly_budget=100), journal, limit=100)
    gap, later = journal.gaps
    assert (gap.since, gap.until) == (START, moment_of(reached))
    assert later.since == START + timedelta(hours=1)


async def test_channels_of_one_login_share_the_budget(
    x: X, journal: MiniJournal, clock: FakeClock, tmp_path: Path
) -> None:
    for number in range(40):
        x.write(number, "refund", age=timedelta(minutes=50 - number))
    ledger = MemoryLedger()
    contexts = [
        make_context(name, tmp_path, clock=clock, known=journal.known, accounts=Accounts(ledger, Quotas(), clock))
        for name in ("mentions", "search")
    ]
    first = XConnector(make_settings(x.url, monthly_budget=0.4), contexts[0])
    second = XConnector(make_settings(x.url, monthly_budget=0.4, searches=["refund"], read_mentions=False), contexts[1])
    await hear(first, journal)
    with pytest.raises(OutOfMoney):
        await hear(second, journal)
    for context in contexts:
        await context.remote.aclose()


async def test_a_new_token_begins_no_new_count(x: X, connect: Connect, journal: MiniJournal) -> None:
    x.write(1, "@examplebrand hello")
    await hear(connect(), journal)
    x.tokens = {"AAAAnother"}
    assert "999.97 of" in str((await connect(bearer_token="AAAAnother").check()).details[0])


async def test_who_the_account_is_is_paid_for_once(x: X, connect: Connect) -> None:
    for _ in range(3):
        await connect().streams()
    assert len(x.asked) == 1


async def test_check_says_what_reading_costs_and_what_is_left(connect: Connect) -> None:
    identity = await connect(searches=["refund"], monthly_budget=25).check()
    assert identity.account == "@examplebrand (4711)"
    assert [str(one) for one in identity.details] == [
        "USD 24.99 of 25.00 left this month",
        "USD 0.015 for a mention with its author",
        "USD 0.015 for a post found with its author",
    ]


@pytest.mark.parametrize(("status", "kind"), [(429, "usage-capped"), (402, "credits-depleted")])
async def test_credits_that_are_used_up_at_x_stop_too(
    x: X, connect: Connect, journal: MiniJournal, status: int, kind: str
) -> None:
    connector = connect()
    await connector.streams()
    x.fail(status, "UsageCapExceeded", kind)
    with pytest.raises(OutOfMoney, match="credits") as told:
        await hear(connector, journal)
    assert told.value.after_seconds == 3600
    x.write(1, "@examplebrand refund")
    await hear(connector, journal)
    assert len(journal.raws) == 1


async def test_an_answer_that_is_lost_costs_nothing_here(x: X, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await connector.streams()
    before = counted(connector)
    x.fail(400, "Bad Request")
    with pytest.raises(Exception, match="400"):
        await hear(connector, journal)
    assert counted(connector) == before
