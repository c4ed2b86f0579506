"""Worker processes: one that dies or hangs costs its raw an attempt, never the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from allears_sdk.errors import AllearsError

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0


class WorkerLost(AllearsError):
    """The worker died or took too long."""


class Workers:
    """As many processes as asked for; each starts when it is needed and ends when it has been idle."""

    def __init__(self, count: int = 0, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.count = count or max(1, (os.cpu_count() or 2) - 1)
        self._timeout_seconds = timeout_seconds
        self._limiter: CapacityLimiter | None = None

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a module-level function with picklable arguments in a worker. Raises WorkerLost."""
        self._limiter = self._limiter or CapacityLimiter(self.count)
        async with self._limiter:  # waiting for a free worker does not count as working
            try:
                with anyio.fail_after(self._timeout_seconds):
                    return await to_process.run_sync(function, *arguments, cancellable=True)
            except TimeoutError:
                raise WorkerLost(f"took longer than {self._timeout_seconds:g} s") from None
            except BrokenWorkerProcess as error:
                raise WorkerLost("the worker process died") from error
