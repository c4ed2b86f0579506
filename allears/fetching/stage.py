"""The fetching stage: asks each channel's connector for what its messages lack, nearest expiry first."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Protocol

import structlog

from allears.journal.bells import wait
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import DueFetch
from allears_sdk.connector import Connector, Media
from allears_sdk.context import Clock
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    BadMessage,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    Unavailable,
    Void,
)
from allears_sdk.message import Author

EACH = 3
"""Of one channel at a time."""
TOGETHER = 8
"""Of all channels: each may hold a file of `max_attachment_bytes`."""
TIMEOUT_SECONDS = 120.0
SWEEP_SECONDS = 1.0
FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 900.0
LAST_WAIT_SECONDS = 30.0
"""The end draws near: ever shorter pauses, down to this."""
REST_SECONDS = 60.0
"""A channel whose credentials are refused, or that asks to come back without saying when, is left alone so long."""
HOME_SECONDS = 15.0
"""The trouble is at home."""
MOST_BUGS = 5
"""Failures that nobody foresaw, after which there is no further attempt."""
NEVER = (Rejected, BadMessage, Void)

_TOO_LATE = "the channel was paused, or configured no longer, until it was too late"
_CANNOT = "this kind of channel has no way to get it"

log = structlog.get_logger("allears.fetching")


class Channels(Protocol):
    """What the stage needs of the intake."""

    def running(self) -> Collection[str]:
        """Names of channels whose connector can be asked."""

    def connector(self, name: str) -> Connector[Any] | None: ...

    def note_fetching(self, name: str, trouble: str) -> None:
        """What an admin must know of that channel; "" once it is over."""


class Fetching:
    """Fetches until it is cancelled; what was running then is asked for again after the next start."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        channels: Channels,
        *,
        is_full: Callable[[], bool] = lambda: False,
        uniform: Callable[[float, float], float] = random.uniform,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Nothing is fetched while the disk `is_full`: what is left of it belongs to messages."""
        self._journal = journal
        self._is_full = is_full
        self._clock = clock
        self._channels = channels
        self._uniform = uniform
        self._timeout_seconds = timeout_seconds
        self._resting: dict[str, float] = {}
        self._troubled: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            while True:
                try:
                    taken = await self._take()
                except JournalUnavailable as error:
                    log.warning("fetching_waits", reason=str(error))
                    taken = 0
                if not taken:
                    await wait(self._journal.bells.fetches, SWEEP_SECONDS)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _take(self) -> int:
        """How many were begun."""
        room = TOGETHER - len(self._running)
        if room <= 0 or self._is_full():
            return 0
        now = self._clock.monotonic()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        ready = [name for name in self._channels.running() if name not in self._resting]
        due = await self._journal.fetches.due(self._clock.now(), ready, EACH, room)
        for one in due:
            task = asyncio.create_task(self._guarded(one))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(due)

    async def _guarded(self, due: DueFetch) -> None:
        try:
            await self._fetch(due)
        except Exception as error:
            unforeseen = None if isinstance(error, JournalUnavailable) else error
            log.warning("fetching_waits", channel=due.channel, reason=str(error), exc_info=unforeseen)
            self._rest(due.channel, HOME_SECONDS)  # what was fetched could not be kept: it is fetched again
        finally:
            await self._journal.fetches.release([due.id])
            self._journal.bells.fetches.set()

    async def _fetch(self, due: DueFetch) -> None:
        connector = self._channels.connector(due.channel)
        if due.attempts and due.fetch_before <= self._clock.now():
            await self._skip(due, due.reason)
        elif connector is None:
            if due.fetch_before <= self._clock.now():
                await self._skip(due, _TOO_LATE)
        elif reason := _unwanted(due, connector.settings.max_attachment_bytes):
            await self._skip(due, reason)
        else:
            await self._ask(due, connector)

    async def _ask(self, due: DueFetch, connector: Connector[Any]) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await connector.fetch(due.ref)
        except NotImplementedError:
            await self._skip(due, _CANNOT)
        except NEVER as error:
            await self._skip(due, str(error))
        except TimeoutError:
            await self._put_off(due, Unavailable(f"no answer within {self._timeout_seconds:g} s"))
        except AllearsError as error:
            await self._put_off(due, error)
        except Exception as error:
            log.exception("fetch_failed", channel=due.channel)
            await self._give_up_on_bugs(due, InDoubt(f"it could not be read: {type(error).__name__}"))
        else:
            await self._keep(due, connector, found)

    async def _keep(self, due: DueFetch, connector: Connector[Any], found: Media | Author) -> None:
        if due.channel in self._troubled:
            self._troubled.discard(due.channel)
            self._channels.note_fetching(due.channel, "")
        if due.is_profile != isinstance(found, Author):
            await self._skip(due, "the connector fetched something else than was asked for")
        elif isinstance(found, Author):
            await self._journal.fetches.keep_profile(due.id, found)
        elif reason := _too_large(len(found.content), connector.settings.max_attachment_bytes):
            await self._skip(due, reason)
        else:
            await self._journal.fetches.keep(due.id, found)

    async def _skip(self, due: DueFetch, reason: str) -> None:
        if due.is_profile:
            log.debug("profile_skipped", channel=due.channel, reason=reason)
        else:
            log.warning("file_skipped", channel=due.channel, attempts=due.attempts, reason=reason)
        await self._journal.fetches.skip(due.id, reason)

    async def _give_up_on_bugs(self, due: DueFetch, error: AllearsError) -> None:
        if due.attempts + 1 >= MOST_BUGS:
            await self._skip(due, str(error))
        else:
            await self._put_off(due, error)

    async def _put_off(self, due: DueFetch, error: AllearsError) -> None:
        seconds = self._pause(due)
        if isinstance(error, RetryLater | AuthError | ConfigError):  # not this one's fault
            after = error.after_seconds if isinstance(error, RetryLater) else None
            seconds = min(REST_SECONDS, self._longest(due)) if after is None else after
            self._rest(due.channel, seconds)
            if not isinstance(error, RetryLater):
                self._troubled.add(due.channel)
                self._channels.note_fetching(due.channel, f"files cannot be fetched: {error}")
        say = log.debug if due.attempts else log.info  # once for each: the state shows the rest
        say("fetch_put_off", channel=due.channel, attempts=due.attempts + 1, reason=str(error))
        at = self._clock.now() + timedelta(seconds=seconds)
        await self._journal.fetches.put_off(due.id, str(error), at)

    def _pause(self, due: DueFetch) -> float:
        """Ever longer, but never so long that the platform has thrown it away meanwhile."""
        seconds = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(due.attempts, 10))
        return min(self._uniform(seconds / 2, seconds), self._longest(due))

    def _longest(self, due: DueFetch) -> float:
        left = (due.fetch_before - self._clock.now()).total_seconds()
        return max(left / 2, LAST_WAIT_SECONDS)

    def _rest(self, channel: str, seconds: float) -> None:
        self._resting[channel] = self._clock.monotonic() + seconds


def _unwanted(due: DueFetch, most: int) -> str:
    """Why a file is not even asked for."""
    if due.is_profile:
        return ""
    if most == 0:
        return "files are not fetched from this channel (max_attachment_bytes = 0)"
    return _too_large(due.size, most)


def _too_large(size: int, most: int) -> str:
    return f"too large: {size} bytes, max_attachment_bytes is {most}" if size > most else ""
