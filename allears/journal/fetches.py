"""What was still at the platform when its message was read: files and profiles, on their way into the message."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from allears.journal import timers
from allears.journal.records import DueFetch, FetchCount, Fetched
from allears.journal.rows import known_moment, stamp
from allears.journal.turns import channels_of, interleaved, turned
from allears_sdk import codec
from allears_sdk.message import Attachment, Author, Message, Ref, Role

PROFILE = -1
"""The place of what is no attachment: the author's profile."""
GIVE_UP_SECONDS = 7 * 86_400.0
"""For what the platform does not say how long it keeps."""
RETRY_SECONDS = 86_400.0
"""What is asked for again by hand is given at least so long."""
PROFILE_SECONDS = 86_400.0
"""So long a profile is known before it is asked for again."""
MOST_FILES = 100
"""Of one message."""
_MANY = f"more than {MOST_FILES} files in one message"
_COLUMNS = "id, channel, place, locator, size, attempts, reason, fetch_before"


def refs(message: Message) -> list[tuple[int, Ref]]:
    """What is to be fetched for a message, by place. Of profiles only customers'."""
    found = [(place, one.ref) for place, one in enumerate(message.attachments) if one.is_pending and one.ref]
    author = message.author
    if author.profile is not None and author.role is Role.CUSTOMER:
        found.append((PROFILE, author.profile))
    return found


def locator_of(ref: Ref) -> bytes:
    """By which the same thing is known again."""
    return codec.encode_stable(ref.locator)


def completed(sql: sqlite3.Connection, channel: str, message: Message, now: float) -> Message:
    """The message with what was fetched before: an edit repeats its files, a customer his name."""
    if len(message.attachments) > MOST_FILES:
        few = [_filled(one, _MANY) if one.is_pending else one for one in message.attachments[MOST_FILES:]]
        message = replace(message, attachments=(*message.attachments[:MOST_FILES], *few))
    for place, ref in refs(message):
        since = now - PROFILE_SECONDS if place == PROFILE else 0.0
        row = sql.execute(
            "SELECT state, blob, result, reason FROM fetches WHERE channel=? AND locator=? AND (place=?)=?"
            " AND finished_at > ? ORDER BY finished_at DESC LIMIT 1",
            (channel, locator_of(ref), PROFILE, place == PROFILE, since),
        ).fetchone()
        if row is not None:
            message = _with(message, place, _outcome(*row))
    return message


def schedule(sql: sqlite3.Connection, channel: str, message: Message, conversation: int, now: float) -> None:
    """Rows for what a stored message still lacks."""
    (message_id,) = sql.execute(
        "SELECT id FROM messages WHERE channel=? AND external_id=? AND revision=?",
        (channel, message.external_id, message.revision),
    ).fetchone()
    for place, ref in refs(message):
        before = now + GIVE_UP_SECONDS if ref.fetch_before is None else stamp(ref.fetch_before)
        size = 0 if place == PROFILE else message.attachments[place].size
        sql.execute(
            "INSERT INTO fetches (channel, conversation_id, message_id, place, locator, size, created_at, fetch_before,"
            " next_at) VALUES (?,?,?,?,?,?,?,?,?)",
            (channel, conversation, message_id, place, locator_of(ref), size, now, before, now),
        )


def due(
    sql: sqlite3.Connection,
    now: float,
    running: Collection[str],
    each: int,
    limit: int,
    leased: Mapping[int, tuple[str, bytes]],
    after: str,
) -> list[DueFetch]:
    """The next of each channel, so many that `each` are on their way there, nearest expiry first; channels in turn.
    What several messages wait for goes once. Where nobody can be asked, those it is too late for."""
    queues = []
    for channel in turned(channels_of(sql, "fetches", "state='waiting'"), after):
        column = "next_at" if channel in running else "fetch_before"
        rows = sql.execute(
            f"SELECT {_COLUMNS} FROM fetches WHERE state='waiting' AND channel=? AND {column} <= ?"
            " ORDER BY fetch_before, id LIMIT ?",
            (channel, now, each + len(leased)),
        )
        held = {locator for name, locator in leased.values() if name == channel}
        once: dict[bytes, Any] = {}
        for row in rows:
            if row[3] not in held:
                once.setdefault(row[3], row)
        queues.append(list(once.values())[: max(0, each - len(held))])
    return [_due(row) for row in islice(interleaved(queues), limit)]


