"""One visit to the maildrop: a session in the pool, killed when it takes too long or nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.mail.wire import Broken
from connectors.pop3.session import Session
from connectors.pop3.settings import Pop3Settings

P = ParamSpec("P")
R = TypeVar("R")

_CALL_TIMEOUTS = 20
"""One call may take this many time-outs in all: a server that trickles holds no thread for ever."""


class Visit:
    """From `enter` to `leave`; deletions count only once it has left properly."""

    def __init__(self, settings: Pop3Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._marked = 0
        self.session = Session(settings)

    @property
    def deletes(self) -> bool:
        """Mails are marked: leaving deletes them."""
        return self._marked > 0

    async def enter(self) -> None:
        await self.call(Session.open)

    async def call(self, function: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function(session, *args)` in the pool. Raises the SDK's errors."""
        try:
            async with asyncio.timeout(self._settings.timeout_seconds * _CALL_TIMEOUTS):
                return await self._context.blocking(partial(self.session.run, function, *args, **kwargs))
        except TimeoutError:
            self.session.kill()
            raise Broken(f"{self._settings.host} takes too long") from None
        except AllearsError:
            raise
        except BaseException:  # cancelled: the thread may be in the middle of an answer
            self.session.kill()
            raise

    async def remove(self, numbers: list[int]) -> None:
        """Mark these for deletion."""
        if not numbers:
            return
        refused = await self.call(Session.delete, numbers)
        self._marked += len(numbers) - len(refused)
        if refused:
            self._context.log.warning("mail_not_removed", count=len(refused))

    async def leave(self) -> None:
        """A good-bye that is lost hurts nobody: what was not deleted is recognised and deleted next time."""
        try:
            await self.call(Session.quit)
        except AllearsError as error:
            if self._marked:
                self._context.log.warning("mail_not_removed", count=self._marked, cause=str(error))
        finally:
            self.kill()

    def kill(self) -> None:
        self.session.kill()
