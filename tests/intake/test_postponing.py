"""A poll that would exceed its account's budget is put off to the next window: said, shown, and no error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.budget import Budget, Period
from allears_sdk.connector import Batch, Cursor
from allears_sdk.testing import MemoryLedger
from tests.intake.hall import Hall, rest, until

BUDGET = Budget(account="shop:77", unit="calls", most=3, period=Period.HOUR)
TEXT = "3 calls per hour are used up: reading goes on at "


async def test_it_is_said_once_and_goes_on_by_itself(hall: Hall) -> None:
    accounts = Accounts(MemoryLedger(), Quotas(), hall.hands.clock)
    now = hall.hands.clock.now()
    seconds = (BUDGET.window(now).until - now).total_seconds()

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        await accounts.spend(BUDGET, 2)
        yield Batch()

    hall.script.poll = poll
    hall.script.streams = ("newest", "edits")
    await hall.open()
    await until(lambda: len(hall.script.polls) == 2 and hall.intake.states()["shop"].reason)
    assert hall.state() == "running"
    assert hall.intake.states()["shop"].reason.startswith(TEXT)
    hall.hands.tick()
    await rest()
    assert hall.state() == "running", "a stream that is well, or waits as well, hides nothing"
    assert hall.intake.states()["shop"].reason.startswith(TEXT)
    said = [(level, facts["cause"]) for level, event, facts in hall.log.entries if event == "postponed"]
    assert [level for level, _ in said] == ["info", "debug"], "of the second stream it is no news"
    assert not hall.said("channel_down")
    polls = len(hall.script.polls)
    hall.script.streams = ("newest",)
    hall.hands.advance(seconds - 1)
    await rest()
    assert len(hall.script.polls) == polls
    hall.hands.advance(1)
    await until(lambda: len(hall.script.polls) > polls)


async def test_a_restart_forgets_no_spending_and_says_so_again(hall: Hall, tmp_path: Path) -> None:
    ledger = hall.gate.spending
    now = hall.hands.clock.now()
    await ledger.spend(BUDGET, BUDGET.window(now), 3)
    accounts = Accounts(ledger, Quotas(), hall.hands.clock)

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        await accounts.spend(BUDGET)
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.intake.states()["shop"].reason)
    assert hall.intake.states()["shop"].reason.startswith(TEXT)
    assert len(hall.said("postponed")) == 1
