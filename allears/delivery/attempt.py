"""One delivery's way: look if it is in doubt, render, freeze, send, and say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from allears.delivery.doubt import FINDS, can_look, look, narrowed
from allears.delivery.notes import Core, Notes
from allears.journal.journal import Journal
from allears.journal.records import DeliveryState, DueDelivery, Frozen, Outcome
from allears_sdk.complaint import Event, EventKind
from allears_sdk.context import Clock
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    BadMessage,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    TicketGone,
    Unavailable,
)
from allears_sdk.masking import mask_payload
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import DEFAULT_WAIT_SECONDS, Certainty, Sending, Sink, Ticket

LOOKUPS_WHEN_LAGGING = 3
FAILED_LOOK_SECONDS = 15.0
LONGEST_WAIT_SECONDS = 900.0
OUTAGES = (RetryLater, Unavailable, AuthError, ConfigError)
"""Surely not done, and nothing else would be done there now."""

log = structlog.get_logger("allears.delivery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one call came to: a ticket (of an opening), or the error it met."""

    ticket: Ticket | None = None
    error: AllearsError | None = None


class Attempt:
    """The steps of a delivery at one destination."""

    def __init__(
        self, journal: Journal, clock: Clock, sink: Sink[Any], settings: DestinationSettings, *, restored: bool
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._sink = sink
        self._settings = settings
        self._restored = restored
        self._in_doubt = getattr(settings, "when_in_doubt", "hold")
        self._holds = getattr(settings, "when_not_found", "") == "hold"
        """What a lagging look-up does not find waits for a person too."""
        self._completes = type(sink).complete is not Sink.complete
        self._is_dispensable = self._in_doubt == "drop"
        """Better not at all than twice, or by a person's hand: answers to customers."""

    async def take_up(self, due: DueDelivery) -> Outcome | DueDelivery:
        """Go on where an earlier attempt was left, by a crash, an outage or a person: its outcome, or what is left of
        it to be done."""
        done = Core.read(due.progress)
        known = replace(
            due, ticket=due.ticket or done.ticket, is_adopted=due.ticket is None and done.ticket is not None,
            is_there=done.is_there, event_key=done.key or due.event_key,
        )  # fmt: skip
        if due.state is DeliveryState.DOUBT or (done.key and not due.payload):
            return await self._resolve(known)
        return known

    async def _resolve(self, due: DueDelivery) -> Outcome | DueDelivery:
        """Look what became of a delivery in doubt."""
        if self._is_dispensable:
            return self._discard(due, InDoubt("may have been sent already: not sent again"))
        if due.is_there:
            return due
        certainty, was_sent = self._certainty(due), bool(due.payload)
        if certainty in FINDS or (not was_sent and can_look(self._sink, certainty)):
            return await self._look(due, certainty)
        if certainty is Certainty.A or due.replayed:
            return due
        return self._resolve_blindly(due)

    async def _look(self, due: DueDelivery, certainty: Certainty) -> Outcome | DueDelivery:
        seen = await self._call(look(self._sink, due))
        if isinstance(seen, Sent):
            assert seen.error is not None
            return self._after_failed_look(due, seen.error)
        if not seen.missing:
            is_adopted = due.is_adopted or due.ticket is None
            return replace(due, ticket=seen.ticket, is_adopted=is_adopted, is_there=True, event_key=self._key(due))
        if certainty is Certainty.C and due.lookups + 1 < LOOKUPS_WHEN_LAGGING:
            return self._doubt(due, "not found yet", self._wait_seconds(due), lookups=due.lookups + 1)
        if certainty is Certainty.C and self._holds and not due.replayed:
            reason = "not found, though this store may show it late: look there, then replay or discard"
            return replace(self._letter(due, InDoubt(reason)), doubtful=True)
        if due.attempts >= self._settings.max_attempts:
            return self._letter(due, InDoubt(f"not there after {due.attempts} attempts that got no answer"))
        return due if due.payload else narrowed(due, seen)

    def is_done(self, due: DueDelivery) -> bool:
        """Whether nothing is left to be called."""
        return due.is_there and not self._completes

    def done(self, due: DueDelivery) -> Outcome:
        ticket = due.ticket if due.is_adopted else None
        return Outcome(delivery=due.id, state=DeliveryState.SENT, ticket=ticket)

    def freeze(self, due: DueDelivery) -> Frozen | Outcome:
        """Render what was not rendered yet. A payload that cannot be made is a letter."""
        try:
            payload = due.payload or mask_payload(self._sink.render(_told(due), self._key(due)), self._settings.mask)
        except (Rejected, BadMessage) as error:
            return self._give_up(due, error)
        except Exception as error:
            log.exception("render_failed", delivery=due.id, complaint=due.event.complaint_id)
            return self._give_up(due, Rejected(f"cannot be rendered: {type(error).__name__}: {error}"))
        deadline = self._clock.now() + timedelta(seconds=self._settings.timeout_seconds)
        resolve_at = deadline + timedelta(seconds=self._wait_seconds(due))
        if self._is_dispensable:  # whatever a dead process's request still does: there is no second one
            resolve_at = self._clock.now()
        return Frozen(delivery=due.id, payload=payload, deadline=deadline, resolve_at=resolve_at)

    async def note(self, due: DueDelivery) -> DueDelivery:
        """Before its payload is on disk: whoever comes after a crash must not take it for the whole event."""
        if not due.is_narrowed:
            return due
        core = Core(ticket=due.ticket, key=self._key(due))
        return replace(due, progress=await Notes(self._journal, due).keep(core))

    async def send(self, due: DueDelivery, frozen: Frozen) -> Outcome:
        """The call itself; the delivery is `sending` on disk."""
        sent = await self._call(self._send(due, frozen.payload))
        return self.judge(due, frozen, sent)

    async def send_many(self, due: Sequence[DueDelivery], frozen: Sequence[Frozen]) -> list[Outcome]:
        sendings = [
            Sending(payload=one.payload, key=self._key(delivery), ticket=delivery.ticket)
            for delivery, one in zip(due, frozen, strict=True)
        ]
        result = await self._call(self._sink.send_many(sendings))
        if not isinstance(result, Sent) and len(result) != len(due):
            result = Sent(error=InDoubt(f"{len(result)} answers to {len(due)} deliveries"))
        answers: Sequence[Any] = [result] * len(due) if isinstance(result, Sent) else result
        return [
            self.judge(delivery, one, _sent(answer)) for delivery, one, answer in zip(due, frozen, answers, strict=True)
        ]

    def judge(self, due: DueDelivery, frozen: Frozen, sent: Sent) -> Outcome:
        """The reaction that an answer asks for."""
        error = sent.error
        if error is None:
            return Outcome(delivery=due.id, state=DeliveryState.SENT, ticket=sent.ticket)
        if isinstance(error, TicketGone) and due.ticket is not None:
            done = Core.read(due.progress)
            return self._reopen(due, error, is_older=bool(done.key) and not done.is_there)
        if isinstance(error, OUTAGES):
            return self._again(due, error)
        if self._is_dispensable:
            return self._discard(due, error)
        if isinstance(error, InDoubt):
            if self._is_last(due) and self._certainty(due) not in FINDS:  # who can look does so first
                return replace(self._letter(due, error), doubtful=True)
            return Outcome(
                delivery=due.id, state=DeliveryState.DOUBT, at=max(frozen.resolve_at, self._soon(due)),
                reason=str(error), detail=error.detail,
            )  # fmt: skip
        return self._letter(due, error)

    async def _call(self, call: Any) -> Any:
        """Any error a sink raises, as one of ours; what we cannot name is doubt."""
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await call
        except AllearsError as error:
            return Sent(error=error)
        except TimeoutError:
            return Sent(error=InDoubt(f"no answer within {self._settings.timeout_seconds:g} s"))
        except Exception as error:
            log.exception("sink_failed", sink=self._sink.spec.kind)
            return Sent(error=InDoubt(f"{type(error).__name__}: {error}"))

    async def _send(self, due: DueDelivery, payload: bytes) -> Sent:
        """The call, unless it is done already, and what completes it."""
        notes = Notes(self._journal, due)
        ticket = due.ticket
        if not due.is_there:
            if ticket is None:
                ticket = await self._sink.open(payload, self._key(due), notes.progress)
            else:
                await self._sink.follow_up(ticket, payload, self._key(due), notes.progress)
        assert ticket is not None, "what is there has a ticket"
        if self._completes:
            await notes.keep(Core(ticket=ticket, key=self._key(due), is_there=True))
            await self._sink.complete(ticket, payload, self._key(due), notes.progress)
        return Sent(ticket=ticket if due.ticket is None or due.is_adopted else None)

    def _resolve_blindly(self, due: DueDelivery) -> Outcome | DueDelivery:
        """No look-up: what was surely never sent from here goes out, the rest is a person's decision."""
        was_sent = bool(due.payload)
        if not was_sent and not self._restored:
            return due
        if self._in_doubt == "send_again":
            return due
        why = "its answer was lost" if was_sent else "the journal was restored from a backup"
        reason = f"may be filed already ({why}) and this store cannot be asked: look there, then replay or discard"
        return replace(self._letter(due, InDoubt(reason)), doubtful=True)

    def _after_failed_look(self, due: DueDelivery, error: AllearsError) -> Outcome:
        """An outage is waited out; what is this delivery's own trouble counts, and is a letter in the end."""
        if isinstance(error, TicketGone):
            return self._reopen(due, error, is_older=not due.payload)
        reason = f"cannot look it up: {error}"
        if isinstance(error, OUTAGES):
            return replace(self._doubt(due, reason, 0, lookups=due.lookups), error=error)
        if self._is_last(due):
            return replace(self._letter(due, InDoubt(reason, detail=error.detail)), doubtful=True)
        at = max(self._soon(due), self._clock.now() + timedelta(seconds=FAILED_LOOK_SECONDS))
        return replace(self._doubt(due, reason, 0, lookups=due.lookups), at=at, attempted=True)

    def _doubt(self, due: DueDelivery, reason: str, seconds: float, *, lookups: int) -> Outcome:
        at = self._clock.now() + timedelta(seconds=seconds)
        return Outcome(
            delivery=due.id, state=DeliveryState.DOUBT, at=at, reason=reason, lookups=lookups, attempted=False
        )

    def _again(self, due: DueDelivery, error: AllearsError) -> Outcome:
        """Surely not done; the courier decides when the destination is asked again. What it says to a reply may hold
        for that customer alone: others go first."""
        at = self._clock.now()
        if self._is_dispensable:
            at += timedelta(seconds=min(LONGEST_WAIT_SECONDS, 30.0 * 2.0 ** min(due.attempts, 10)))
        return Outcome(
            delivery=due.id, state=DeliveryState.PENDING, at=at, reason=str(error), attempted=self._is_dispensable,
            error=error, anew=isinstance(error, ConfigError) and not (due.attempts or self._is_dispensable),
        )  # fmt: skip

    def _reopen(self, due: DueDelivery, error: AllearsError, *, is_older: bool) -> Outcome:
        """What is older than the journal may have been told to a successor already: that one is looked up first."""
        state = DeliveryState.DOUBT if is_older else DeliveryState.PENDING
        return replace(self._again(due, error), state=state, reopen=True, error=None)

    def _is_last(self, due: DueDelivery) -> bool:
        return due.attempts + 1 >= self._settings.max_attempts

    def _give_up(self, due: DueDelivery, error: AllearsError) -> Outcome:
        return self._discard(due, error) if self._is_dispensable else self._letter(due, error)

    def _discard(self, due: DueDelivery, error: AllearsError) -> Outcome:
        doubtful = isinstance(error, InDoubt)
        return Outcome(
            delivery=due.id, state=DeliveryState.DISCARDED, reason=str(error), detail=error.detail, doubtful=doubtful
        )

    def _letter(self, due: DueDelivery, error: AllearsError) -> Outcome:
        return Outcome(delivery=due.id, state=DeliveryState.LETTER, reason=str(error), detail=error.detail)

    def _soon(self, due: DueDelivery) -> datetime:
        """The same request again and again into the same fault: ever more slowly."""
        return self._clock.now() + timedelta(seconds=min(3600.0, 2.0**due.attempts))

    def _key(self, due: DueDelivery) -> str:
        return due.event_key if self._sink.spec.is_stream else due.key

    def _certainty(self, due: DueDelivery) -> Certainty:
        spec = self._sink.spec
        return spec.open_certainty if due.ticket is None else spec.follow_up_certainty

    def _wait_seconds(self, due: DueDelivery) -> float:
        wait = self._sink.spec.wait_seconds
        return DEFAULT_WAIT_SECONDS[self._certainty(due)] if wait is None else wait


def _told(due: DueDelivery) -> Event:
    """A store that has no ticket yet hears of an opening, whichever event is the first to reach it; one that had one
    which is gone hears of that too."""
    if due.ticket:
        return due.event
    return replace(due.event, kind=EventKind.OPENED, former=tuple(due.former))


def _sent(answer: Ticket | Exception | Sent) -> Sent:
    if isinstance(answer, Sent):
        return answer
    if isinstance(answer, Ticket):
        return Sent(ticket=answer)
    if isinstance(answer, AllearsError):
        return Sent(error=answer)
    return Sent(error=InDoubt(f"{type(answer).__name__}: {answer}"))
