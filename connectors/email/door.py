"""How hard one server is pressed by all mailboxes here: few logins at a time, and a bound on what it can hang."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

LOGINS = 8
"""At a time: after a start or an outage a thousand mailboxes come in one after another."""
LOGIN_SECONDS = 3.0
"""A login that takes longer lets the next one in: a mailbox whose login hangs holds up no other."""
CALLS = 32
"""At a time. A server that hangs takes so many of the daemon's threads and no more."""


class Door:
    """Of one server, for this process."""

    def __init__(self) -> None:
        self._logins = asyncio.Semaphore(LOGINS)
        self._inside: set[object] = set()
        self.tells = False
        """In IDLE it has told of a new mail by itself: not all do that say they can."""
        self._calls = asyncio.Semaphore(CALLS)

    @asynccontextmanager
    async def entering(self) -> AsyncIterator[None]:
        """Frames connecting and logging in."""
        await self._logins.acquire()
        login = object()
        self._inside.add(login)
        timer = asyncio.get_running_loop().call_later(LOGIN_SECONDS, self._leave, login)
        try:
            yield
        finally:
            timer.cancel()
            self._leave(login)

    def _leave(self, login: object) -> None:
        if login in self._inside:
            self._inside.remove(login)
            self._logins.release()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Frames what waits for the server in a thread."""
        async with self._calls:
            yield


_OF_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[tuple[str, int], Door]] = WeakKeyDictionary()


def door_of(host: str, port: int) -> Door:
    """One for all mailboxes at a server."""
    return _OF_LOOP.setdefault(asyncio.get_running_loop(), defaultdict(Door))[host.lower(), port]
