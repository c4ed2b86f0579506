"""How we stand with vendors: what is left of their quotas, and which credentials end soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from allears_sdk.accounts import Accounts, Credential, Quotas
from allears_sdk.clock import Clock
from allears_sdk.quota import Quota

LOOK_SECONDS = 60.0
AGAIN = timedelta(days=1)

log = structlog.get_logger("allears.standing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    kind: str
    """channel or destination."""
    name: str
    accounts: Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    kind: str
    name: str
    """Whose it is."""
    credential: Credential


class Standing:
    """Runs beside the stages until it is cancelled."""

    def __init__(
        self, quotas: Quotas, holders: Callable[[], Iterable[Holder]], clock: Clock, *, warning: timedelta
    ) -> None:
        self.warning = warning
        self._quotas = quotas
        self._holders = holders
        self._clock = clock
        self._warned: dict[tuple[str, str, str], datetime] = {}

    @property
    def quotas(self) -> Sequence[tuple[str, Quota]]:
        """Account and what is left to it."""
        return self._quotas.now(self._clock.now())

    @property
    def credentials(self) -> Sequence[Held]:
        """All whose end is known."""
        return [
            Held(kind=holder.kind, name=holder.name, credential=credential)
            for holder in self._holders()
            for credential in holder.accounts.credentials
        ]

    async def run(self) -> None:
        while True:
            self.warn()
            await asyncio.sleep(LOOK_SECONDS)

    def warn(self) -> None:
        """Of each credential that ends soon, once a day."""
        now, warned = self._clock.now(), self._warned
        self._warned = {}
        for held in self.credentials:
            left = held.credential.expires_at - now
            if left > self.warning:
                continue
            key = (held.kind, held.name, held.credential.name)
            last = warned.get(key)
            self._warned[key] = last if last is not None and now - last < AGAIN else now
            if self._warned[key] is not last:
                _say(held, left)


def _say(held: Held, left: timedelta) -> None:
    credential = held.credential
    facts = {held.kind: held.name, "credential": credential.name, "expires_at": credential.expires_at.isoformat()}
    if left > timedelta(0):
        log.warning("credential_expires", **facts, days_left=left.days, advice=credential.advice)
    else:
        log.error("credential_expired", **facts, advice=credential.advice)
