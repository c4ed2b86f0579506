"""When things happen: clock, pauses and chance in one place, so that tests can turn them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from allears_sdk.context import Clock
from allears_sdk.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform


class Backoff:
    """Exponential back-off with full jitter: somewhere between nothing and 1 s, 2 s, 4 s … 5 min."""

    def __init__(
        self, uniform: Callable[[float, float], float], *, first_seconds: float = 1.0, most_seconds: float = 300.0
    ) -> None:
        self._uniform = uniform
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._ceiling = first_seconds

    def delay(self) -> float:
        """Seconds to wait now; the next answer's ceiling is twice as high."""
        ceiling = self._ceiling
        self._ceiling = min(ceiling * 2, self._most_seconds)
        return self._uniform(0.0, ceiling)

    def reset(self) -> None:
        self._ceiling = self._first_seconds


class QuietHours:
    """A daily span of local time, `22:00-06:00`; over midnight too. An empty span is never quiet."""

    def __init__(self, span: str, zone: str) -> None:
        """Raises ConfigError for a time or zone that does not exist."""
        try:
            self._zone = ZoneInfo(zone)
            self._start, self._end = _times(span) if span else (time(), time())
        except (ValueError, OSError, KeyError) as error:
            raise ConfigError(f"quiet_hours {span!r} in timezone {zone!r}: {error}") from None

    def holds(self, now: datetime) -> bool:
        """Whether `now` (aware) lies in the span; its end is no longer quiet."""
        local = now.astimezone(self._zone).time()
        if self._start <= self._end:
            return self._start <= local < self._end
        return local >= self._start or local < self._end


def _times(span: str) -> tuple[time, time]:
    start, end = span.split("-")
    return time.fromisoformat(start), time.fromisoformat(end)
