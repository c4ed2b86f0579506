"""Finding the conversation a message belongs to, or making it, with the reference it keeps for ever."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from allears.journal import bulk
from allears.journal.records import Policy
from allears.journal.rows import dump, load
from allears_sdk.connector import Threading
from allears_sdk.message import Kind, Message
from allears_sdk.reference import find_references, reference, seed

MAX_PEOPLE = 200
MAX_REFERENCES = 100
_MARK = re.compile(
    r"^\s*(?:re|fw|fwd|aw|wg|sv|vs|tr|rv|ref|res|enc|antw|odp|回复|回覆|答复|答覆|转发|轉寄|轉發)"
    r"(?:\[\d+\]|\(\d+\))?\s*[:：]\s*",
    re.IGNORECASE,
)
_TAG = re.compile(r"^\s*(?:\[[^\]]{1,40}\]|【[^】]{1,40}】)\s*(?=\S)")
_INTO = "INSERT INTO conversations (channel, reference, seed, subjects, people, opened_at, last_at, version) VALUES"
_COLUMNS = "id, channel, reference, subjects, people, related, opened_at, last_at, burst_at, due_at, version"


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


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation about to be made with its first message."""

    channel: str
    reference: str
    seed: bytes
    subjects: list[str]
    people: list[str]
    names: tuple[str, ...]
    at: float


def base_subject(subject: str) -> str:
    """The subject without reply and forward marks and bracketed tags, folded."""
    previous = None
    while previous != subject:
        previous, subject = subject, _MARK.sub("", _TAG.sub("", subject))
    return " ".join(subject.split()).casefold()


def is_reply(subject: str) -> bool:
    """Whether it says so itself; a tag before it (`[EXTERNAL]`) is somebody else's word."""
    previous = None
    while previous != subject:
        previous, subject = subject, _TAG.sub("", subject)
    return bool(_MARK.match(subject))


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
    """The conversation of a raw whose thread is known before parsing: (id, reference, made just now)."""
    found = sql.execute(
        "SELECT c.id, c.reference, c.last_at FROM names n JOIN conversations c ON c.id = n.conversation_id"
        " WHERE n.channel=? AND n.name=? ORDER BY c.id DESC LIMIT 1",
        (channel, thread),
    ).fetchone()
    is_chat = policy.threading is Threading.CHAT
    if found and not (is_chat and at - found[2] > policy.idle_seconds):
        sql.execute("UPDATE conversations SET last_at = max(last_at, ?) WHERE id=?", (at, found[0]))
        return found[0], found[1], False
    parts = ("chat", channel, thread, key) if is_chat else ("item", channel, thread)
    row, made = make(sql, channel, seed(*parts), at, related=[found[1]] if found else [])
    name(sql, channel, row.id, (thread,))
    return row.id, row.reference, made


def names_of(thread: str, message: Message) -> tuple[str, ...]:
    """What a conversation is known by once the message is in it."""
    first = (thread,) if thread else ()
    return tuple(dict.fromkeys((*first, message.external_id, *message.known_as, *message.thread)))


def quotes_reference(message: Message) -> bool:
    return bool(_quoted(message))


def known_names(sql: sqlite3.Connection, channel: str, names: Sequence[str]) -> set[str]:
    """Those that belong to a conversation of the channel."""
    query = "SELECT DISTINCT name FROM names WHERE channel=? AND name IN"
    return {one for (one,) in bulk.select(sql, query, names, channel)}