def put_off(sql: sqlite3.Connection, fetch_id: int, reason: str, at: float) -> None:
    sql.execute(
        "UPDATE fetches SET attempts=attempts+1, reason=?, next_at=? WHERE id=? AND state='waiting'",
        (reason[:500], at, fetch_id),
    )


def finish(sql: sqlite3.Connection, fetch_id: int, outcome: Fetched | Author | str, now: float) -> None:
    """What came, or (a string) why nothing ever will, into every message that waits for the same. A row that is
    finished stays as it is: whoever comes second changes nothing."""
    rows = sql.execute(
        "SELECT same.id, same.message_id, same.place, same.conversation_id FROM fetches one JOIN fetches same"
        " ON same.channel = one.channel AND same.locator = one.locator AND (same.place=?) = (one.place=?)"
        " AND same.state='waiting' WHERE one.id=? AND one.state='waiting'",
        (PROFILE, PROFILE, fetch_id),
    ).fetchall()
    for row_id, message_id, place, _ in rows:
        _finish_row(sql, row_id, outcome, now)
        _complete(sql, message_id, place, outcome)
    for conversation in dict.fromkeys(row[3] for row in rows):
        query = "SELECT 1 FROM fetches WHERE conversation_id=? AND state='waiting' LIMIT 1"
        more = sql.execute(query, (conversation,)).fetchone() is not None
        timers.note_fetched(sql, conversation, now, more=more)


def retry(sql: sqlite3.Connection, channel: str, now: float) -> int:
    """Ask again for the files of a channel that were given up: how many. Their messages say `pending` meanwhile."""
    rows = sql.execute(
        "UPDATE fetches SET state='waiting', attempts=0, reason='', finished_at=NULL, event_id=NULL, next_at=:now,"
        " fetch_before=max(fetch_before, :now + :least) WHERE channel=:channel AND state='skipped' AND place > :profile"
        " RETURNING message_id, place, locator, fetch_before",
        {"now": now, "least": RETRY_SECONDS, "channel": channel, "profile": PROFILE},
    ).fetchall()
    for message_id, place, locator, before in rows:
        _complete(sql, message_id, place, Ref(locator=codec.decode(locator, dict), fetch_before=known_moment(before)))
    return len(rows)


def untold(sql: sqlite3.Connection, conversation: int) -> list[tuple[str, float]]:
    """What has been fetched (or given up) since the last event: a key for each, and when its message was said."""
    rows = sql.execute(
        "SELECT m.external_id, m.revision, f.place || coalesce(' ' || f.blob, ''),"
        " coalesce(m.posted_at, m.received_at) FROM fetches f"
        " JOIN messages m ON m.id = f.message_id WHERE f.conversation_id=? AND f.state != 'waiting'"
        " AND f.event_id IS NULL ORDER BY f.finished_at, f.id",
        (conversation,),
    )
    return [(f"{external_id}\n{revision}\nfetched {what}", said_at) for external_id, revision, what, said_at in rows]


def tell(sql: sqlite3.Connection, conversation: int, event_id: str) -> None:
    """An event has told of what had come by then."""
    query = "UPDATE fetches SET event_id=? WHERE conversation_id=? AND state != 'waiting' AND event_id IS NULL"
    sql.execute(query, (event_id, conversation))


