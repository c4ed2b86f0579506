"""Complaints that are read again by today's rules: what would change, and a follow-up for it where that is wanted."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from allears.journal import fetches, messages, unfiled
from allears.journal.filing import Before, file_without_messages, latest_event, placed
from allears.journal.records import DueConversation, Router
from allears.journal.rows import known_moment, load, stamp
from allears.journal.writer import Writer
from allears_sdk.complaint import Complaint, Event
from allears_sdk.context import Clock
from normalizer.conversation import Draft
from normalizer.derive import changes

_FILED = (
    " FROM complaints f JOIN conversations c ON c.id = f.conversation_id"
    " WHERE f.conversation_id > ? AND (?='' OR c.channel=?) AND f.opened_at >= ?"
    " AND EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = f.conversation_id)"
    " AND EXISTS (SELECT 1 FROM events e WHERE e.conversation_id = f.conversation_id)"
)


class Standing(StrEnum):
    CHANGED = "changed"
    SAME = "same"
    AWAITED = "awaited"
    """The daemon is about to read it itself, or somebody has written meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A complaint as it was filed last, and what it was read from."""

    conversation: DueConversation
    record: Complaint


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What today's rules make of a complaint."""

    standing: Standing
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Template fields: name → (before, after)."""
    event_id: str = ""
    """Of the follow-up, where one was filed."""


class Anew(Protocol):
    """Part of the `Journal`: each step is a short transaction of its own, whether a daemon runs or not."""

    async def count(self, *, channel: str = "", since: datetime | None = None, after: int = 0) -> int: ...

    async def filed(
        self, *, channel: str = "", since: datetime | None = None, after: int = 0, limit: int = 48
    ) -> Sequence[Filed]:
        """Complaints by their conversations' numbers; what was erased is left out."""

    async def compare(self, conversation: DueConversation, draft: Draft) -> Change:
        """Nothing is written."""

    async def apply(self, conversation: DueConversation, draft: Draft, router: Router, rules: str) -> Change:
        """A follow-up where template fields change, to be delivered like any other; applied again there is none."""


class SqliteAnew:
    """`Anew` on a journal's own writer and reader."""

    def __init__(
        self,
        writer: Writer,
        read: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]],
        before: Callable[[], Awaitable[Before]],
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._read = read
        self._before = before
        self._clock = clock

    async def count(self, *, channel: str = "", since: datetime | None = None, after: int = 0) -> int:
        given = (after, channel, channel, stamp(since) if since else 0.0)
        found: int = await self._read(lambda sql: sql.execute(f"SELECT count(*){_FILED}", given).fetchone()[0])
        return found

    async def filed(
        self, *, channel: str = "", since: datetime | None = None, after: int = 0, limit: int = 48
    ) -> Sequence[Filed]:
        given = (after, channel, channel, stamp(since) if since else 0.0, limit)
        found: list[Filed] = await self._read(lambda sql: _filed(sql, given))
        return found

    async def compare(self, conversation: DueConversation, draft: Draft) -> Change:
        found: Change = await self._read(lambda sql: _compared(sql, conversation, draft)[0])
        return found

    async def apply(self, conversation: DueConversation, draft: Draft, router: Router, rules: str) -> Change:
        before, now = await self._before(), stamp(self._clock.now())

        def work(sql: sqlite3.Connection) -> Change:
            return _applied(sql, conversation, draft, router, rules, before, now)

        return await self._writer.submit(work)


def _filed(sql: sqlite3.Connection, given: Sequence[object]) -> list[Filed]:
    columns = "SELECT c.id, c.version, c.channel, c.reference, c.opened_at, c.related"
    rows = sql.execute(f"{columns}{_FILED} ORDER BY f.conversation_id LIMIT ?", given).fetchall()
    pairs = [(_conversation(sql, row), latest_event(sql, row[0])) for row in rows]
    return [Filed(conversation=one, record=latest.record) for one, latest in pairs if latest is not None]


def _conversation(sql: sqlite3.Connection, row: Any) -> DueConversation:
    return DueConversation(
        id=row[0], version=row[1], channel=row[2], reference=row[3], opened_at=known_moment(row[4]),
        related=load(row[5]), messages=messages.heard(sql, row[0]),
    )  # fmt: skip


def _compared(
    sql: sqlite3.Connection, conversation: DueConversation, draft: Draft
) -> tuple[Change, Complaint, Event | None]:
    """What changes, the record as it would be filed, and the event before it."""
    latest = latest_event(sql, conversation.id)
    if latest is None or _is_awaited(sql, conversation):
        return Change(standing=Standing.AWAITED), draft.record, latest
    wanted = unfiled.is_wanted(sql, conversation.id)
    record = unfiled.as_wanted(draft.record) if wanted else draft.record
    record = placed(sql, conversation, draft, record, latest)
    differing = {name: pair for name, pair in changes(latest.record, record).items() if name != "handler"}
    standing = Standing.CHANGED if differing else Standing.SAME
    return Change(standing=standing, changes=differing), record, latest


def _is_awaited(sql: sqlite3.Connection, conversation: DueConversation) -> bool:
    row = sql.execute("SELECT version, due_at FROM conversations WHERE id=?", (conversation.id,)).fetchone()
    if row is None or row[0] != conversation.version or row[1] is not None:
        return True
    query = "SELECT 1 FROM messages WHERE conversation_id=? AND event_id IS NULL AND counts=1 LIMIT 1"
    return sql.execute(query, (conversation.id,)).fetchone() is not None


def _applied(
    sql: sqlite3.Connection,
    conversation: DueConversation,
    draft: Draft,
    router: Router,
    rules: str,
    before: Before,
    now: float,
) -> Change:
    change, record, latest = _compared(sql, conversation, draft)
    if change.standing is not Standing.CHANGED or latest is None:
        return change
    event = file_without_messages(
        sql, conversation, record, latest, router, now,
        key=f"rules {rules} after {latest.id}", doubtful=stamp(latest.at) < before,
    )  # fmt: skip
    fetches.tell(sql, conversation.id, event.id)
    return Change(standing=change.standing, changes=change.changes, event_id=event.id)
