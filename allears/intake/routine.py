"""A task that is asked to end, and cancelled only between commits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

AFTER_COMMIT_SECONDS = 1.0
"""How long the line after a connector's `yield` may take once we are stopping."""


class Routine:
    """Owns one task. `is_stopping` is for the task to look at before it starts something new."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._committing: asyncio.Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._task = asyncio.create_task(work, name=name)

    async def commit(self, step: Awaitable[T]) -> T:
        """Await a step that `stop` lets finish."""
        self._committing = asyncio.get_running_loop().create_future()
        try:
            return await step
        finally:
            self._committing.set_result(None)
            self._committing = None

    async def stop(self, grace_seconds: float) -> None:
        """Let a running commit end and what follows it begin, then cancel the rest."""
        self.is_stopping = True
        task = self._task
        if task is None:
            return
        if self._committing is not None:
            await asyncio.wait({self._committing}, timeout=grace_seconds)
            await asyncio.wait({task}, timeout=min(AFTER_COMMIT_SECONDS, grace_seconds))
        task.cancel()
        await asyncio.wait({task}, timeout=max(grace_seconds, AFTER_COMMIT_SECONDS))
