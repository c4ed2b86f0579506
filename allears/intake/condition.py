"""How a channel is: which of its parts are in trouble, what it says once, and what makes all of it wait."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from allears.intake.board import Note
from allears.intake.reactions import Reaction, reaction_to
from allears.intake.timing import Backoff, Timing
from allears_sdk.context import Log

RUNNING = "running"
FAILING = "failing"
PAUSED = "paused"
STOPPED = "stopped"


class Condition:
    """Shared by a channel's parts (its streams, its listener). Says `channel_down` when the first one fails and
    `channel_up` when the last one is well again."""

    def __init__(self, connector: str, timing: Timing, log: Log, pin: Callable[[Note], None]) -> None:
        self._connector = connector
        self._timing = timing
        self._log = log
        self._pin = pin
        self._troubles: dict[str, Reaction] = {}
        self._down_since: float | None = None
        self._held_until = -math.inf
        self._trial: asyncio.Event | None = None
        self._waiting_for = ""
        self._waits: dict[str, str] = {}
        """Of the parts whose source is well, but busy: why they wait."""
        self.is_paused = False

    @property
    def state(self) -> str:
        if self.is_paused:
            return PAUSED
        states = {trouble.state for trouble in self._troubles.values()}
        return STOPPED if STOPPED in states else FAILING if FAILING in states else RUNNING

    @property
    def reason(self) -> str:
        """Each cause once; which part has it where there are several."""
        parts: dict[str, list[str]] = {}
        for part, trouble in self._troubles.items():
            parts.setdefault(trouble.cause, []).append(part)
        causes = [f"{', '.join(own[:3])}: {cause}" if len(parts) > 1 else cause for cause, own in parts.items()]
        waits = tuple(dict.fromkeys(self._waits.values()))
        return "" if self.is_paused else "; ".join(causes[:3] or waits[:3]) or self._waiting_for

    def fail(self, part: str, error: Exception, backoff: Backoff) -> float:
        """Take note of a part's failure. Returns how many seconds that part is to wait, perhaps infinitely many."""
        reaction = reaction_to(error)
        delay = reaction.delay_seconds
        if delay is None:
            delay = min(backoff.delay(), reaction.most_seconds)
        if reaction.holds_channel:
            self._held_until = max(self._held_until, self._timing.clock.monotonic() + delay)
        if reaction.state == RUNNING:
            self._note_wait(part, delay, reaction)
        else:
            self._note_trouble(part, reaction, error)
        return delay

    def _note_wait(self, part: str, seconds: float, reaction: Reaction) -> None:
        """The source is well and busy: said once, shown until it answers again."""
        is_said = part in self._waits or reaction.cause in self._waits.values()
        say = self._log.debug if is_said else self._log.info
        say(reaction.wait, part=part, seconds=round(seconds, 1), cause=reaction.cause)
        self._waits[part] = reaction.cause
        self._post()

    def _note_trouble(self, part: str, reaction: Reaction, error: Exception) -> None:
        before = self.state
        known = self._troubles.get(part)
        self._troubles[part] = reaction
        if self._down_since is None or (self.state == STOPPED and before != STOPPED):
            self._say_down(part, reaction, error)
        elif known is None or known.cause != reaction.cause:
            self._log.debug("still_down", part=part, cause=reaction.cause)
        if known is None or known.cause != reaction.cause or self.state != before:
            self._post()

    def _say_down(self, part: str, reaction: Reaction, error: Exception) -> None:
        if self._down_since is None:
            self._down_since = self._timing.clock.monotonic()
        facts: dict[str, object] = {"part": part, "state": self.state, "cause": reaction.cause}
        if reaction.advice:
            facts["advice"] = reaction.advice
        if reaction.unexpected:
            facts["exc_info"] = error
        self._log.error("channel_down", **facts)

    def recover(self, part: str, *, is_contact: bool = True) -> None:
        """The part is well; `is_contact`: it has had a good answer from its source."""
        self._troubles.pop(part, None)
        self._waits.pop(part, None)
        if not self._is_held():  # what held all of the channel is over for all of it
            self._troubles = {name: one for name, one in self._troubles.items() if not one.holds_channel}
            self._end_trial()
        self._waiting_for = ""
        if self._down_since is not None and not self._troubles:
            away = self._timing.clock.monotonic() - self._down_since
            self._down_since = None
            self._log.info("channel_up", away_seconds=round(away, 1))
        self._post(success=is_contact)

    def forget(self, part: str | None = None) -> None:
        """A part is no more, or (None) everything begins anew: what troubled it no longer counts."""
        if part is None:
            self._troubles.clear()
            self._waits.clear()
            self._held_until = -math.inf
        else:
            self._troubles.pop(part, None)
            self._waits.pop(part, None)

    def begin(self) -> None:
        """The channel's parts start; nothing is known of its source yet."""
        self._post()

    def wait_for(self, reason: str) -> None:
        """Shown while pollers wait for something that is not the channel's fault."""
        if reason != self._waiting_for:
            self._waiting_for = reason
            self._log.info("pollers_wait", reason=reason)
            self._post()

    def pause(self) -> None:
        self.is_paused = True
        self.forget()
        self._down_since = None
        self._post()

    def resume(self) -> None:
        self.is_paused = False
        self.forget()

    def _post(self, *, success: bool = False) -> None:
        self._pin(
            Note(
                connector=self._connector,
                state=self.state,
                reason=self.reason,
                success=success,
            )
        )

    def _is_held(self) -> bool:
        return self._held_until > self._timing.clock.monotonic()

    async def passage(self) -> None:
        """Returns when nothing holds the whole channel."""
        while self._is_held():
            await pause(self._timing, self._held_until - self._timing.clock.monotonic())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Frames one attempt. While the channel is stopped one part tries for all: twenty folders must not mean
        twenty refused log-ins."""
        await self.passage()
        while self.state == STOPPED and self._trial is not None:
            await self._trial.wait()
            await self.passage()
        if self.state != STOPPED:
            yield
            return
        self._trial = asyncio.Event()
        try:
            yield
        finally:
            self._end_trial()

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.set()
            self._trial = None


async def pause(timing: Timing, seconds: float) -> None:
    """Sleep; for ever when `seconds` is infinite (the admin's next step ends the task)."""
    if math.isinf(seconds):
        await asyncio.get_running_loop().create_future()
    await timing.sleep(seconds)
