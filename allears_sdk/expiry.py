"""When a token ends, of a platform that tells when it is asked: asked once a day, beside hearing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError

EVERY = timedelta(days=1)


class Expiry:
    """`ask`: name of a credential → its end, None for one that has none. `advice`: what the admin does before."""

    def __init__(
        self,
        context: Context,
        ask: Callable[[], Awaitable[Mapping[str, datetime | None]]],
        *,
        advice: str,
        is_strict: bool = False,
    ) -> None:
        """`is_strict`: raise what only an admin mends, AuthError and ConfigError."""
        self._context = context
        self._ask = ask
        self._advice = advice
        self._is_strict = is_strict
        self._asked: datetime | None = None

    async def look(self) -> None:
        """What hinders it hinders nothing else: it is asked again in a day."""
        now = self._context.clock.now()
        if self._asked is not None and now - self._asked < EVERY:
            return
        self._asked = now
        try:
            ends = await self._ask()
        except AllearsError as error:
            if self._is_strict and isinstance(error, AuthError | ConfigError):
                raise
            self._context.log.info("token_not_explained", reason=str(error))
            return
        for name, at in ends.items():
            self._context.accounts.expires(name, at, advice=self._advice)
