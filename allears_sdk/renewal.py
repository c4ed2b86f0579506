"""Getting a new token is finished once it has begun: a platform that replaces tokens takes the old one no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Renewals:
    """Whoever asks may be cancelled at any time; an answer that is on its way is kept all the same."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Future[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of it; it goes on though nobody waits any more."""
        renewal = asyncio.ensure_future(work)
        self._under_way.add(renewal)
        renewal.add_done_callback(self._end)
        return await asyncio.shield(renewal)

    def _end(self, renewal: asyncio.Future[Any]) -> None:
        self._under_way.discard(renewal)
        if not renewal.cancelled():
            renewal.exception()  # told to whoever still waits


async def asked_with(
    token: Callable[..., Awaitable[str]], send: Callable[[str], Awaitable[T]], is_refused: Callable[[T], bool]
) -> T:
    """What `send` answers to a token, or to the next one where that has just been refused. `token` takes `stale`."""
    first = await token()
    answer = await send(first)
    return await send(await token(stale=first)) if is_refused(answer) else answer
