"""Which UIDs of a folder are still to be read: pure arithmetic on spans, true after every page.

Everything below `next_uid` is done except what lies in `todo`, so the newest mails can be read before the oldest
and a crash at any point forgets nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from allears_sdk.connector import Cursor
from allears_sdk.errors import ConfigError

VERSION = 1

Span = tuple[int, int]
"""First and last UID, both inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a folder has been read."""

    uid_validity: int
    since: datetime | None
    """Aware: of the mails that were there on the first run, older ones are known and never filed."""
    next_uid: int = 1
    todo: tuple[Span, ...] = ()
    """Ascending, disjoint, all below `next_uid`."""
    old_below: int = 1
    """Mails below were there when reading began under this UIDVALIDITY: `since` holds for them."""
    relist: bool = False
    """Mails below `old_below` may be stored already, under UIDs that are void: their headers are compared first."""
    marks: tuple[Span, ...] = ()
    """The page stored last: `\\Seen` is set after the commit, and again after a crash between the two."""

    def grown(self, top: int) -> Reading:
        """`top` is the highest UID present: what is new up to there is to be read."""
        if top < self.next_uid:
            return self
        return replace(self, todo=_joined((*self.todo, (self.next_uid, top))), next_uid=top + 1)

    def without(self, first: int, last: int) -> Reading:
        """The UIDs from `first` to `last` are done."""
        todo = tuple(rest for span in self.todo for rest in _outside(span, first, last))
        return replace(self, todo=todo)

    def span(self) -> int:
        """How many UIDs at most are still to be read."""
        return sum(last - first + 1 for first, last in self.todo)

    def window(self, *, newest: bool, width: int) -> Span | None:
        """The lowest or highest stretch of at most `width` UIDs to look at, all on one side of `old_below`."""
        if not self.todo:
            return None
        first, last = self.todo[-1 if newest else 0]
        if first < self.old_below <= last:
            first, last = (self.old_below, last) if newest else (first, self.old_below - 1)
        return (max(first, last - width + 1), last) if newest else (first, min(last, first + width - 1))

    def dump(self) -> dict[str, Any]:
        """The cursor as JSON."""
        cursor: dict[str, Any] = {"version": VERSION, "uidvalidity": self.uid_validity, "next_uid": self.next_uid}
        if self.since is not None:
            cursor["since"] = self.since.isoformat()
        if self.todo:
            cursor["todo"] = [list(span) for span in self.todo]
        if self.old_below > 1:
            cursor["old_below"] = self.old_below
        if self.relist and self.todo:
            cursor["relist"] = True
        if self.marks:
            cursor["marks"] = [list(span) for span in self.marks]
        return cursor


def load(cursor: Cursor) -> Reading:
    """Raises ConfigError for a cursor that a newer allears wrote or that makes no sense."""
    if cursor.get("version") != VERSION:
        raise ConfigError(f"the mail cursor has version {cursor.get('version')!r}; this allears reads {VERSION}")
    try:
        return _load(cursor)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the mail cursor cannot be read: {error!r}") from error


def _load(cursor: Cursor) -> Reading:
    since = cursor.get("since")
    next_uid = int(cursor["next_uid"])
    todo = tuple((int(first), int(last)) for first, last in cursor.get("todo", ()) if int(first) <= int(last))
    return Reading(
        uid_validity=int(cursor["uidvalidity"]),
        since=datetime.fromisoformat(since) if since else None,
        next_uid=max(1, next_uid, *(last + 1 for _, last in todo)),
        todo=_joined(todo),
        old_below=int(cursor.get("old_below", 1)),
        relist=bool(cursor.get("relist", False)),
        marks=tuple((int(first), int(last)) for first, last in cursor.get("marks", ())),
    )


def begun(*, uid_validity: int, top: int, since: datetime | None, relist: bool) -> Reading:
    """Reading starts (again) at a folder whose highest UID is `top`."""
    fresh = Reading(uid_validity=uid_validity, since=since, old_below=top + 1, relist=relist)
    return fresh.grown(top)


def spans(uids: list[int]) -> tuple[Span, ...]:
    """Single UIDs as few spans as possible, ascending."""
    return _joined(tuple((uid, uid) for uid in sorted(uids)))


def message_set(uids: list[int]) -> str:
    """UIDs in IMAP's sequence-set syntax: `3,5:9`."""
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in spans(uids))


def _joined(todo: tuple[Span, ...]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for first, last in sorted(todo):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _outside(span: Span, first: int, last: int) -> tuple[Span, ...]:
    parts = ((span[0], min(span[1], first - 1)), (max(span[0], last + 1), span[1]))
    return tuple(part for part in parts if part[0] <= part[1])
