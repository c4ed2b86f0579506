"""Rate limits, one token bucket per account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from allears_sdk.clock import Clock


class Bucket:
    """Lets `burst` calls through at once and `per_second` in the long run; the others wait their turn."""

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()

    def take(self) -> float:
        """Takes a place in the queue; how many seconds to wait before using it."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_second)


class Limits:
    """The buckets of all accounts; an account without one is not limited."""

    def __init__(self, clock: Clock, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._buckets: dict[str, Bucket] = {}

    def set(self, account: str, per_second: float, burst: int) -> None:
        self._buckets[account] = Bucket(self._clock, per_second, burst)

    async def wait(self, account: str) -> None:
        bucket = self._buckets.get(account)
        seconds = bucket.take() if bucket else 0.0
        if seconds:
            await self._sleep(seconds)
