"""Forgetting a customer: a list of what is to be erased, worked off in small steps that anybody may go on with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from allears.journal import bulk, chats, conversations, erasing, redacting, sweeping
from allears.journal.blobs import Blobs
from allears.journal.rows import known_moment, moment
from allears_sdk import codec
from allears_sdk.message import Message

STEP_ROWS = 200
"""Rows erased in one transaction, about [5 ms]."""
_INTO_ITEMS = "INSERT INTO forgetting_items (kind, item, forgetting) VALUES"
_CHOSEN = "(SELECT item FROM forgetting_items WHERE kind='conversation')"
_COUNTS = (
    "(SELECT count(*) FROM forgetting_items WHERE kind != 'blob')",
    *(f"(SELECT count(*) FROM {one} WHERE conversation_id IN {_CHOSEN})" for one in ("messages", "fetches", "events")),
    f"(SELECT count(*) FROM lines l JOIN deliveries d ON d.line_id = l.id WHERE l.conversation_id IN {_CHOSEN})",
)
_SAY_ONCE = "ON CONFLICT DO NOTHING"


class Name(msgspec.Struct, frozen=True):
    """By which a conversation is found."""

    channel: str
    name: str
    conversation: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be erased, as it was found."""

    conversations: Sequence[int] = ()
    """Wholly."""
    messages: Sequence[int] = ()
    """In conversations that are another's."""
    raws: Sequence[int] = ()
    """That no message was read from."""
    names: Sequence[Name] = ()
    words: Sequence[str] = ()
    """Identifiers, as letters and reasons may repeat them."""
    newest_message: int = 0
    newest_raw: int = 0
    """What came later was not looked at."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One forgetting, as the audit shows it: nothing in it is the customer's."""

    id: int
    begun_at: str
    by: str
    finished_at: str | None
    is_compacted: bool
    conversations: int
    messages: int
    cancelled: int
    left: int
    """Things still to be erased: on their way to a destination, or held by a backup."""
    tickets: Sequence[tuple[str, str]]
    """To be erased there: (destination, id and address)."""


def begin(sql: sqlite3.Connection, plan: Plan, by: str, now: float) -> int:
    """From here on it goes on by itself: nothing joins what is to be erased, nothing more of it is sent."""
    (job,) = sql.execute("INSERT INTO forgettings (begun_at, by) VALUES (?,?) RETURNING id", (now, by)).fetchone()
    chosen = set(plan.conversations)
    names = {*plan.names, *_later_names(sql, plan, chosen)}
    query = "DELETE FROM names WHERE channel=? AND name=? AND conversation_id=?"
    sql.executemany(query, [(one.channel, one.name, one.conversation) for one in names])
    cancelled = sum(erasing.seal(sql, one) for one in plan.conversations)
    _blank_words(sql, plan.words)
    raws = _without_unread(sql, [*plan.raws, *_later_raws(sql, plan, chosen)])
    for kind, items in (("conversation", plan.conversations), ("message", plan.messages), ("raw", raws)):
        bulk.write(sql, _INTO_ITEMS, _SAY_ONCE, [(kind, item, job) for item in items])
    query = "UPDATE forgettings SET conversations=?, cancelled=? WHERE id=?"
    sql.execute(query, (len(plan.conversations), cancelled, job))
    return int(job)


def step(sql: sqlite3.Connection, now: float) -> int:
    """One transaction's worth; how many rows were erased, 0 when nothing can be done now but files."""
    room = STEP_ROWS
    query = (
        "SELECT kind, item, forgetting FROM forgetting_items WHERE state='new' AND kind IN"
        " ('conversation','message','raw') LIMIT ?"
    )
    for kind, item, job in sql.execute(query, (STEP_ROWS,)).fetchall():
        room -= _ITEMS[kind](sql, item, job, room)
        sql.execute("UPDATE forgetting_items SET forgetting=? WHERE kind='blob' AND forgetting=0", (job,))
        if room <= 0:
            break
    _finish(sql, now)
    return STEP_ROWS - room


def files_left(sql: sqlite3.Connection) -> list[str]:
    """Some of the files to be removed."""
    query = "SELECT item FROM forgetting_items WHERE kind='blob' ORDER BY item LIMIT ?"
    return [name for (name,) in sql.execute(query, (STEP_ROWS,))]


def forget_file(sql: sqlite3.Connection, blobs: Blobs, name: str, now: float) -> bool:
    """Whether that is done: a file goes when nobody else has it, and not in the minute in which it was written."""
    is_done = sweeping.remove(sql, blobs, name, age_seconds=sweeping.YOUNG_SECONDS)
    if is_done:
        _done(sql, "blob", name)
        _finish(sql, now)
    return is_done


def wake(sql: sqlite3.Connection) -> None:
    """Look again at what had to wait."""
    sql.execute("UPDATE forgetting_items SET state='new' WHERE state='waits'")


def is_any_left(sql: sqlite3.Connection) -> bool:
    """Whether something could be done now."""
    return sql.execute("SELECT 1 FROM forgetting_items WHERE state='new' LIMIT 1").fetchone() is not None


def count_left(sql: sqlite3.Connection) -> int:
    return int(sql.execute("SELECT count(*) FROM forgetting_items").fetchone()[0])


def count_rows(sql: sqlite3.Connection) -> int:
    """About how many rows it will take to erase what is left."""
    (total,) = sql.execute(f"SELECT {' + '.join(_COUNTS)}").fetchone()
    return int(total)


