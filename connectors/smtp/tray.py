"""Where sessions lay down mails and `listen` takes them up: what comes while a batch is stored goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from allears_sdk.message import Raw

MAX_RAWS = 256
MAX_BYTES = 8 << 20

Waiting = tuple[Raw, "asyncio.Future[bool]"]


class Tray:
    """Many sessions, one listener. Closed until somebody takes up what is laid down."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], Raw] = {}
        self._taken: list[asyncio.Future[bool]] = []
        self._filled = asyncio.Event()
        self.is_open = False

    async def lay_down(self, raw: Raw, within_seconds: float) -> bool:
        """Whether it is on disk. False: not taken up, not stored, or not known to be within the time. A mail whose
        commit was only late is stored none the less: the sender's repetition is then a no-op."""
        if not self.is_open:
            return False
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[stored] = raw
        self._filled.set()
        try:
            async with asyncio.timeout(within_seconds):
                return await stored
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(stored, None)

    async def take(self) -> Sequence[Raw]:
        """What waits, oldest first, as much as makes a good batch; waits until there is something."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        batch: list[Raw] = []
        size = 0
        for stored, raw in self._waiting.items():
            if len(batch) >= MAX_RAWS or (batch and size + len(raw.body) > MAX_BYTES):
                break
            batch.append(raw)
            size += len(raw.body)
            self._taken.append(stored)
        for stored in self._taken:
            del self._waiting[stored]
        return batch

    def settle(self) -> None:
        """What was taken is on disk."""
        taken, self._taken = self._taken, []
        _answer(taken, True)

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        """Nobody takes anything up from now on; who still waits is told so."""
        self.is_open = False
        left = [*self._taken, *self._waiting]
        self._taken = []
        self._waiting.clear()
        _answer(left, False)


def _answer(futures: Sequence[asyncio.Future[bool]], is_stored: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(is_stored)
