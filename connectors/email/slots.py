"""How many connections a server is asked for. Beyond its limit mailboxes take turns: polls in the place of whoever has
idled longest, IDLE only where there is room."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakKeyDictionary


class Holder(Protocol):
    def give_way(self) -> bool:
        """Whether it will `give_back` soon: not while it polls."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Wish:
    holder: Holder
    most: int
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Slots:
    """The connections of this process to one server."""

    def __init__(self) -> None:
        self._held: dict[Holder, None] = {}
        self._hasty: list[_Wish] = []
        self._patient: list[_Wish] = []

    @property
    def wanted(self) -> bool:
        """Somebody waits to poll: whoever has finished is to give back."""
        return bool(self._hasty)

    async def take(self, holder: Holder, most: int, *, patient: bool = False) -> None:
        """Returns when `holder` has one of at most `most`. Only a `patient` one asks nobody to give way."""
        if holder in self._held:
            return
        wish, queue = _Wish(holder=holder, most=most), self._patient if patient else self._hasty
        queue.append(wish)
        self._grant()
        if not patient and not wish.granted.done():
            self._ask_for_room()
        try:
            await wish.granted
        except asyncio.CancelledError:
            if wish in queue:
                queue.remove(wish)
            else:
                self.give_back(holder)
            raise

    def give_back(self, holder: Holder) -> None:
        self._held.pop(holder, None)
        self._grant()

    def _grant(self) -> None:
        for queue in (self._hasty, self._patient):
            for wish in list(queue):
                if wish.holder in self._held or len(self._held) < wish.most:
                    self._held[wish.holder] = None
                    queue.remove(wish)
                    if not wish.granted.done():
                        wish.granted.set_result(None)

    def _ask_for_room(self) -> None:
        for holder in list(self._held):
            if holder.give_way():
                return


_OF_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[tuple[str, int], Slots]] = WeakKeyDictionary()


def slots_of(host: str, port: int) -> Slots:
    """One for all mailboxes at a server."""
    return _OF_LOOP.setdefault(asyncio.get_running_loop(), defaultdict(Slots))[host.lower(), port]