def counts(sql: sqlite3.Connection) -> list[FetchCount]:
    rows: dict[str, dict[str, int]] = {}
    for state, least in (("waiting", PROFILE), ("skipped", 0)):  # whom nobody tells of is no loss
        query = f"SELECT channel, count(*) FROM fetches WHERE state='{state}' AND place >= {least} GROUP BY channel"
        for channel, count in sql.execute(query):
            rows.setdefault(channel, {})[state] = count
    return [FetchCount(channel=channel, **facts) for channel, facts in sorted(rows.items())]


def has_blob(sql: sqlite3.Connection, reference: str, sha256: str) -> bool:
    """Whether a file of this name was fetched for the conversation."""
    query = (
        "SELECT 1 FROM conversations c JOIN fetches f ON f.conversation_id = c.id AND f.blob=?"
        " WHERE c.reference=? LIMIT 1"
    )
    return sql.execute(query, (sha256, reference)).fetchone() is not None


def _due(row: Any) -> DueFetch:
    return DueFetch(
        id=row[0], channel=row[1], is_profile=row[2] == PROFILE, size=row[4], attempts=row[5], reason=row[6],
        fetch_before=known_moment(row[7]),
        ref=Ref(locator=codec.decode(row[3], dict), fetch_before=known_moment(row[7])),
    )  # fmt: skip


def _finish_row(sql: sqlite3.Connection, row_id: int, outcome: Fetched | Author | str, now: float) -> None:
    is_skipped = isinstance(outcome, str)
    sql.execute(
        "UPDATE fetches SET state=?, reason=?, finished_at=?, blob=?, result=? WHERE id=?",
        (
            "skipped" if is_skipped else "fetched", outcome[:500] if isinstance(outcome, str) else "", now,
            outcome.sha256 if isinstance(outcome, Fetched) else None, None if is_skipped else codec.encode(outcome),
            row_id,
        ),
    )  # fmt: skip


def _outcome(state: str, blob: str | None, result: bytes | None, reason: str) -> Fetched | Author | str:
    if state == "skipped" or result is None:
        return reason
    return codec.decode(result, Fetched) if blob else codec.decode(result, Author)


def _complete(sql: sqlite3.Connection, message_id: int, place: int, outcome: Fetched | Author | str | Ref) -> None:
    row = sql.execute("SELECT body FROM messages WHERE id=?", (message_id,)).fetchone()
    if row is not None:
        message = _with(codec.decode(row[0], Message), place, outcome)
        sql.execute("UPDATE messages SET body=? WHERE id=?", (codec.encode(message), message_id))


def _with(message: Message, place: int, outcome: Fetched | Author | str | Ref) -> Message:
    if place == PROFILE:
        return replace(message, author=_named(message.author, outcome if isinstance(outcome, Author) else None))
    if place >= len(message.attachments) or isinstance(outcome, Author):
        return message
    attachments: Sequence[Attachment] = [
        _filled(one, outcome) if at == place else one for at, one in enumerate(message.attachments)
    ]
    return replace(message, attachments=tuple(attachments))


def _filled(attachment: Attachment, outcome: Fetched | str | Ref) -> Attachment:
    if isinstance(outcome, Ref):
        return replace(attachment, ref=outcome, skipped="")
    if isinstance(outcome, str):
        return replace(attachment, ref=None, skipped=outcome)
    return replace(
        attachment, ref=None, sha256=outcome.sha256, size=outcome.size, name=attachment.name or outcome.name,
        media_type=outcome.media_type or attachment.media_type,
    )  # fmt: skip


def _named(author: Author, told: Author | None) -> Author:
    """Who he is stays as it was read; what was empty is filled."""
    if told is None:
        return replace(author, profile=None)
    return replace(
        author, profile=None, id=author.id or told.id, name=author.name or told.name,
        handle=author.handle or told.handle, email=author.email or told.email, phone=author.phone or told.phone,
        level=author.level or told.level,
    )  # fmt: skip
