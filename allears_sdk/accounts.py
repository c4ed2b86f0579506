"""What is known of accounts at vendors: budgets, counted across all channels of an account; quotas that vendors tell;
when credentials end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from allears_sdk.budget import Budget, Window
from allears_sdk.clock import Clock
from allears_sdk.errors import OverBudget
from allears_sdk.quota import Quota, quotas_of

MOST_NOTED = 10_000
"""Quotas; the house remembers no more of them at a time."""


class Ledger(Protocol):
    """The count, on disk. Part of the journal, whose methods may all raise that it cannot be written to."""

    async def spend(self, budget: Budget, window: Window, amount: int) -> int | None:
        """Count `amount` and tell what is spent in the window then; None, and nothing is counted, where that would be
        more than the budget's most. What was not used is given back as a negative amount."""

    async def spent(self, budget: Budget, window: Window) -> int:
        """In the window so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A token, key or certificate that ends."""

    name: str
    expires_at: datetime
    advice: str
    """What the admin does before."""


class Quotas:
    """Of each account what was told last. One for all channels and destinations."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Quota] = {}

    def note(self, account: str, quota: Quota) -> None:
        self._told.pop((account, quota.name), None)
        self._told[account, quota.name] = quota
        if len(self._told) > MOST_NOTED:
            del self._told[next(iter(self._told))]

    def last(self, account: str, name: str) -> Quota | None:
        return self._told.get((account, name))

    def now(self, moment: datetime) -> list[tuple[str, Quota]]:
        """Account and quota; one that has been reset since is whole, or unknown."""
        shown = [(account, _as_of(quota, moment)) for (account, _), quota in sorted(self._told.items())]
        return [(account, quota) for account, quota in shown if quota is not None]


class Accounts:
    """One channel's or destination's view of them."""

    def __init__(self, ledger: Ledger, quotas: Quotas, clock: Clock) -> None:
        self._ledger = ledger
        self._quotas = quotas
        self._clock = clock
        self._used: set[str] = set()
        self._credentials: dict[str, Credential] = {}

    async def spend(self, budget: Budget, amount: int = 1) -> int:
        """Count it before it is used: on disk when this returns. What is left; a negative amount gives back what was
        not used. Raises OverBudget, and counts nothing, where it would be too much until the window ends."""
        now = self._clock.now()
        window = budget.window(now)
        spent = await self._ledger.spend(budget, window, amount)
        if spent is None:
            self._note(budget, window, await self._ledger.spent(budget, window), now)
            raise OverBudget(
                f"{budget.most / budget.parts:.12g} {budget.unit} per {budget.period} are used up: reading goes on at "
                f"{window.until:%Y-%m-%d %H:%M} UTC",
                after_seconds=(window.until - now).total_seconds(),
                until=window.until,
            )
        return self._note(budget, window, spent, now)

    async def exhaust(self, budget: Budget) -> None:
        """The vendor says that all is used up: others have used it too. No channel asks again in this window."""
        while (left := await self.left(budget)) > 0:
            try:
                await self.spend(budget, left)
            except OverBudget:
                continue  # somebody else has spent meanwhile

    async def left(self, budget: Budget) -> int:
        now = self._clock.now()
        window = budget.window(now)
        return self._note(budget, window, await self._ledger.spent(budget, window), now)

    def note(self, account: str, quota: Quota) -> None:
        """What the vendor tells otherwise than by the headers that the client reads by itself (`quota.quotas_of`)."""
        self._used.add(account)
        self._quotas.note(account, quota)

    def hear(self, account: str, headers: Mapping[str, str]) -> None:
        """The headers (lower-case names) of an answer to a call that counts against `account`."""
        for quota in quotas_of(headers, self._clock.now()):
            self.note(account, quota)

    def told(self, account: str, name: str) -> Quota | None:
        """The newest, whoever was told it."""
        self._used.add(account)
        return self._quotas.last(account, name)

    def use(self, account: str) -> None:
        """Calls of this channel count against that account."""
        self._used.add(account)

    def expires(self, credential: str, at: datetime | None, *, advice: str) -> None:
        """When something this channel logs in with ends, so that somebody is told days ahead; None: not any more."""
        self._credentials.pop(credential, None)
        if at is not None:
            self._credentials[credential] = Credential(name=credential, expires_at=at, advice=advice)

    @property
    def credentials(self) -> list[Credential]:
        return sorted(self._credentials.values(), key=lambda one: one.expires_at)

    @property
    def quotas(self) -> Mapping[str, list[Quota]]:
        """By account, as they are now, also where another channel was told them."""
        found: dict[str, list[Quota]] = {}
        for account, quota in self._quotas.now(self._clock.now()):
            if account in self._used:
                found.setdefault(account, []).append(quota)
        return found

    def _note(self, budget: Budget, window: Window, spent: int, now: datetime) -> int:
        left = max(0, budget.most - spent)
        shown, most = left / budget.parts, budget.most / budget.parts
        quota = Quota(name=budget.unit, left=shown, most=most, resets_at=window.until, told_at=now)
        self.note(budget.account, quota)
        return left


def _as_of(quota: Quota, moment: datetime) -> Quota | None:
    if quota.resets_at is None or moment < quota.resets_at:
        return quota
    return None if quota.most is None else replace(quota, left=quota.most, resets_at=None)
