"""Answering one channel's HTTP requests: the commit first, then the connector's own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from allears.intake.channel import Channel
from allears.intake.deadline import Deadline
from allears.intake.reactions import describe
from allears.intake.timing import Backoff
from allears.journal.errors import JournalUnavailable
from allears.journal.records import Deposit
from allears_sdk.connector import Accepted, Answer, Reception, Request, Wake
from allears_sdk.errors import Unavailable
from allears_sdk.signing import BadSignature, OutsideWindow

COMMIT_MARGIN_SECONDS = 0.5
"""Kept of the platform's time limit for the way back."""
LEAST_SECONDS = 0.05
QUIET_SECONDS = 60.0
MOST_REASONS = 64

ALARMING = 3
"""Good signatures outside the replay window, one after the other, after which a clock is wrong: a replay comes among
others, or alone."""
CLOCK = "clock"

COME_BACK = Answer(status=503, headers={"Retry-After": "5"})
LATE = Answer(status=503, headers={"Retry-After": "2"})
BROKEN = Answer(status=500)
FORBIDDEN = Answer(status=401)


class Refused(Answer, frozen=True, kw_only=True):
    """The answer to a request that is not ours to store: it counts against whoever sent it."""


class Receiver:
    """The hot path: everything that can be is prepared once per channel."""

    def __init__(self, channel: Channel, wake: Callable[[Wake], None]) -> None:
        self._channel = channel
        self._wake = wake
        self._receive = channel.connector.receive
        self._accept = channel.journal.accept
        seconds = channel.connector.own_spec.answer_within_seconds - COMMIT_MARGIN_SECONDS
        self._deadline = Deadline(max(seconds, LEAST_SECONDS))
        self._said: dict[str, float] = {}
        self._outside = 0
        self.refused = 0
        """Requests that were not ours to store, since the start."""

    async def answer(self, request: Request, task: asyncio.Task[Any] | None = None) -> Answer:
        """Never raises. A commit that comes too late is not undone: the redelivery is then a no-op."""
        limit = self._deadline.begin(task or asyncio.current_task())
        try:
            reception = await self._receive(request)
            accepted = await self._store(reception)
        except asyncio.CancelledError:
            if not limit.swallow():
                raise
            self._say("stored_too_late", "the commit took longer than the platform waits")
            return LATE
        except JournalUnavailable as error:
            self._say("not_stored", describe(error))
            return COME_BACK
        except (BadSignature, OutsideWindow) as error:
            return self._turn_away(error)
        except Exception as error:
            self._say("receiver_failed", describe(error), error)
            return BROKEN
        finally:
            self._deadline.end(limit)
        return self._conclude(reception, accepted)

    async def _store(self, reception: Reception) -> Sequence[Accepted]:
        if not reception.raws or reception.refused:
            return ()
        return await self._accept(Deposit(channel=self._channel.name, raws=reception.raws, policy=self._channel.policy))

    def _conclude(self, reception: Reception, accepted: Sequence[Accepted]) -> Answer:
        if not reception.refused:
            if self._outside:
                self._trust_clock()
            for wake in reception.wakes:
                self._wake(wake)
        try:
            answer = reception.answer(accepted)
        except Exception as error:  # the raws are safe; the platform asks again and gets the same answer
            self._say("receiver_failed", describe(error), error)
            answer = BROKEN
        return self._refuse(reception.refused, answer) if reception.refused else answer

    def _turn_away(self, error: BadSignature | OutsideWindow) -> Refused:
        """What a connector lets through of `allears_sdk.signing`."""
        reason = str(error) or "bad signature"
        if isinstance(error, OutsideWindow):
            self._outside += 1
            if self._outside >= ALARMING:
                self._distrust_clock(reason)
        return self._refuse(reason if isinstance(error, BadSignature) else "outside the replay window", FORBIDDEN)

    def _refuse(self, reason: str, answer: Answer) -> Refused:
        self.refused += 1
        self._say("request_refused", reason)
        return Refused(status=answer.status, body=answer.body, media_type=answer.media_type, headers=answer.headers)

    def _distrust_clock(self, reason: str) -> None:
        cause = Unavailable(f"{self._outside} good signatures in a row, {reason}: set this machine's clock")
        self._channel.condition.fail(CLOCK, cause, Backoff(self._channel.timing.uniform))

    def _trust_clock(self) -> None:
        if self._outside >= ALARMING:
            self._channel.condition.recover(CLOCK)
        self._outside = 0

    def _say(self, event: str, reason: str, error: Exception | None = None) -> None:
        """Once per reason and minute: whoever sends rubbish must not fill the log as well."""
        now = self._channel.timing.clock.monotonic()
        said_at = self._said.get(reason)
        if said_at is not None and now - said_at < QUIET_SECONDS:
            return
        if len(self._said) >= MOST_REASONS:
            self._said.clear()
        self._said[reason] = now
        if error is None:
            self._channel.log.warning(event, reason=reason)
        else:
            self._channel.log.error(event, reason=reason, exc_info=error)
