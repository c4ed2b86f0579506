"""What a storm is made of: troubles that are drawn for each call, and where they strike."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from allears_sdk.errors import InDoubt, Unavailable
from allears_sdk.sink import Certainty, Sending, Sink, Ticket
from allears_sdk.testing import Fault
from bench.servers.cable import Cable, Snap
from bench.servers.desk import Mishap, Trouble

ODDS: Mapping[Trouble, float] = {
    Fault.LOSE_ANSWER: 0.08,
    Fault.LATE: 0.06,
    Fault.GARBAGE: 0.03,
    Fault.TOO_MANY: 0.04,
    Fault.EXPIRED: 0.02,
    Mishap.CUT_BEFORE: 0.05,
    Mishap.BROKEN_AFTER: 0.05,
    Mishap.TIMED_OUT_AFTER: 0.04,
    Mishap.BUSY: 0.04,
}
TWICE = 0.06
"""Where the store knows keys, a proxy on the way may repeat what passes."""
DEATH = 0.04
"""Of the process, while a call is under way."""
LAST_WORDS: Sequence[Trouble] = (Mishap.CUT_BEFORE, Fault.LOSE_ANSWER, Fault.LATE)
"""What becomes of the call that the process dies in."""
FLIGHT_SECONDS = 55
"""How long a request goes on at most after its client has given it up: it was sent within the deadline (30 s), and
after the deadline nobody waits less than a minute."""


class Faults(Protocol):
    """What makes the troubles: a simulated store, a proxy before a real one."""

    weather: Callable[[], Trouble | None]
    exposed: str
    """Which calls it meets, a pattern of "METHOD /path"."""

    @property
    def is_late(self) -> bool: ...

    async def land(self) -> None: ...


def stormy(rng: random.Random, sink: Sink[Any], die: Callable[[], bool]) -> Callable[[], Trouble | None]:
    """`die` ends the process, unless it is dying already."""
    odds = dict(ODDS)
    if {sink.spec.open_certainty, sink.spec.follow_up_certainty} == {Certainty.A}:
        odds[Mishap.TWICE] = TWICE
    troubles, weights = [None, *odds], [1 - sum(odds.values()), *odds.values()]

    def draw() -> Trouble | None:
        if rng.random() < DEATH and die():
            return rng.choice(LAST_WORDS)
        return rng.choices(troubles, weights)[0]

    return draw


class Wire:
    """The same on a cable, whatever is spoken over it. What a server would say in its own words breaks the cable."""

    SNAPS: Mapping[Trouble, Snap] = {
        Fault.LOSE_ANSWER: Snap.AFTER,
        Fault.LATE: Snap.LATE,
        Fault.GARBAGE: Snap.GARBAGE,
        Mishap.BROKEN_AFTER: Snap.AFTER,
        Mishap.TIMED_OUT_AFTER: Snap.AFTER,
    }

    def __init__(self, cable: Cable) -> None:
        self.weather: Callable[[], Trouble | None] = lambda: None
        self.exposed = ""
        self._cable = cable
        cable.weather = self._snap

    @property
    def is_late(self) -> bool:
        return self._cable.is_late

    async def land(self) -> None:
        self._cable.land()
        await self._cable.landed()

    def _snap(self) -> Snap | None:
        trouble = self.weather()
        return None if trouble is None else self.SNAPS.get(trouble, Snap.BEFORE)


class Spoiler:
    """Stands before a sink that writes to what is its own: the write fails, or was done and says that it failed; of
    several only the first are done. Nothing comes late."""

    DONE: frozenset[Trouble] = frozenset(
        {Fault.LOSE_ANSWER, Fault.GARBAGE, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Mishap.TWICE}
    )
    REFUSED: frozenset[Trouble] = frozenset({Fault.TOO_MANY, Fault.EXPIRED, Mishap.BUSY})

    def __init__(self) -> None:
        self.weather: Callable[[], Trouble | None] = lambda: None
        self.exposed = ""
        self.is_late = False

    async def land(self) -> None:
        """There is nothing."""

    def before(self, sink: Sink[Any]) -> Sink[Any]:
        real = sink.send_many

        async def send_many(sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
            trouble = self.weather()
            if trouble is None:
                return await real(sendings)
            if trouble in self.REFUSED:
                raise Unavailable
            await real(sendings if trouble in self.DONE else sendings[: len(sendings) // 2])
            raise InDoubt

        setattr(sink, "send_many", send_many)  # noqa: B010  # a method of this one alone
        return sink