def opening(channel: str, thread: str, message: Message, names: tuple[str, ...], at: float, policy: Policy) -> Opening:
    """The conversation that a message nobody spoke before makes, by its raw's `thread` where it has one."""
    digest = seed("item", channel, thread) if thread else _seed(channel, message, policy)
    subject = base_subject(message.subject)
    return Opening(
        channel=channel, reference=reference(digest), seed=digest, subjects=[subject] if subject else [],
        people=_people(message)[:MAX_PEOPLE], names=names, at=at,
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
    candidates = _candidates(sql, channel, message, policy)
    for candidate in candidates:
        if _admits(candidate, message, at, policy):
            return candidate, False
    related = [one.reference for one in candidates if _is_party(one, message, policy)]
    return make(sql, channel, _seed(channel, message, policy), at, related=related)


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


def absorb(sql: sqlite3.Connection, row: Row, message: Message, at: float) -> Row:
    """Let the conversation learn a message's people, subject and names."""
    known = set(row.people)
    newcomers = [who for who in _people(message) if who not in known]
    subject = base_subject(message.subject)
    row = replace(
        row,
        people=[*row.people, *newcomers][:MAX_PEOPLE],
        subjects=row.subjects if not subject or subject in row.subjects else [*row.subjects, subject][:50],
        last_at=max(row.last_at, at),
        version=row.version + 1,
    )
    sql.execute(
        "UPDATE conversations SET people=?, subjects=?, last_at=?, version=? WHERE id=?",
        (dump(row.people), dump(row.subjects), row.last_at, row.version, row.id),
    )
    name(sql, row.channel, row.id, names_of("", message))
    return row


def set_timer(sql: sqlite3.Connection, row: Row, at: float, policy: Policy) -> Row:
    """When the record is to be derived: at once, or after a chat has been silent (but not for ever)."""
    burst = row.burst_at if row.burst_at is not None else at
    due = at
    if policy.threading is Threading.CHAT:
        due = min(at + policy.settle_seconds, burst + policy.settle_max_seconds)
    sql.execute("UPDATE conversations SET due_at=?, burst_at=?, attempts=0 WHERE id=?", (due, burst, row.id))
    return replace(row, due_at=due, burst_at=burst)


def clear_timer(sql: sqlite3.Connection, conversation_id: int) -> None:
    sql.execute("UPDATE conversations SET due_at=NULL, burst_at=NULL, attempts=0 WHERE id=?", (conversation_id,))


def _candidates(sql: sqlite3.Connection, channel: str, message: Message, policy: Policy) -> list[Row]:
    found: dict[int, Row] = {}
    for one in (message.external_id, *message.known_as, *message.thread):
        query = (
            f"SELECT {', '.join('c.' + column for column in _COLUMNS.split(', '))} FROM names n"
            " JOIN conversations c ON c.id = n.conversation_id WHERE n.channel=? AND n.name=?"
            " ORDER BY c.id DESC LIMIT 20"
        )
        for row in sql.execute(query, (channel, one)):
            found.setdefault(row[0], _row(row))
    if policy.threading is Threading.MAIL:
        for quoted in _quoted(message):
            query = f"SELECT {_COLUMNS} FROM conversations WHERE reference=? AND channel=?"
            row = sql.execute(query, (quoted, channel)).fetchone()
            if row:
                found.setdefault(row[0], _row(row))
    return list(found.values())


def _quoted(message: Message) -> tuple[str, ...]:
    return find_references(f"{message.subject}\n{message.text[:4000]}")


def _admits(row: Row, message: Message, at: float, policy: Policy) -> bool:
    if policy.threading is Threading.CHAT:
        return at - row.last_at <= policy.idle_seconds or message.kind is not Kind.SAID
    if policy.threading is Threading.ITEM:
        return True
    return _is_party(row, message, policy) and _same_matter(row, message)


def _is_party(row: Row, message: Message, policy: Policy) -> bool:
    """Whether the author has a part in it: a stranger who quotes a number or a Message-ID has none."""
    return policy.threading is not Threading.MAIL or message.author.id in row.people


def _same_matter(row: Row, message: Message) -> bool:
    """A reply, or its number in the subject, goes on with it; a new subject under an old thread is another matter,
    linked as related."""
    subject = base_subject(message.subject)
    if is_reply(message.subject) or not subject or not row.subjects or subject in row.subjects:
        return True
    return row.reference in find_references(message.subject)


def _seed(channel: str, message: Message, policy: Policy) -> bytes:
    root = message.thread[-1] if message.thread else ""
    if policy.threading is Threading.MAIL:
        root = root or (message.known_as[0] if message.known_as else message.external_id)
        return seed("mail", channel, root, message.author.id, base_subject(message.subject))
    if policy.threading is Threading.CHAT:
        return seed("chat", channel, root, message.external_id)
    return seed("item", channel, root or message.external_id)


def _people(message: Message) -> list[str]:
    return list(dict.fromkeys((message.author.id, *message.participants)))


def _row(row: Any) -> Row:
    return Row(
        id=row[0], channel=row[1], reference=row[2], subjects=load(row[3]), people=load(row[4]), related=load(row[5]),
        opened_at=row[6], last_at=row[7], burst_at=row[8], due_at=row[9], version=row[10],
    )  # fmt: skip
