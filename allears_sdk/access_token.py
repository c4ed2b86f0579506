"""The access token of an application that has an id and a secret: kept while it lasts, got once for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import encode_stable
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.numbers import whole
from allears_sdk.renewal import Renewals
from allears_sdk.signing import sha256_hex

MAX_SECONDS = 366 * 86_400.0
EARLY_SECONDS = 300.0
"""A token is not used in its last minutes: the call it is for takes time, and clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the platform gave."""

    token: str
    seconds: float
    """How long it lasts from now."""


def grant_of(answer: Mapping[str, Any], refused: AllearsError, *, usual_seconds: float = 3600.0) -> Grant:
    """Of a token server's answer (RFC 6749 §5.1), whose `expires_in` may be in quotes. Raises `refused` where it holds
    no token."""
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token:
        raise refused
    lasts = seconds if isinstance(seconds, float) else float(whole(seconds, 0))
    return Grant(token=token, seconds=lasts if 0 < lasts < MAX_SECONDS else usual_seconds)


class AccessToken:
    """`identity` is all that the token depends on (platform, application), without secrets: channels with the same
    one share it. `ask` gets a new one from the platform."""

    def __init__(self, context: Context, identity: Sequence[str], ask: Callable[[], Awaitable[Grant]]) -> None:
        self._context = context
        self._name = f"access-{sha256_hex(encode_stable(list(identity)))[:24]}"
        self._ask = ask
        self._renewals = Renewals()

    async def get(self, *, stale: str = "") -> str:
        """A token that is valid for some minutes. `stale` is one that the platform has just refused: another is got,
        unless somebody has done that meanwhile. Raises what `ask` raises."""
        kept = self._usable(await self._context.tokens.get(self._name), stale)
        return kept or await self._renewals.finish(self._renew(stale))

    async def _renew(self, stale: str) -> str:
        async with self._context.tokens.lock(self._name):
            kept = self._usable(await self._context.tokens.get(self._name), stale)
            return kept or await self._keep(await self._ask())

    async def _keep(self, grant: Grant) -> str:
        usable = max(grant.seconds - EARLY_SECONDS, grant.seconds / 2)
        until = self._context.clock.now() + timedelta(seconds=usable)
        await self._context.tokens.put(self._name, {"token": grant.token, "until": until.isoformat()})
        return grant.token

    def _usable(self, kept: Mapping[str, Any] | None, stale: str) -> str:
        if not kept or kept["token"] == stale or self._context.clock.now() >= datetime.fromisoformat(kept["until"]):
            return ""
        return str(kept["token"])
