"""Reads that cost money: a budget for each calendar month, counted on disk before anything is bought.

What may come back is counted first, and what did not come is given back: a crash in between counts a read that nobody
saw, never the other way round. What a vendor sells once a day is counted once a day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date

from allears_sdk.budget import Budget, Period
from allears_sdk.connector import Words
from allears_sdk.context import Context
from allears_sdk.errors import OutOfMoney, OverBudget

PARTS = 1_000_000
"""Money is counted in millionths."""
LOOK_SECONDS = 3600.0
"""How often a channel without money looks again: a new month, or somebody has raised the budget of another."""


class Purchase:
    """One read that is under way."""

    def __init__(self, count: int, bought: dict[str, set[str]]) -> None:
        self.count = count
        """So many items the budget allows."""
        self.cost = 0
        self._bought = bought

    def got(self, kind: str, items: Iterable[str], price: float) -> None:
        """What came, by its ids; `price` of each. Whatever was bought today already costs nothing."""
        today = self._bought.setdefault(kind, set())
        new = set(items) - today
        today |= new
        self.cost += len(new) * in_parts(price)


class Spending:
    """Of one account, all its channels together; months are those of UTC."""

    def __init__(self, context: Context, account: str, *, monthly_budget: float, currency: str = "USD") -> None:
        self._context = context
        self._budget = Budget(
            account=account, unit=currency, most=in_parts(monthly_budget), period=Period.MONTH, parts=PARTS
        )
        self._day = date.min
        self._bought: dict[str, set[str]] = {}

    @asynccontextmanager
    async def purchase(self, price: float, *, least: int, most: int) -> AsyncIterator[Purchase]:
        """`price`: what an item costs at most, with all that comes along. Raises OutOfMoney where not even `least` can
        be paid. A read that fails costs nothing: the vendor charges for what it hands over."""
        async with self._context.tokens.lock(f"spending {self._budget.account}"):  # what is counted may come back
            window = self._budget.window(self._context.clock.now())
            reserved, count = await self._reserve(in_parts(price), least, most)
            purchase = Purchase(count, self._today())
            try:
                yield purchase
            finally:
                if window == self._budget.window(self._context.clock.now()):
                    await self._settle(purchase.cost - reserved)

    async def told(self) -> Words:
        """How much is left, for people."""
        left, most, unit = await self._context.accounts.left(self._budget), self._budget.most, self._budget.unit
        shown = f"{unit} {left / PARTS:,.2f}", f"{most / PARTS:,.2f}"
        return Words(f"{shown[0]} of {shown[1]} left this month", zh=f"本月预算还剩 {shown[0]}，共 {shown[1]}")

    async def _reserve(self, price: int, least: int, most: int) -> tuple[int, int]:
        """What was counted, and for how many items."""
        accounts = self._context.accounts
        affordable = await accounts.left(self._budget) // price if price else most
        count = max(least, min(most, affordable))
        try:
            await accounts.spend(self._budget, count * price)
        except OverBudget as error:
            raise self._out_of_money(error) from None
        return count * price, count

    async def _settle(self, more: int) -> None:
        """It may have cost more than the vendor's prices said."""
        try:
            if more:
                await self._context.accounts.spend(self._budget, more)
        except OverBudget:
            await self._context.accounts.exhaust(self._budget)

    def _out_of_money(self, error: OverBudget) -> OutOfMoney:
        budget = f"{self._budget.unit} {self._budget.most / PARTS:,.2f}"
        goes_on = f"{error.until:%Y-%m-%d} (UTC)" if error.until else "with the next month"
        return OutOfMoney(
            f"another read could exceed the monthly budget of {budget}: reading goes on {goes_on}, or with a higher "
            "monthly_budget",
            after_seconds=min(error.after_seconds or LOOK_SECONDS, LOOK_SECONDS),
            until=error.until,
        )

    def _today(self) -> dict[str, set[str]]:
        today = self._context.clock.now().date()
        if today != self._day:
            self._day, self._bought = today, {}
        return self._bought


def in_parts(amount: float) -> int:
    return round(amount * PARTS)