def note_compacted(sql: sqlite3.Connection, now: float) -> None:
    """The journal's file was written anew: nothing of what was erased before is left in it."""
    sql.execute("UPDATE forgettings SET compacted_at=? WHERE finished_at IS NOT NULL", (now,))


def is_compact(sql: sqlite3.Connection) -> bool:
    return sql.execute("SELECT 1 FROM forgettings WHERE compacted_at IS NULL LIMIT 1").fetchone() is None


def past(sql: sqlite3.Connection) -> list[Past]:
    """The newest first."""
    query = (
        "SELECT id, begun_at, by, finished_at, compacted_at, conversations, messages, cancelled,"
        " (SELECT count(*) FROM forgetting_items i WHERE i.forgetting = f.id) FROM forgettings f ORDER BY id DESC"
    )
    tickets = "SELECT destination, ticket FROM forgetting_tickets WHERE forgetting=? ORDER BY destination, ticket"
    return [
        Past(
            id=row[0], begun_at=known_moment(row[1]).isoformat(), by=row[2],
            finished_at=None if (at := moment(row[3])) is None else at.isoformat(), is_compacted=row[4] is not None,
            conversations=row[5], messages=row[6], cancelled=row[7], left=row[8],
            tickets=sql.execute(tickets, (row[0],)).fetchall(),
        )
        for row in sql.execute(query).fetchall()
    ]  # fmt: skip


def _forget_conversation(sql: sqlite3.Connection, conversation: int, job: int, room: int) -> int:
    """So much of it as there is room for; the events stay while a delivery may still need them."""
    erased = erasing.erase_messages(sql, conversation, room)
    sql.execute("UPDATE forgettings SET messages = messages + ? WHERE id=?", (erased, job))
    erased += erasing.erase_fetches(sql, conversation, room - erased)
    if erased >= room:
        return erased
    cancelled = erasing.call_off(sql, conversation)
    sql.execute("UPDATE forgettings SET cancelled = cancelled + ? WHERE id=?", (cancelled, job))
    if erasing.is_on_its_way(sql, conversation):
        _hold(sql, "conversation", conversation)
        return erased + 1
    tickets = [(job, place, f"{one} {url}".strip()) for place, one, url in erasing.tickets_of(sql, conversation)]
    bulk.write(sql, "INSERT INTO forgetting_tickets VALUES", _SAY_ONCE, tickets)
    erased += erasing.erase_deliveries(sql, conversation, room - erased)
    if erased >= room:
        return erased
    erasing.erase_rest(sql, conversation)
    _done(sql, "conversation", conversation)
    return erased + 1


def _forget_message(sql: sqlite3.Connection, message: int, job: int, room: int) -> int:
    """One that stands in another's conversation."""
    if redacting.redact(sql, message):
        sql.execute("UPDATE forgettings SET messages = messages + 1 WHERE id=?", (job,))
        _done(sql, "message", message)
    else:
        _hold(sql, "message", message)
    return 5  # a message, its raw, the events of its conversation


def _forget_raw(sql: sqlite3.Connection, raw: int, job: int, room: int) -> int:
    erasing.erase_read_raws(sql, [raw])
    _done(sql, "raw", raw)
    return 1


_ITEMS = {"conversation": _forget_conversation, "message": _forget_message, "raw": _forget_raw}


def _hold(sql: sqlite3.Connection, kind: str, item: int) -> None:
    sql.execute("UPDATE forgetting_items SET state='waits' WHERE kind=? AND item=?", (kind, item))


def _done(sql: sqlite3.Connection, kind: str, item: int | str) -> None:
    sql.execute("DELETE FROM forgetting_items WHERE kind=? AND item=?", (kind, item))


def _finish(sql: sqlite3.Connection, now: float) -> None:
    sql.execute(
        "UPDATE forgettings SET finished_at=? WHERE finished_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM forgetting_items i WHERE i.forgetting = forgettings.id)",
        (now,),
    )


def _later_names(sql: sqlite3.Connection, plan: Plan, chosen: set[int]) -> Iterable[Name]:
    """Of messages that joined since it was looked."""
    query = (
        "SELECT m.conversation_id, m.channel, m.body, r.thread FROM messages m JOIN raws r ON r.id = m.raw_id"
        " WHERE m.id > ?"
    )
    for conversation, channel, body, thread in sql.execute(query, (plan.newest_message,)):
        if conversation in chosen:
            message = codec.decode(body, Message)
            for name in (*conversations.names_of(thread, message), *chats.own_names(message)):
                yield Name(channel, name, conversation)


def _later_raws(sql: sqlite3.Connection, plan: Plan, chosen: set[int]) -> list[int]:
    query = "SELECT id, conversation_id FROM raws WHERE id > ? AND conversation_id IS NOT NULL"
    return [raw for raw, conversation in sql.execute(query, (plan.newest_raw,)) if conversation in chosen]


def _without_unread(sql: sqlite3.Connection, raws: Sequence[int]) -> list[int]:
    """Those that nobody has read go at once: whoever reads them later would join them to what is being erased."""
    unread = {raw for (raw,) in bulk.select(sql, "SELECT id FROM raws WHERE state='waiting' AND id IN", raws)}
    erasing.erase_read_raws(sql, sorted(unread))
    return [raw for raw in raws if raw not in unread]


def _blank_words(sql: sqlite3.Connection, words: Sequence[str]) -> None:
    """Letters and reasons are others' words about it."""
    for word in words:
        for table, columns in (("letters", ("reason", "detail", "locator")), ("channels", ("reason",))):
            for column in columns:
                query = f"UPDATE {table} SET {column}=replace({column}, ?, '…') WHERE instr({column}, ?)"
                sql.execute(query, (word, word))
