"""Finding the conversation a message belongs to, or making it, with the reference it keeps for ever."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from allears.journal import bulk, threads
from allears.journal.messages import heard
from allears.journal.records import Policy
from allears.journal.rows import dump, load
from allears.journal.senders import people
from allears.journal.subjects import base_subject
from allears_sdk.connector import Threading
from allears_sdk.message import Message
from allears_sdk.reference import reference, seed

MAX_PEOPLE = 200
MAX_REFERENCES = 100
MAX_RELATED = 50
FETCH_SECONDS = 60.0
"""So long a record waits for files and names that are being fetched."""
OWN_MATTER = ""
"""First among the subjects of a conversation that began under mails of another matter: it is not known by those."""
_FIRST, _LAST = 16, 8
"""Of the conversations that share a name, how many of the oldest and the newest are looked at: strangers who quote
an id come after those who wrote under it."""
_INTO = "INSERT INTO conversations (channel, reference, seed, subjects, people, opened_at, last_at, version) VALUES"
_COLUMNS = (
    "id, channel, reference, subjects, people, related, opened_at, last_at, burst_at, due_at, version, settles_at"
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation's row."""

    id: int
    channel: str
    reference: str
    subjects: list[str]
    people: list[str]
    related: list[str]
    opened_at: float
    last_at: float
    burst_at: float | None
    due_at: float | None
    version: int
    settles_at: float | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation about to be made with its first message."""

    channel: str
    reference: str
    seed: bytes
    subjects: list[str]
    people: list[str]
    names: tuple[str, ...]
    at: float


def load_row(sql: sqlite3.Connection, conversation_id: int) -> Row:
    return _row(sql.execute(f"SELECT {_COLUMNS} FROM conversations WHERE id=?", (conversation_id,)).fetchone())


def reference_of(sql: sqlite3.Connection, conversation_id: int) -> str:
    found = sql.execute("SELECT reference FROM conversations WHERE id=?", (conversation_id,)).fetchone()
    return str(found[0]) if found else ""


def touch(sql: sqlite3.Connection, conversation_id: int, at: float) -> str:
    """It was heard of now, whenever that is read; its reference."""
    query = "UPDATE conversations SET last_at = max(last_at, ?) WHERE id=? RETURNING reference"
    return str(sql.execute(query, (at, conversation_id)).fetchone()[0])


def item_references(sql: sqlite3.Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The reference of each item's conversation, by (channel, thread), made or still to be made when it is joined:
    it follows from the seed. Only two items accepted but not joined yet could get one together [55 bits: among a
    thousand waiting, once in 10^11]."""
    found = _references_by_name(sql, pairs)
    digests = {seed("item", *pair): pair for pair in pairs if pair not in found}
    texts = {reference(digest): digest for digest in digests}
    query = "SELECT reference, seed FROM conversations WHERE reference IN"
    taken = {text for text, digest in bulk.select(sql, query, list(texts)) if digest != texts[text]}
    for text, digest in texts.items():
        found[digests[digest]] = _free_reference(sql, digest) if text in taken else text
    return found


