"""What is kept per channel and destination: state, counts, lag, tokens."""

from __future__ import annotations

import sqlite3
from typing import Any

from allears.journal import conversations, replies
from allears.journal.records import ChannelRow, DestinationRow, Policy
from allears.journal.rows import moment
from allears_sdk.connector import Threading

_NAMED = (
    "channels", "cursors", "raws", "conversations", "names", "messages", "complaints", "deliveries", "unfiled",
    "fetches", "forgotten",
)  # fmt: skip


def note(
    sql: sqlite3.Connection,
    name: str,
    *,
    connector: str,
    state: str,
    reason: str,
    now: float,
    success: bool,
    heeded: int | None,
) -> bool:
    written = sql.execute(
        "INSERT INTO channels (name, connector, state, reason, since, last_success_at) VALUES (?1,?2,?3,?4,?5,?6)"
        " ON CONFLICT (name) DO UPDATE SET connector = excluded.connector,"
        " since = CASE WHEN channels.state = excluded.state THEN channels.since ELSE excluded.since END,"
        " state = excluded.state, reason = excluded.reason,"
        " last_success_at = coalesce(excluded.last_success_at, channels.last_success_at)"
        " WHERE ?7 IS NULL OR channels.orders = ?7",
        (name, connector, state, reason[:2000], now, now if success else None, heeded),
    )
    return written.rowcount > 0


def order(sql: sqlite3.Connection, name: str, *, connector: str, state: str, now: float) -> None:
    sql.execute(
        "INSERT INTO channels (name, connector, state, since, orders) VALUES (?,?,?,?,1)"
        " ON CONFLICT (name) DO UPDATE SET"
        " since = CASE WHEN channels.state = excluded.state THEN channels.since ELSE excluded.since END,"
        " state = excluded.state, reason = '', orders = channels.orders + 1",
        (name, connector, state, now),
    )


def listed(sql: sqlite3.Connection) -> list[ChannelRow]:
    rows = sql.execute(
        "SELECT name, connector, state, reason, since, seen, stored, duplicate, quarantined, last_success_at,"
        " last_item_at, orders FROM channels ORDER BY name"
    ).fetchall()
    return [_channel(sql, row) for row in rows]


def rename(sql: sqlite3.Connection, old: str, new: str) -> None:
    """Raises ValueError when there is nothing under `old` or something under `new`."""
    if not sql.execute("SELECT 1 FROM channels WHERE name=?", (old,)).fetchone():
        raise ValueError(f'the journal knows no channel "{old}"')
    if sql.execute("SELECT 1 FROM channels WHERE name=?", (new,)).fetchone():
        raise ValueError(f'the journal holds a channel "{new}" already')
    _keep_promises(sql, old)
    for table in _NAMED:
        column = "name" if table == "channels" else "channel"
        sql.execute(f"UPDATE {table} SET {column}=? WHERE {column}=?", (new, old))
    sql.execute(
        "UPDATE letters SET identity = kind || ':' || ? || substr(identity, length(kind || ':' || place) + 1)"
        " WHERE place=? AND kind IN ('missing', 'gap')",
        (new, old),
    )
    sql.execute("UPDATE letters SET place=? WHERE place=? AND kind != 'delivery'", (new, old))
    replies.rename(sql, old, new)
    sql.execute("UPDATE tokens SET space=? WHERE space=?", (f"channel:{new}", f"channel:{old}"))


def _keep_promises(sql: sqlite3.Connection, channel: str) -> None:
    """References told in answers follow from the channel's name: their conversations are made while it has it."""
    threads = sql.execute(
        "SELECT thread, min(received_at) FROM raws WHERE channel=? AND thread != '' AND conversation_id IS NULL"
        " AND state IN ('waiting', 'quarantined') GROUP BY thread",
        (channel,),
    ).fetchall()
    for thread, at in threads:
        conversations.for_thread(sql, channel, thread, "", at, Policy(threading=Threading.ITEM))


def destinations(sql: sqlite3.Connection) -> list[DestinationRow]:
    rows: dict[str, dict[str, Any]] = {}
    for name, sent, last_at in sql.execute("SELECT destination, sent, last_at FROM sent_counts"):
        rows[name] = {"sent": sent, "last_sent_at": moment(last_at)}
    query = (
        "SELECT destination, state, count(*), min(created_at), max(reason) FROM deliveries"
        " WHERE state IN ('pending','sending','doubt','letter') GROUP BY destination, state"
    )
    for name, state, count, oldest, reason in sql.execute(query):
        _add(rows.setdefault(name, {}), state, count, oldest, reason)
    return [DestinationRow(name=name, **facts) for name, facts in sorted(rows.items())]


def _add(facts: dict[str, Any], state: str, count: int, oldest: float, reason: str) -> None:
    if state == "letter":
        facts["letters"] = count
        return
    column = "doubt" if state == "doubt" else "pending"
    facts[column] = facts.get(column, 0) + count
    facts["last_reason"] = reason or facts.get("last_reason", "")
    since = moment(oldest)
    known = facts.get("oldest_pending_at")
    facts["oldest_pending_at"] = since if known is None or (since and since < known) else known


def _channel(sql: sqlite3.Connection, row: Any) -> ChannelRow:
    waiting, oldest = sql.execute(
        "SELECT count(*), min(stored_at) FROM raws WHERE state='waiting' AND channel=?", (row[0],)
    ).fetchone()
    return ChannelRow(
        name=row[0], connector=row[1], state=row[2], reason=row[3], since=moment(row[4]), seen=row[5], stored=row[6],
        duplicate=row[7], quarantined=row[8], last_success_at=moment(row[9]), last_item_at=moment(row[10]),
        orders=row[11], waiting=waiting, oldest_waiting_at=moment(oldest),
    )  # fmt: skip
