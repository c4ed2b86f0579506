"""Since when a channel that is pushed to hears without a break: what was said before is read back, or is a gap."""

from __future__ import annotations

from datetime import datetime


class Presence:
    """Of one process. How long the channel was heard before it, a poll keeps in its cursor."""

    def __init__(self, since: datetime | None = None) -> None:
        """`since`: for those who need no connection to be heard."""
        self.since = since
        self._lost_at: datetime | None = None

    def begin(self, now: datetime) -> None:
        self.since = now

    def end(self, now: datetime) -> None:
        self.since, self._lost_at = None, now

    def covers(self, moment: datetime) -> bool:
        """Whether all that was said after `moment` was heard."""
        return self.since is not None and self.since < moment

    def absence(self, heard_until: datetime) -> tuple[datetime, datetime] | None:
        """The span before the present connection in which nobody heard, or None. `heard_until` is what the cursor
        says; within one process the moment the last connection ended is known better."""
        if self.since is None:
            return None
        begin = max(heard_until, self._lost_at or heard_until)
        return (begin, self.since) if begin < self.since else None
