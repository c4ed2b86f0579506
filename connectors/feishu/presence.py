"""Since when we hear without a break: what was said before must be read back."""

from __future__ import annotations

from datetime import datetime


class Presence:
    def __init__(self, since: datetime | None) -> None:
        """`since`: for those who need no connection to hear."""
        self.since = since

    def begin(self, now: datetime) -> None:
        self.since = now

    def end(self) -> None:
        self.since = None

    def covers(self, moment: datetime) -> bool:
        """Whether all that was said after it was heard."""
        return self.since is not None and self.since < moment
