"""How many requests an address may make."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

MOST_ADDRESSES = 20_000


class RateLimit:
    """A token bucket per address; the addresses longest unheard of are forgotten first."""

    def __init__(
        self, per_minute: int, monotonic: Callable[[], float], *, most_addresses: int = MOST_ADDRESSES
    ) -> None:
        """`per_minute` is also the burst an address may make at once; 0: no limit."""
        self._burst = float(per_minute)
        self._per_second = per_minute / 60.0
        self._monotonic = monotonic
        self._most_addresses = most_addresses
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, address: str) -> int:
        """Take one request's worth. Returns 0, or after how many whole seconds to come back."""
        if not self._burst:
            return 0
        now = self._monotonic()
        left, since = self._buckets.get(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        if left < 1.0:
            self._keep(address, left, now)
            return math.ceil((1.0 - left) / self._per_second)
        self._keep(address, left - 1.0, now)
        return 0

    def _keep(self, address: str, left: float, now: float) -> None:
        self._buckets[address] = (left, now)
        self._buckets.move_to_end(address)
        if len(self._buckets) > self._most_addresses:
            self._buckets.popitem(last=False)

    def __len__(self) -> int:
        return len(self._buckets)
