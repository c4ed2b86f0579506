"""Arrivals: what workers made of raws that still wait, on its way into conversations."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from allears.journal import bulk, erasing, forgotten, unfiled
from allears.journal.records import Policy, Reading
from allears.journal.rows import known_moment, stamp
from allears_sdk.message import Message, Role
from normalizer.conversation import Draft

_CLAIM = "UPDATE raws SET state='read', reason='' WHERE state='waiting' AND id IN"
_CLAIMED = "RETURNING id, channel, raw_key, ordinal, received_at, conversation_id, thread"
_GIVE_BACK = "UPDATE raws SET state='waiting' WHERE id IN"


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A raw's messages; what the source left to us is filled in."""

    raw_id: int
    channel: str
    key: str
    thread: str
    """Known before parsing; "" where only the messages tell."""
    received_at: float
    conversation: int | None
    """Where it was put when it was accepted."""
    policy: Policy
    messages: Sequence[Message]
    draft: Draft | None
    """The record of its one message, standing alone."""


def claim(sql: sqlite3.Connection, readings: Sequence[Reading], policies: Mapping[str, Policy]) -> list[Arrival]:
    """Raws that are no longer waiting were joined before: nothing happens twice. Those whose channel has gone
    meanwhile wait on."""
    claimed = {row[0]: row for row in bulk.update(sql, _CLAIM, _CLAIMED, [one.raw_id for one in readings])}
    gone = [row[0] for row in claimed.values() if row[1] not in policies]
    bulk.update(sql, _GIVE_BACK, "", gone)
    for raw_id in gone:
        del claimed[raw_id]
    arrivals = []
    for reading in readings:
        row = claimed.pop(reading.raw_id, None)  # popped: a raw that was read twice arrives once
        if row is not None:
            arrivals.append(_arrival(row, reading, policies[row[1]]))
    if not forgotten.has_any(sql):
        return arrivals
    return [welcome for arrival in arrivals for welcome in _welcome(sql, arrival)]


def _welcome(sql: sqlite3.Connection, arrival: Arrival) -> list[Arrival]:
    """Without messages that were forgotten and come back by another way; with none left the raw goes too."""
    messages = forgotten.without_forgotten(sql, arrival.channel, arrival.messages)
    if len(messages) == len(arrival.messages):
        return [arrival]
    erasing.erase_raws(sql, [arrival.raw_id], only_contents=bool(messages))
    return [msgspec.structs.replace(arrival, messages=messages, draft=None)] if messages else []


def counts(message: Message) -> bool:
    """Whether it can make an event: company and machines are context."""
    return message.author.role is Role.CUSTOMER and not message.is_automatic


def unfiled_row(arrival: Arrival, conversation: int, reference: str) -> tuple[object, ...]:
    """Of one whose record deserves no ticket."""
    assert arrival.draft is not None
    sign = arrival.messages[0].automatic_reason
    return unfiled.row(conversation, arrival.channel, reference, arrival.draft.record, sign, arrival.received_at)


def _arrival(row: Any, reading: Reading, policy: Policy) -> Arrival:
    raw_id, channel, key, ordinal, received_at, conversation, thread = row
    messages = [_identified(message, key, ordinal, received_at, at) for at, message in enumerate(reading.messages)]
    return Arrival(
        raw_id=raw_id, channel=channel, key=key, thread=thread, received_at=received_at, conversation=conversation,
        policy=policy, messages=messages, draft=reading.draft if len(messages) == 1 else None,
    )  # fmt: skip


def _identified(message: Message, key: str, ordinal: int, received_at: float, index: int) -> Message:
    """Fill in what the source left to us: an id from the raw's key, a revision from its ordinal, a sane time. The raw
    keeps the HTML."""
    posted_at, html = _clamp(message.posted_at, received_at), "" if message.text else message.html
    if message.external_id and message.revision and posted_at == message.posted_at and html == message.html:
        return message
    return replace(
        message,
        external_id=message.external_id or (key if index == 0 else f"{key}#{index}"),
        revision=message.revision or str(ordinal),
        posted_at=posted_at,
        html=html,
    )


def _clamp(posted_at: datetime | None, received_at: float) -> datetime | None:
    """A claim about the future is not believed."""
    if posted_at is None:
        return None
    return posted_at if stamp(posted_at) <= received_at else known_moment(received_at)
