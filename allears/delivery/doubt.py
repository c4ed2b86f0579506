"""What became of a delivery in doubt: the store is asked where it can be, message by message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from allears.journal.records import DueDelivery
from allears_sdk.complaint import Event, EventKind, told_by
from allears_sdk.reference import event_id, event_key
from allears_sdk.sink import Certainty, Sink, Ticket

FINDS = frozenset({Certainty.B, Certainty.C})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the store knows of a delivery."""

    ticket: Ticket | None
    missing: Sequence[str]
    """Of what the event tells: the keys that are not there."""


def can_look(sink: Sink[Any], certainty: Certainty) -> bool:
    """Whether the store can be asked for this operation; a store that knows keys may have look-ups too."""
    return certainty in FINDS or (certainty is Certainty.A and sink.spec.looks_up)


async def look(sink: Sink[Any], due: DueDelivery) -> Look:
    """Ask the store. An opening that was sent from here is there whole or not at all; one that may have been filed
    before a restore may have been another then, with fewer messages or more."""
    keys = told_by(due.event)
    if due.ticket is not None:
        return Look(ticket=due.ticket, missing=await _missing(sink, due.ticket, keys, due.ticket_key))
    if sink.spec.is_stream:
        return await _look_along(sink, due, keys)
    ticket = await sink.find(due.ticket_key)
    if ticket is None:
        return Look(ticket=None, missing=keys)
    is_known_whole = bool(due.payload) and not due.is_adopted
    if is_known_whole or not can_look(sink, sink.spec.follow_up_certainty):
        return Look(ticket=ticket, missing=())
    return Look(ticket=ticket, missing=await _missing(sink, ticket, keys, due.ticket_key))


async def _look_along(sink: Sink[Any], due: DueDelivery, keys: Sequence[str]) -> Look:
    """In a stream each event stands alone."""
    found = {key: await sink.find(event_key(due.ticket_key, key)) for key in keys}
    ticket = next((one for one in found.values() if one is not None), None)
    return Look(ticket=ticket, missing=[key for key, one in found.items() if one is None])


async def _missing(sink: Sink[Any], ticket: Ticket, keys: Sequence[str], ticket_key: str) -> Sequence[str]:
    marks = {event_key(ticket_key, key): key for key in keys}
    there: Collection[str] = await sink.find_follow_ups(ticket, tuple(marks))
    return [key for mark, key in marks.items() if mark not in there]


def narrowed(due: DueDelivery, seen: Look) -> DueDelivery:
    """What is left to be told: a follow-up to the ticket that was found, of the messages it does not know."""
    if seen.ticket is None:
        return due
    event = _without(due.event, seen.missing)
    return replace(
        due, ticket=seen.ticket, is_adopted=due.is_adopted or due.ticket is None, is_narrowed=True, event=event,
        event_key=event_key(due.ticket_key, event.id),
    )  # fmt: skip


def _without(event: Event, missing: Sequence[str]) -> Event:
    kind = EventKind.FOLLOWED_UP if event.kind is EventKind.OPENED else event.kind
    if len(missing) == len(told_by(event)):
        return replace(event, kind=kind)
    keys = {key: event.keys[key] for key in missing}
    known = {message for key, message in event.keys.items() if key not in keys} - set(keys.values())
    messages = tuple(message for message in event.messages if message not in known)
    joint = missing[0] if len(missing) == 1 else event_id(event.complaint_id, *missing)
    return replace(event, id=joint, kind=kind, keys=keys, messages=messages)