def _references_by_name(sql: sqlite3.Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    by_channel: dict[str, list[str]] = {}
    for channel, thread in pairs:
        by_channel.setdefault(channel, []).append(thread)
    query = (
        "SELECT n.name, c.reference FROM names n JOIN conversations c ON c.id = n.conversation_id"
        " WHERE n.channel=? AND n.name IN"
    )
    return {
        (channel, thread): text
        for channel, threads in by_channel.items()
        for thread, text in sorted(bulk.select(sql, query, threads, channel))
    }


def _free_reference(sql: sqlite3.Connection, digest: bytes) -> str:
    query = "SELECT seed FROM conversations WHERE reference=?"
    for attempt in range(MAX_REFERENCES):
        text = reference(digest, attempt)
        found = sql.execute(query, (text,)).fetchone()
        if found is None or found[0] == digest:
            return text
    raise AssertionError(f"{MAX_REFERENCES} references of one seed were taken")


def for_thread(
    sql: sqlite3.Connection, channel: str, thread: str, key: str, at: float, policy: Policy
) -> tuple[int, str, bool]:
    """The conversation of a raw whose thread is known before parsing: (id, reference, made just now, or in a chat the
    first such raw in it)."""
    found = sql.execute(
        "SELECT c.id, c.reference, c.last_at FROM names n JOIN conversations c ON c.id = n.conversation_id"
        " WHERE n.channel=? AND n.name=? ORDER BY c.id DESC LIMIT 1",
        (channel, thread),
    ).fetchone()
    is_chat = policy.threading is Threading.CHAT
    if found and not (is_chat and at - found[2] > policy.idle_seconds):
        sql.execute("UPDATE conversations SET last_at = max(last_at, ?) WHERE id=?", (at, found[0]))
        return found[0], found[1], is_chat and _is_first(sql, found[0], key)
    parts = ("chat", channel, thread, key) if is_chat else ("item", channel, thread)
    row, made = make(sql, channel, seed(*parts), at, related=[found[1]] if found else [])
    name(sql, channel, row.id, (thread,))
    return row.id, row.reference, _is_first(sql, row.id, key) if is_chat else made


def _is_first(sql: sqlite3.Connection, conversation_id: int, key: str) -> bool:
    """Whether no raw with a thread was put into the chat before; the first one is kept."""
    query = "UPDATE conversations SET opened_by = ? WHERE id=? AND opened_by IS NULL"
    return sql.execute(query, (key, conversation_id)).rowcount == 1


def was_opened_by(sql: sqlite3.Connection, conversation_id: int, key: str) -> bool:
    query = "SELECT 1 FROM conversations WHERE id=? AND opened_by=?"
    return sql.execute(query, (conversation_id, key)).fetchone() is not None


def names_of(thread: str, message: Message) -> tuple[str, ...]:
    """What the message names: itself, and what it belongs to."""
    first = (thread,) if thread else ()
    return tuple(dict.fromkeys((*first, message.external_id, *message.known_as, *message.thread)))


def known_names(sql: sqlite3.Connection, channel: str, names: Sequence[str]) -> set[str]:
    """Those that belong to a conversation of the channel."""
    query = "SELECT DISTINCT name FROM names WHERE channel=? AND name IN"
    return {one for (one,) in bulk.select(sql, query, names, channel)}


def opening(channel: str, thread: str, message: Message, names: tuple[str, ...], at: float, policy: Policy) -> Opening:
    """The conversation that a message nobody spoke before makes, by its raw's `thread` where it has one."""
    digest = seed("item", channel, thread) if thread else threads.seed_of(channel, message, policy.threading)
    own = _own_matter(message, policy.threading)
    if own:
        names = names_of(thread, dataclasses.replace(message, thread=()))
    return Opening(
        channel=channel, reference=reference(digest), seed=digest, subjects=_with_subject(own, message),
        people=people(message)[:MAX_PEOPLE], names=names, at=at,
    )  # fmt: skip


def open_many(sql: sqlite3.Connection, openings: Sequence[Opening]) -> dict[str, Row]:
    """Make conversations of one message each: rows by reference. One whose reference is there already is left out."""
    ids = dict(bulk.execute(sql, _INTO, "ON CONFLICT DO NOTHING RETURNING reference, id", list(map(_values, openings))))
    rows: dict[str, Row] = {}
    names: list[tuple[str, str, int]] = []
    for one in openings:
        made = ids.pop(one.reference, None)
        if made is not None:
            rows[one.reference] = _opened(one, made)
            names += [(one.channel, name, made) for name in one.names]
    bulk.write(sql, "INSERT INTO names VALUES", "ON CONFLICT DO NOTHING", names)
    return rows


def _opened(one: Opening, made: int) -> Row:
    return Row(
        id=made, channel=one.channel, reference=one.reference, subjects=one.subjects, people=one.people, related=[],
        opened_at=one.at, last_at=one.at, burst_at=None, due_at=None, version=1,
    )  # fmt: skip


def _values(one: Opening) -> tuple[object, ...]:
    return (one.channel, one.reference, one.seed, dump(one.subjects), dump(one.people), one.at, one.at, 1)


def find(sql: sqlite3.Connection, channel: str, message: Message, at: float, policy: Policy) -> tuple[Row, bool]:
    """The conversation a parsed message belongs to, made when there is none: (row, made just now)."""
    if policy.threading is Threading.ITEM:
        return _find_item(sql, channel, message, at)
    mine = [one for one in _mail_candidates(sql, channel, message) if threads.is_party(one.people, message)]
    admitting = [one for one in mine if _goes_on(sql, one, message)]
    if admitting:
        return _link(sql, threads.closest(admitting, message) if len(admitting) > 1 else admitting), False
    digest = threads.seed_of(channel, message, policy.threading)
    return make(sql, channel, digest, at, related=[one.reference for one in mine][:MAX_RELATED])


def _find_item(sql: sqlite3.Connection, channel: str, message: Message, at: float) -> tuple[Row, bool]:
    """An item and what is said under it are one."""
    found = by_names(sql, channel, (message.external_id, *message.known_as, *message.thread))
    if found:
        return found[0], False
    return make(sql, channel, threads.seed_of(channel, message, Threading.ITEM), at, related=[])


def by_names(sql: sqlite3.Connection, channel: str, names: Iterable[str]) -> list[Row]:
    """Of each name the newest first."""
    return _load_rows(sql, _named(sql, channel, names, -1))


def make(sql: sqlite3.Connection, channel: str, digest: bytes, at: float, *, related: list[str]) -> tuple[Row, bool]:
    """Insert a conversation under the first free reference of its seed; a seed that is there already is it."""
    for attempt in range(MAX_REFERENCES):
        text = reference(digest, attempt)
        made = sql.execute(
            "INSERT INTO conversations (channel, reference, seed, related, opened_at, last_at) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT DO NOTHING",
            (channel, text, digest, dump(related), at, at),
        )
        if made.rowcount == 1:
            assert made.lastrowid is not None
            row = Row(
                id=made.lastrowid, channel=channel, reference=text, subjects=[], people=[], related=related,
                opened_at=at, last_at=at, burst_at=None, due_at=None, version=0,
            )  # fmt: skip
            return row, True
        known = sql.execute(f"SELECT seed, {_COLUMNS} FROM conversations WHERE reference=?", (text,)).fetchone()
        if known[0] == digest:
            return _row(known[1:]), False
    raise AssertionError(f"{MAX_REFERENCES} references of one seed were taken")


def name(sql: sqlite3.Connection, channel: str, conversation_id: int, names: tuple[str, ...]) -> None:
    rows = [(channel, one, conversation_id) for one in names]
    bulk.write(sql, "INSERT INTO names VALUES", "ON CONFLICT DO NOTHING", rows)


def absorb(
    sql: sqlite3.Connection, row: Row, message: Message, at: float, threading: Threading, also: tuple[str, ...] = ()
) -> Row:
    """Let the conversation learn a message's people, subject and names, `also` these."""
    if not row.version:
        row = replace(row, subjects=_own_matter(message, threading))
    names = _names_in(sql, row, message)
    known = set(row.people)
    newcomers = [who for who in people(message) if who not in known]
    row = replace(
        row,
        people=[*row.people, *newcomers][:MAX_PEOPLE],
        subjects=_with_subject(row.subjects, message),
        last_at=max(row.last_at, at),
        version=row.version + 1,
    )
    sql.execute(
        "UPDATE conversations SET people=?, subjects=?, last_at=?, version=? WHERE id=?",
        (dump(row.people), dump(row.subjects), row.last_at, row.version, row.id),
    )
    name(sql, row.channel, row.id, names + also)
    return row


def _own_matter(message: Message, threading: Threading) -> list[str]:
    return [OWN_MATTER] if threading is Threading.MAIL and threads.is_new_matter(message) else []


def _with_subject(subjects: list[str], message: Message) -> list[str]:
    if not message.thread:  # the root itself: nothing stands above it
        subjects = [one for one in subjects if one != OWN_MATTER]
    subject = base_subject(message.subject) if message.subject else ""
    return subjects if not subject or subject in subjects else [*subjects, subject][:50]


def _names_in(sql: sqlite3.Connection, row: Row, message: Message) -> tuple[str, ...]:
    """What the message names; in a matter of its own nothing that stands above its beginning."""
    if row.subjects[:1] != [OWN_MATTER]:
        return names_of("", message)
    query = "SELECT name FROM names WHERE channel=? AND conversation_id=? AND name IN"
    known = {one for (one,) in bulk.select(sql, query, message.thread, row.channel, row.id)}
    below = next((index for index, one in enumerate(message.thread) if one in known), 0)
    return names_of("", dataclasses.replace(message, thread=message.thread[:below]))


def set_timer(sql: sqlite3.Connection, row: Row, message: Message, at: float, policy: Policy, *, fetches: bool) -> None:
    """When the record is to be derived: at once, or after a chat has been silent, and when its files have come (but
    neither for ever). `at`: now."""
    burst = row.burst_at if row.burst_at is not None else at
    settles, most = at, burst + FETCH_SECONDS
    if policy.threading is Threading.CHAT:
        last = burst + policy.settle_max_seconds
        only_greets = row.settles_at is None or row.settles_at >= last
        settles = last if only_greets and threads.greets(message) else min(at + policy.settle_seconds, last)
        most = max(most, last)
    held = at + FETCH_SECONDS if fetches else row.due_at if _is_held(row) else None
    due = settles if held is None else max(settles, min(held, most))
    query = "UPDATE conversations SET due_at=?, settles_at=?, burst_at=?, attempts=0 WHERE id=?"
    sql.execute(query, (due, settles, burst, row.id))


def _is_held(row: Row) -> bool:
    """Its files are on their way."""
    return row.due_at is not None and row.settles_at is not None and row.due_at > row.settles_at


def clear_timer(sql: sqlite3.Connection, conversation_id: int) -> None:
    query = "UPDATE conversations SET due_at=NULL, settles_at=NULL, burst_at=NULL, attempts=0 WHERE id=?"
    sql.execute(query, (conversation_id,))


def _mail_candidates(sql: sqlite3.Connection, channel: str, message: Message) -> list[Row]:
    """By the number in the subject, the mails it answers (nearest first), its own id, numbers elsewhere."""
    in_subject, elsewhere = threads.quoted(message)
    named = _named(sql, channel, dict.fromkeys((*message.thread, *message.known_as, message.external_id)), 1)
    ids = [*_referred(sql, channel, in_subject), *named, *_referred(sql, channel, elsewhere)]
    return _load_rows(sql, ids)


def _named(sql: sqlite3.Connection, channel: str, names: Iterable[str], direction: int) -> list[int]:
    """Conversations by name, the oldest of each name first, or (-1) the newest."""
    ids: list[int] = []
    for one in names:
        first = _by_name(sql, channel, one, direction, _FIRST)
        ids += first if len(first) < _FIRST else (*first, *_by_name(sql, channel, one, -direction, _LAST))
    return ids


def _by_name(sql: sqlite3.Connection, channel: str, name: str, direction: int, limit: int) -> list[int]:
    query = (
        "SELECT conversation_id FROM names WHERE channel=? AND name=? ORDER BY conversation_id"
        f" {'ASC' if direction > 0 else 'DESC'} LIMIT ?"
    )
    return [row[0] for row in sql.execute(query, (channel, name, limit))]


def _referred(sql: sqlite3.Connection, channel: str, references: Sequence[str]) -> list[int]:
    if not references:
        return []
    query = "SELECT reference, id FROM conversations WHERE channel=? AND reference IN"
    found = dict(bulk.select(sql, query, references, channel))
    return [found[one] for one in references if one in found]


def _load_rows(sql: sqlite3.Connection, ids: Sequence[int]) -> list[Row]:
    """In the order given, each once."""
    query = f"SELECT {_COLUMNS} FROM conversations WHERE id IN"
    found = {row[0]: _row(row) for row in bulk.select(sql, query, list(dict.fromkeys(ids)))}
    return [found.pop(one) for one in ids if one in found]


def _goes_on(sql: sqlite3.Connection, row: Row, message: Message) -> bool:
    if threads.admits(row.reference, row.subjects, row.people, message):
        return True
    if message.thread:
        return False
    return threads.begins(message, [one.message for one in heard(sql, row.id)])


def _link(sql: sqlite3.Connection, rows: Sequence[Row]) -> Row:
    """The first, and each of those a mail brings together related to the others."""
    if len(rows) == 1:
        return rows[0]
    linked = [_with_related(row, [one.reference for one in rows if one.id != row.id]) for row in rows]
    changed = [(dump(one.related), one.id) for one, row in zip(linked, rows, strict=True) if one is not row]
    sql.executemany("UPDATE conversations SET related=? WHERE id=?", changed)
    return linked[0]


def _with_related(row: Row, references: Sequence[str]) -> Row:
    known = list(dict.fromkeys((*row.related, *references)))[:MAX_RELATED]
    return row if known == row.related else replace(row, related=known)


def _row(row: Any) -> Row:
    return Row(
        id=row[0], channel=row[1], reference=row[2], subjects=load(row[3]), people=load(row[4]), related=load(row[5]),
        opened_at=row[6], last_at=row[7], burst_at=row[8], due_at=row[9], version=row[10], settles_at=row[11],
    )  # fmt: skip
