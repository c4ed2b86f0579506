"""Filing: the event, the record as it was then, and one delivery for every destination of the complaint."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from allears.journal import bulk, conversations, fetches, links, replies, unfiled
from allears.journal.arrivals import Arrival, counts
from allears.journal.conversations import Row
from allears.journal.links import Circle, Place
from allears.journal.records import DueConversation, Reply, Route, Router
from allears.journal.routed import routed
from allears.journal.rows import known_moment, stamp
from allears_sdk import codec
from allears_sdk.complaint import Complaint, Event, EventKind
from allears_sdk.message import Kind, Message, Role
from allears_sdk.reference import event_id
from normalizer.conversation import Draft
from normalizer.derive import changes

Before = float
"""What was said before this time (the journal's birth or restoration) may be in the ticket stores already."""


_INTO_EVENTS = "INSERT INTO events (conversation_id, sequence, id, complaint_id, kind, at, body) VALUES"
_INTO_COMPLAINTS = (
    "INSERT INTO complaints (conversation_id, id, channel, title, nature, category, priority, customer, opened_at,"
    " updated_at, events) VALUES"
)
_UPDATING = (
    "ON CONFLICT (conversation_id) DO UPDATE SET title=excluded.title, nature=excluded.nature,"
    " category=excluded.category, priority=excluded.priority, customer=excluded.customer,"
    " updated_at=excluded.updated_at, events=excluded.events"
)
_INTO_LINES = "INSERT INTO lines (conversation_id, complaint_id, destination) VALUES"
_INTO_DELIVERIES = (
    "INSERT INTO deliveries (line_id, sequence, event_id, complaint_id, destination, channel, priority, state, head,"
    " doubtful, created_at, next_at) VALUES"
)


class Filed(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be written, and where it goes."""

    event: Event
    conversation: int
    channel: str
    at: float
    route: Route
    doubtful: bool
    reply: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A message no event has carried yet."""

    id: int
    external_id: str
    revision: str
    kind: str
    said_at: float
    counts: bool


def opening(
    row: Row, arrival: Arrival, message: Message, router: Router, before: Before, circle: Circle
) -> Filed | None:
    """The first event of a conversation of one message, with the record its worker made, without deriving again. None
    when it does not deserve filing."""
    draft = arrival.draft
    if draft is None or not draft.files:
        return None
    derived = replace(
        draft.record, id=row.reference, related=tuple(row.related), received_at=known_moment(row.opened_at)
    )
    derived = circle.place(derived, draft, Place(conversation=row.id, reference=row.reference))
    route = router(derived)
    key = event_id(row.reference, _key(message.external_id, message.revision))
    event = Event(
        id=key,
        complaint_id=row.reference,
        sequence=1,
        kind=EventKind.OPENED,
        at=known_moment(arrival.received_at),
        record=routed(derived, None, route),
        messages=(message.external_id,),
        keys={key: message.external_id},
    )
    said_at = arrival.received_at if message.posted_at is None else stamp(message.posted_at)
    return Filed(
        event=event, conversation=row.id, channel=row.channel, at=arrival.received_at, route=route,
        doubtful=said_at < before, reply=_reply(route, event, message, known_moment(arrival.received_at)),
    )  # fmt: skip


def write_openings(sql: sqlite3.Connection, filed: Sequence[Filed]) -> None:
    """Events of complaints that were not there before, with their new lines and deliveries."""
    _write(sql, filed)
    places = [(one, name) for one in filed for name in _names(one.route)]
    lines = _make_lines(sql, [_line(one, name) for one, name in places])
    rows = [_delivery(one, name, lines[one.conversation, name], is_head=True) for one, name in places]
    bulk.write(sql, _INTO_DELIVERIES, "", rows)
    for one in filed:
        if one.reply is not None and not one.doubtful:  # what may have been answered before is not answered
            replies.write(sql, one.reply, one.event, one.conversation, one.channel, one.at)


def file_due(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    draft: Draft,
    router: Router,
    before: Before,
    now: float,
    *,
    settles: bool,
) -> bool:
    """File a derived record if the conversation still stands as it was read."""
    row = sql.execute("SELECT version FROM conversations WHERE id=?", (conversation.id,)).fetchone()
    if row is None or row[0] != conversation.version:
        return False
    conversations.clear_timer(sql, conversation.id)
    latest = latest_event(sql, conversation.id)
    fresh = _new_messages(sql, conversation.id)
    record = _settled(sql, conversation, draft, latest, now)
    if record is None:
        return True
    record = placed(sql, conversation, draft, record, latest)
    if latest is None or any(message.counts for message in fresh):
        _file(sql, conversation, record, latest, [fresh] if settles else _one_by_one(fresh), router, before, now)
    elif _is_completed(latest.record, record) and (came := fetches.untold(sql, conversation.id)):
        _file_completed(sql, conversation, record, latest, came, router, before, now)
    return True


def placed(
    sql: sqlite3.Connection, conversation: DueConversation, draft: Draft, record: Complaint, latest: Event | None
) -> Complaint:
    """Among the others of its customer and order, which may have been filed since it was read."""
    record = replace(record, related=links.related_of(sql, conversation.id))
    circle = Circle(sql, [draft])
    place = Place(conversation=conversation.id, reference=conversation.reference)
    record = circle.place(record, draft, place, latest.record if latest else None)
    circle.write()
    return record


def _is_completed(before: Complaint, after: Complaint) -> bool:
    """Whether files or names have come."""
    names = ("attachments", "contact", "customer", "customer_id")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _file_completed(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    derived: Complaint,
    latest: Event,
    came: Sequence[tuple[str, float]],
    router: Router,
    before: Before,
    now: float,
) -> None:
    """What was still at the platform has come, or never will."""
    doubtful = min(said_at for _, said_at in came) < before
    key = max(key for key, _ in came)
    event = file_without_messages(sql, conversation, derived, latest, router, now, key=key, doubtful=doubtful)
    fetches.tell(sql, conversation.id, event.id)


def file_without_messages(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    derived: Complaint,
    latest: Event,
    router: Router,
    now: float,
    *,
    key: str,
    doubtful: bool,
) -> Event:
    """An event for what nobody said. `key`: the same for the same cause, so that it is known when it comes again."""
    route = router(derived)
    event = _event(routed(derived, latest.record, route), latest, (), now, key=key)
    filed = Filed(
        event=event, conversation=conversation.id, channel=conversation.channel, at=now, route=route, doubtful=doubtful,
    )  # fmt: skip
    _write(sql, [filed])
    _deliver(sql, filed)
    return event


def _settled(
    sql: sqlite3.Connection, conversation: DueConversation, draft: Draft, latest: Event | None, now: float
) -> Complaint | None:
    """The record to file; None while it deserves no ticket and nobody wants it."""
    if draft.files and (latest is None or draft.record.nature == latest.record.nature):
        if latest is None:
            unfiled.forget(sql, conversation.id)
        return draft.record
    if unfiled.is_wanted(sql, conversation.id):
        return unfiled.as_wanted(draft.record)
    if latest is None and conversation.messages:
        sign = conversation.messages[0].message.automatic_reason
        row = unfiled.row(conversation.id, conversation.channel, conversation.reference, draft.record, sign, now)
        unfiled.write(sql, [row])
        return None
    return draft.record


def _file(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    derived: Complaint,
    latest: Event | None,
    groups: Sequence[Sequence[_New]],
    router: Router,
    before: Before,
    now: float,
) -> None:
    route = router(derived)
    for messages in groups:
        record = routed(derived, latest.record if latest else None, route)
        latest = _event(record, latest, messages, now)
        filed = Filed(
            event=latest, conversation=conversation.id, channel=conversation.channel, at=now, route=route,
            doubtful=min((message.said_at for message in messages), default=now) < before,
            reply=_reply(route, latest, *_opener(conversation, messages)) if latest.sequence == 1 else None,
        )  # fmt: skip
        if latest.sequence == 1:
            write_openings(sql, [filed])
        else:
            _write(sql, [filed])
            _deliver(sql, filed)
        sql.executemany("UPDATE messages SET event_id=? WHERE id=?", [(latest.id, message.id) for message in messages])
    if latest is not None and derived.attachments:
        fetches.tell(sql, conversation.id, latest.id)


def _opener(conversation: DueConversation, fresh: Sequence[_New]) -> tuple[Message | None, datetime]:
    """The newest message that counts among these, and when it was received."""
    ids = {message.external_id for message in fresh}
    heard = [one for one in conversation.messages if one.message.external_id in ids and counts(one.message)]
    return (heard[-1].message, heard[-1].received_at) if heard else (None, conversation.opened_at)


def _reply(route: Route, event: Event, message: Message | None, received_at: datetime) -> Reply | None:
    if route.responder is None or message is None:
        return None
    return route.responder(event.record, message, received_at)


def _one_by_one(fresh: Sequence[_New]) -> list[list[_New]]:
    """An event for each message that counts, so that reading them again after a restore, in whatever groups,
    gives the same events; what does not count goes with the next that does, or with the last."""
    groups: list[list[_New]] = [[]]
    for message in fresh:
        groups[-1].append(message)
        if message.counts:
            groups.append([])
    tail = groups.pop()
    if not groups:
        return [tail]
    groups[-1].extend(tail)
    return groups


def latest_event(sql: sqlite3.Connection, conversation: int) -> Event | None:
    """The newest event of a conversation's complaint, None while it has not been filed."""
    row = sql.execute(
        "SELECT body FROM events WHERE conversation_id=? ORDER BY sequence DESC LIMIT 1", (conversation,)
    ).fetchone()
    return codec.decode(row[0], Event) if row else None


def _new_messages(sql: sqlite3.Connection, conversation: int) -> list[_New]:
    rows = sql.execute(
        "SELECT id, external_id, revision, kind, coalesce(posted_at, received_at), counts FROM messages"
        " WHERE conversation_id=? AND event_id IS NULL ORDER BY coalesce(posted_at, received_at), id",
        (conversation,),
    )
    return [
        _New(id=row[0], external_id=row[1], revision=row[2], kind=row[3], said_at=row[4], counts=bool(row[5]))
        for row in rows
    ]


def _event(record: Complaint, latest: Event | None, fresh: Sequence[_New], at: float, *, key: str = "") -> Event:
    """Known by all its messages: told together with others after a restore, they are another event, and what the
    stores know of them is looked up by the messages' own keys."""
    sequence = latest.sequence + 1 if latest else 1
    counting = [message for message in fresh if message.counts]
    causes = [_key(message.external_id, message.revision) for message in counting or fresh[-1:]]
    return Event(
        id=event_id(record.id, *([key] if key else causes or [f"sequence {sequence}"])),
        complaint_id=record.id,
        sequence=sequence,
        kind=_kind(latest, fresh, record),
        at=known_moment(at),
        record=record,
        messages=tuple(dict.fromkeys(message.external_id for message in fresh)),
        keys={event_id(record.id, _key(one.external_id, one.revision)): one.external_id for one in counting},
        changes=changes(latest.record, record) if latest else {},
    )


def _kind(latest: Event | None, fresh: Sequence[_New], record: Complaint) -> EventKind:
    """Withdrawn is a complaint of which nothing is left; who takes back one of several messages edits it."""
    if latest is None:
        return EventKind.OPENED
    kinds = {message.kind for message in fresh if message.counts}
    if kinds == {Kind.WITHDRAWN.value} and _is_all_withdrawn(record):
        return EventKind.WITHDRAWN
    is_edit = kinds and kinds <= {Kind.EDITED.value, Kind.WITHDRAWN.value}
    return EventKind.EDITED if is_edit else EventKind.FOLLOWED_UP


def _is_all_withdrawn(record: Complaint) -> bool:
    newest = {said.id: said.kind for said in record.conversation if said.role is Role.CUSTOMER}
    return all(kind == Kind.WITHDRAWN.value for kind in newest.values())


def _key(external_id: str, revision: str) -> str:
    return f"{external_id}\n{revision}"


def _write(sql: sqlite3.Connection, filed: Sequence[Filed]) -> None:
    bulk.write(sql, _INTO_EVENTS, "", [_event_row(one) for one in filed])
    bulk.write(sql, _INTO_COMPLAINTS, _UPDATING, [_complaint_row(one) for one in filed])


def _event_row(filed: Filed) -> tuple[object, ...]:
    event = filed.event
    return (
        filed.conversation, event.sequence, event.id, event.complaint_id, event.kind.value, filed.at,
        codec.encode(event),
    )  # fmt: skip


def _complaint_row(filed: Filed) -> tuple[object, ...]:
    record = filed.event.record
    return (
        filed.conversation, record.id, filed.channel, record.title, record.nature, record.category, record.priority,
        record.customer.name or record.customer_id, stamp(record.received_at), filed.at, filed.event.sequence,
    )  # fmt: skip


def _deliver(sql: sqlite3.Connection, filed: Filed) -> None:
    """A delivery on every line the complaint has, and on a new line for each destination matched just now."""
    query = "SELECT destination, id FROM lines WHERE conversation_id=? AND answers IS NULL"
    lines = dict(sql.execute(query, (filed.conversation,)).fetchall())
    made = _make_lines(sql, [_line(filed, name) for name in _names(filed.route) if name not in lines])
    lines |= {name: line for (_, name), line in made.items()}
    query = "SELECT 1 FROM deliveries WHERE line_id=? AND state NOT IN ('sent','discarded') LIMIT 1"
    rows = [
        _delivery(filed, name, line, is_head=sql.execute(query, (line,)).fetchone() is None)
        for name, line in lines.items()
    ]
    bulk.write(sql, _INTO_DELIVERIES, "", rows)


def _names(route: Route) -> list[str]:
    return list(dict.fromkeys(one.name for one in route.destinations if not one.is_view))


def _line(filed: Filed, destination: str) -> tuple[int, str, str]:
    return filed.conversation, filed.event.complaint_id, destination


def _make_lines(sql: sqlite3.Connection, rows: Sequence[tuple[int, str, str]]) -> dict[tuple[int, str], int]:
    """The id of each new line by conversation and destination."""
    made = bulk.execute(sql, _INTO_LINES, "RETURNING conversation_id, destination, id", rows)
    return {(conversation, destination): line for conversation, destination, line in made}


def _delivery(filed: Filed, destination: str, line: int, *, is_head: bool) -> tuple[object, ...]:
    event = filed.event
    return (
        line, event.sequence, event.id, event.complaint_id, destination, filed.channel, event.record.priority or "P3",
        "doubt" if filed.doubtful else "pending", int(is_head), int(filed.doubtful), filed.at, filed.at,
    )  # fmt: skip
