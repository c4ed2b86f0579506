"""Deliveries on their way down their lines: pending → sending → sent | pending again | doubt | letter."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from allears.journal import bulk
from allears.journal.accepting import write_letter
from allears.journal.records import DeliveryState, DueDelivery, Frozen, LetterKind, Outcome
from allears.journal.rows import dump, load, stamp
from allears.journal.turns import channels_of, interleaved, turned
from allears_sdk import codec
from allears_sdk.complaint import Event
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Ticket

_COLUMNS = (
    "d.id, d.line_id, d.state, d.attempts, d.lookups, d.payload, d.progress, d.event_id, l.complaint_id,"
    " l.destination, l.successor, l.ticket, e.body, d.channel, d.replayed, l.former"
)
_LOAD = (
    f"SELECT {_COLUMNS} FROM deliveries d JOIN lines l ON l.id = d.line_id"
    " JOIN events e ON e.conversation_id = l.conversation_id AND e.sequence = d.sequence WHERE d.id IN"
)
_FREEZE = (
    ") UPDATE deliveries SET state='sending', payload=new.payload, deadline=new.deadline, next_at=new.next_at,"
    " lookups=0, replayed=0 FROM new WHERE deliveries.id = new.id AND state IN ('pending','doubt','sending')"
    " RETURNING deliveries.id"
)
_CALL_OFF = (
    "UPDATE deliveries SET state='discarded', head=0, doubtful=max(doubtful, state != 'pending'), payload=NULL,"
    " progress='{}' WHERE id IN"
)
_SEALED = (
    "state IN ('pending','doubt','sending') AND line_id IN (SELECT l.id FROM lines l JOIN conversations c"
    " ON c.id = l.conversation_id WHERE l.id = deliveries.line_id AND c.seed = x'')"
)
_SENT = (
    "UPDATE deliveries SET state='sent', head=0, sent_at=?, doubtful=0, reason='', attempts=attempts+1"
    " WHERE state IN ('pending','doubt','sending') AND id IN"
)
_TICKETS = ") UPDATE lines SET ticket=new.ticket FROM new WHERE lines.id = new.id"
_COUNT = "INSERT INTO sent_counts (destination, sent, last_at) VALUES"
_COUNTING = "ON CONFLICT (destination) DO UPDATE SET sent = sent + excluded.sent, last_at = excluded.last_at"
_ADVANCE = (
    "UPDATE deliveries SET head=1 WHERE id IN (SELECT (SELECT n.id FROM deliveries n WHERE n.line_id = d.line_id"
    " AND n.sequence > d.sequence AND n.state NOT IN ('sent','discarded') ORDER BY n.sequence LIMIT 1)"
    " FROM deliveries d WHERE d.id IN"
)
_ON_ITS_WAY = frozenset({"pending", "sending", "doubt"})
_WAITS = "head=1 AND state IN ('pending','doubt') AND destination=?"
_LOST = "state='sending' AND head=1 AND destination=?"
"""With nobody holding it, a claim was lost: its courier could not say what came of it."""


def due(
    sql: sqlite3.Connection, destination: str, now: float, limit: int, leased: Collection[int], after: str
) -> list[tuple[str, DueDelivery]]:
    """Heads of lines that may move now and that nobody holds, each with its channel: P1 first, channels in turn."""
    channels = turned(channels_of(sql, "deliveries", _WAITS, destination), after)
    queues = [_heads(sql, f"{_WAITS} AND channel=?", (destination, name), now, limit, leased) for name in channels]
    queues.append(_heads(sql, _LOST, (destination,), now, limit, leased))
    chosen = [delivery for delivery, _ in sorted(interleaved(queues), key=itemgetter(1))[:limit]]
    loaded = {row[0]: row for row in bulk.select(sql, _LOAD, chosen)}
    return [_due(loaded[delivery]) for delivery in chosen if delivery in loaded]


def next_at(sql: sqlite3.Connection, destination: str, leased: Collection[int]) -> float | None:
    """When the next head of a line that nobody holds may move."""
    firsts = []
    for where in (_WAITS, _LOST):
        query = f"SELECT id, next_at FROM deliveries WHERE {where} ORDER BY next_at LIMIT ?"
        rows = sql.execute(query, (destination, len(leased) + 1))
        firsts += [at for id_, at in rows if id_ not in leased][:1]
    return min(firsts, default=None)


def freeze(sql: sqlite3.Connection, frozen: Sequence[Frozen]) -> frozenset[int]:
    """Those that may go: nobody has called them off since they were taken."""
    _call_off_forgotten(sql, [one.delivery for one in frozen])
    rows = [(one.delivery, one.payload, stamp(one.deadline), stamp(one.resolve_at)) for one in frozen]
    done = bulk.execute(sql, "WITH new (id, payload, deadline, next_at) AS (VALUES", _FREEZE, rows)
    return frozenset(delivery for (delivery,) in done)


def _call_off_forgotten(sql: sqlite3.Connection, ids: Sequence[int]) -> None:
    """What was in doubt when its customer was forgotten has been looked up and is not there: it is not sent again."""
    if sql.execute("SELECT 1 FROM forgetting_items LIMIT 1").fetchone() is not None:
        bulk.update(sql, _CALL_OFF, f"AND {_SEALED}", ids)


def note_progress(sql: sqlite3.Connection, delivery: int, note: Mapping[str, Any]) -> None:
    sql.execute("UPDATE deliveries SET progress=? WHERE id=?", (dump(note), delivery))


def note_outcomes(sql: sqlite3.Connection, outcomes: Sequence[Outcome], now: float) -> None:
    """What came of deliveries. Of one that is no longer on its way (a late answer), nothing."""
    sent = {one.delivery: one for one in outcomes if one.state is DeliveryState.SENT and not one.reopen}
    _note_sent(sql, sent, now)
    for outcome in outcomes:
        if outcome.delivery not in sent:
            _note_other(sql, outcome, now)


def _note_other(sql: sqlite3.Connection, outcome: Outcome, now: float) -> None:
    row = sql.execute("SELECT state FROM deliveries WHERE id=?", (outcome.delivery,)).fetchone()
    if row is None or row[0] not in _ON_ITS_WAY:
        return
    if outcome.reopen:
        _reopen_line(sql, outcome.delivery)
    if outcome.state is DeliveryState.SENT:
        _note_sent(sql, {outcome.delivery: outcome}, now)
    elif outcome.state is DeliveryState.LETTER:
        _note_letter(sql, outcome, now)
    elif outcome.state is DeliveryState.DISCARDED:
        _note_discarded(sql, outcome)
    else:
        _note_waiting(sql, outcome)


def _note_waiting(sql: sqlite3.Connection, outcome: Outcome) -> None:
    assert outcome.at is not None, "pending and doubt say when"
    sql.execute(
        "UPDATE deliveries SET state=?, next_at=?, reason=?, lookups=?, doubtful=?, attempts=attempts+?,"
        " payload = CASE WHEN ? THEN NULL ELSE payload END WHERE id=?",
        (
            outcome.state.value, stamp(outcome.at), outcome.reason[:2000], outcome.lookups,
            int(outcome.state is DeliveryState.DOUBT), int(outcome.attempted), outcome.anew, outcome.delivery,
        ),
    )  # fmt: skip


def recover(sql: sqlite3.Connection) -> int:
    """After a start: what was being sent is in doubt, until deadline plus wait as frozen in `next_at`."""
    return sql.execute(
        "UPDATE deliveries SET state='doubt', doubtful=1, attempts=attempts+1 WHERE state='sending'"
    ).rowcount


def replay(sql: sqlite3.Connection, delivery: int, now: float) -> None:
    """Try a letter again: in doubt with the payload it had (looked up first, where the store can be asked), else
    rendered afresh."""
    sql.execute(
        "UPDATE deliveries SET state = CASE WHEN doubtful = 1 THEN 'doubt' ELSE 'pending' END, replayed=1, next_at=?,"
        " attempts=0, lookups=0, reason='', payload = CASE WHEN doubtful = 1 THEN payload END"
        " WHERE id=? AND state='letter'",
        (now, delivery),
    )


def discard(sql: sqlite3.Connection, delivery: int) -> None:
    """Let the line move on; when this was the opening, the next event becomes it."""
    sql.execute("UPDATE deliveries SET state='discarded', head=0 WHERE id=? AND state='letter'", (delivery,))
    _advance_lines(sql, [delivery])


def _heads(
    sql: sqlite3.Connection, where: str, values: tuple[str, ...], now: float, limit: int, leased: Collection[int]
) -> list[tuple[int, str]]:
    rows = sql.execute(
        f"SELECT id, priority FROM deliveries WHERE {where} AND next_at <= ? ORDER BY priority, id LIMIT ?",
        (*values, now, limit + len(leased)),
    )
    return [row for row in rows if row[0] not in leased][:limit]


def _due(row: Any) -> tuple[str, DueDelivery]:
    opening = ticket_key(row[8], row[9], row[10])
    ticket = codec.decode(row[11], Ticket) if row[11] else None
    return row[13], DueDelivery(
        id=row[0], line=row[1], state=DeliveryState(row[2].replace("sending", "doubt")), attempts=row[3],
        lookups=row[4], payload=row[5] or b"", progress=load(row[6]), event=codec.decode(row[12], Event),
        ticket=ticket, ticket_key=opening, event_key=event_key(opening, row[7]), replayed=bool(row[14]),
        former=tuple(str(one["id"]) for one in load(row[15])),
    )  # fmt: skip


def _note_sent(sql: sqlite3.Connection, outcomes: Mapping[int, Outcome], now: float) -> None:
    rows = bulk.update(sql, _SENT, "RETURNING id, line_id, destination", list(outcomes), now)
    tickets = [(line, outcomes[delivery].ticket) for delivery, line, _ in rows]
    encoded = [(line, codec.encode(ticket).decode()) for line, ticket in tickets if ticket is not None]
    bulk.write(sql, "WITH new (id, ticket) AS (VALUES", _TICKETS, encoded)
    counts = Counter(destination for _, _, destination in rows)
    bulk.write(sql, _COUNT, _COUNTING, [(destination, count, now) for destination, count in counts.items()])
    _advance_lines(sql, [delivery for delivery, _, _ in rows])


def _note_letter(sql: sqlite3.Connection, outcome: Outcome, now: float) -> None:
    row = sql.execute(
        "UPDATE deliveries SET state='letter', reason=?, doubtful=?, attempts=attempts+1 WHERE id=?"
        " RETURNING destination, complaint_id",
        (outcome.reason[:2000], int(outcome.doubtful), outcome.delivery),
    ).fetchone()
    write_letter(
        sql, kind=LetterKind.DELIVERY, place=row[0], reason=outcome.reason[:2000], detail=outcome.detail, at=now,
        delivery_id=outcome.delivery, complaint_id=row[1], identity=f"delivery:{outcome.delivery}",
    )  # fmt: skip


def _note_discarded(sql: sqlite3.Connection, outcome: Outcome) -> None:
    sql.execute(
        "UPDATE deliveries SET state='discarded', head=0, reason=?, doubtful=?, attempts=attempts+? WHERE id=?",
        (outcome.reason[:2000], int(outcome.doubtful), int(outcome.attempted), outcome.delivery),
    )
    _advance_lines(sql, [outcome.delivery])


def _reopen_line(sql: sqlite3.Connection, delivery: int) -> None:
    """The ticket is gone: this delivery opens its linked successor, under a key of its own."""
    row = sql.execute(
        "SELECT l.id, l.ticket, l.former FROM deliveries d JOIN lines l ON l.id = d.line_id WHERE d.id=?", (delivery,)
    ).fetchone()
    former = [*load(row[2]), load(row[1])] if row[1] else load(row[2])
    sql.execute("UPDATE lines SET ticket=NULL, successor=successor+1, former=? WHERE id=?", (dump(former), row[0]))
    sql.execute("UPDATE deliveries SET payload=NULL, progress='{}' WHERE id=?", (delivery,))


def _advance_lines(sql: sqlite3.Connection, done: Sequence[int]) -> None:
    """After each of these deliveries the next one of its line that waits leads it."""
    bulk.update(sql, _ADVANCE, ")", done)
