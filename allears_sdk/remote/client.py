"""The client: what it sends, how often, and what its errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from allears_sdk.context import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, read whole."""

    status: int
    headers: dict[str, str] = field(repr=False)
    content: bytes = field(repr=False)


class Remote:
    """One HTTP client."""

    def __init__(self, *, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
