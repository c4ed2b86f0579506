"""How far a mailbox behind an HTTP API has been read: a cursor that is true after every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allears_sdk.connector import Cursor
from allears_sdk.errors import ConfigError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    position: str = ""
    """The source's own word for "all up to here is stored"; "": list from the beginning."""
    since: datetime | None = None
    """Aware: mails received earlier are never filed."""
    marks: tuple[str, ...] = ()
    """The mails stored last: they are settled after the commit, and again after a crash between the two."""

    def dump(self) -> dict[str, Any]:
        """The cursor as JSON."""
        cursor: dict[str, Any] = {"version": VERSION}
        if self.position:
            cursor["position"] = self.position
        if self.since is not None:
            cursor["since"] = self.since.isoformat()
        if self.marks:
            cursor["marks"] = list(self.marks)
        return cursor


def load(cursor: Cursor) -> Reading:
    """Raises ConfigError for a cursor that a newer allears wrote or that makes no sense."""
    if cursor.get("version") != VERSION:
        raise ConfigError(f"the mail cursor has version {cursor.get('version')!r}; this allears reads {VERSION}")
    try:
        since = cursor.get("since")
        return Reading(
            position=str(cursor.get("position", "")),
            since=datetime.fromisoformat(since) if since else None,
            marks=tuple(str(mark) for mark in cursor.get("marks", ())),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the mail cursor cannot be read: {error!r}") from error
