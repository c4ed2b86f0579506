"""What is remembered of a maildrop beside the keys of its mails: the same size for ten mails and for a hundred
thousand. Which mails are known is asked of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allears_sdk.connector import Cursor
from allears_sdk.errors import ConfigError

VERSION = 1
MAX_LOST = 500
PREFIX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a maildrop has been read."""

    since: datetime | None
    """Aware: of the mails that were there on the first run, older ones are known and never filed."""
    begun: bool = False
    """The first run is over: whatever is unknown has come since."""
    lost: tuple[str, ...] = ()
    """Beginnings of the keys of mails that the server lists but does not hand over: letters by now."""

    def gave_up(self, key: str) -> bool:
        return key[:PREFIX] in self.lost

    def dump(self) -> dict[str, Any]:
        """The cursor as JSON."""
        cursor: dict[str, Any] = {"version": VERSION, "begun": self.begun}
        if self.since is not None:
            cursor["since"] = self.since.isoformat()
        if self.lost:
            cursor["lost"] = list(self.lost)
        return cursor


def with_lost(lost: tuple[str, ...], keys: list[str]) -> tuple[str, ...]:
    """The newest `MAX_LOST` of them: an older one that is still listed becomes its letter anew."""
    return (*lost, *(key[:PREFIX] for key in keys if key[:PREFIX] not in lost))[-MAX_LOST:]


def load(cursor: Cursor) -> Reading:
    """Raises ConfigError for a cursor that a newer allears wrote or that makes no sense."""
    if cursor.get("version") != VERSION:
        raise ConfigError(f"the mail cursor has version {cursor.get('version')!r}; this allears reads {VERSION}")
    try:
        since = cursor.get("since")
        return Reading(
            since=datetime.fromisoformat(since) if since else None,
            begun=bool(cursor["begun"]),
            lost=tuple(str(key) for key in cursor.get("lost", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the mail cursor cannot be read: {error!r}") from error
