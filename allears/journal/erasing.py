"""Erasing rows for good: contents go, hashed keys stay, files are noted for removal."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from allears.journal import bulk, forgotten
from allears.journal.rows import load
from allears_sdk.reference import ticket_key

UNFINISHED = "state IN ('sending','doubt')"
"""Deliveries that may be done at this moment, whatever is decided here."""
_TABLES = ("lines", "complaints", "unfiled", "links")
"""With one row or a few of a conversation."""
_OF = "line_id IN (SELECT id FROM lines WHERE conversation_id=?)"
_GONE = "forgotten:"
_BLANK_RAWS = (
    f"UPDATE raws SET raw_key='{_GONE}' || id, body=NULL, blob=NULL, context='{{}}', reason='', thread='',"
    " state=CASE state WHEN 'waiting' THEN 'read' ELSE state END WHERE id IN"
)


def seal(sql: sqlite3.Connection, conversation: int) -> int:
    """Nothing joins it any more, and nothing of it is sent that is not on its way; how many deliveries were called
    off. Its reference is never given again."""
    sql.execute(
        "UPDATE conversations SET seed=x'', subjects='[]', people='[]', related='[]', due_at=NULL, settles_at=NULL,"
        " burst_at=NULL, attempts=0, opened_by='', version=version+1 WHERE id=?",
        (conversation,),
    )
    sql.execute("DELETE FROM fetches WHERE conversation_id=? AND state='waiting'", (conversation,))
    return call_off(sql, conversation)


def call_off(sql: sqlite3.Connection, conversation: int) -> int:
    """Discard what was surely not sent, and what waits for a person."""
    done = sql.execute(
        "UPDATE deliveries SET state='discarded', head=0, payload=NULL, progress='{}', reason=''"
        f" WHERE {_OF} AND state IN ('pending','letter')",
        (conversation,),
    )
    return done.rowcount


def is_on_its_way(sql: sqlite3.Connection, conversation: int) -> bool:
    query = f"SELECT 1 FROM deliveries WHERE {_OF} AND {UNFINISHED} LIMIT 1"
    return sql.execute(query, (conversation,)).fetchone() is not None


def erase_messages(sql: sqlite3.Connection, conversation: int, limit: int) -> int:
    """Some of a conversation's messages, with the raws they were read from; how many."""
    rows = sql.execute(
        "SELECT id, channel, external_id, revision, raw_id FROM messages WHERE conversation_id=? LIMIT ?",
        (conversation, limit),
    ).fetchall()
    forgotten.keep_messages(sql, [row[1:4] for row in rows])
    bulk.update(sql, "DELETE FROM messages WHERE id IN", "", [row[0] for row in rows])
    erase_read_raws(sql, list({row[4] for row in rows}))
    return len(rows)


def erase_read_raws(sql: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Raws of messages that are gone; of one that also holds another's words the empty row stays."""
    shared = {raw_id for (raw_id,) in bulk.select(sql, "SELECT DISTINCT raw_id FROM messages WHERE raw_id IN", ids)}
    erase_raws(sql, [one for one in ids if one in shared], only_contents=True)
    erase_raws(sql, [one for one in ids if one not in shared], only_contents=False)


def erase_raws(sql: sqlite3.Connection, ids: Sequence[int], *, only_contents: bool) -> None:
    """Raws with their letters; their hashed keys stay."""
    rows = list(bulk.select(sql, "SELECT channel, raw_key, digest, ordinal, blob FROM raws WHERE id IN", ids))
    remove_blobs(sql, [row[4] for row in rows])
    bulk.update(sql, "DELETE FROM letters WHERE identity IN", "", [f"raw:{one}" for one in ids])
    forgotten.keep_raws(sql, [row[:4] for row in rows if not row[1].startswith(_GONE)])
    bulk.update(sql, _BLANK_RAWS if only_contents else "DELETE FROM raws WHERE id IN", "", ids)


def erase_fetches(sql: sqlite3.Connection, conversation: int, limit: int) -> int:
    rows = sql.execute("SELECT id, blob FROM fetches WHERE conversation_id=? LIMIT ?", (conversation, limit)).fetchall()
    remove_blobs(sql, [row[1] for row in rows])
    bulk.update(sql, "DELETE FROM fetches WHERE id IN", "", [row[0] for row in rows])
    return len(rows)


def erase_deliveries(sql: sqlite3.Connection, conversation: int, limit: int) -> int:
    """Deliveries with their letters, then events, so many at most; how many."""
    query = f"SELECT id FROM deliveries WHERE {_OF} LIMIT ?"
    ids = [row[0] for row in sql.execute(query, (conversation, limit))]
    bulk.update(sql, "DELETE FROM letters WHERE identity IN", "", [f"delivery:{one}" for one in ids])
    bulk.update(sql, "DELETE FROM deliveries WHERE id IN", "", ids)
    gone = sql.execute(
        "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE conversation_id=? LIMIT ?)",
        (conversation, limit - len(ids)),
    )
    return len(ids) + gone.rowcount


def erase_rest(sql: sqlite3.Connection, conversation: int) -> None:
    """The single rows of a conversation that has nothing else left. Its own row keeps the reference, and no more."""
    sql.execute(f"DELETE FROM ticket_states WHERE {_OF}", (conversation,))
    for table in _TABLES:
        sql.execute(f"DELETE FROM {table} WHERE conversation_id=?", (conversation,))
    sql.execute("DELETE FROM letters WHERE identity=?", (f"conversation:{conversation}",))
    sql.execute("UPDATE conversations SET opened_at=0, last_at=0 WHERE id=?", (conversation,))


def tickets_of(sql: sqlite3.Connection, conversation: int) -> list[tuple[str, str, str]]:
    """Where stores have it: (destination, id, address); where nobody can say, (destination, attempt's key, "?")."""
    rows = sql.execute(
        "SELECT complaint_id, destination, successor, ticket, former, EXISTS (SELECT 1 FROM deliveries d WHERE"
        " d.line_id = l.id AND d.doubtful=1) FROM lines l WHERE conversation_id=? AND answers IS NULL",
        (conversation,),
    )
    found: list[tuple[str, str, str]] = []
    for reference, destination, successor, ticket, former, is_doubtful in rows:
        known = [*load(former), *([load(ticket)] if ticket else [])]
        found += [(destination, one["id"], one.get("url", "")) for one in known]
        if is_doubtful and not ticket:
            found.append((destination, ticket_key(reference, destination, successor), "?"))
    return found


def remove_blobs(sql: sqlite3.Connection, names: Sequence[str | None]) -> None:
    """These files go once nobody names them any more."""
    rows = [("blob", name, 0) for name in dict.fromkeys(names) if name]
    bulk.write(sql, "INSERT INTO forgetting_items (kind, item, forgetting) VALUES", "ON CONFLICT DO NOTHING", rows)
