"""Since when a channel that is pushed to hears without a break: what was said before is read back, or is a gap."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from allears_sdk.connector import Batch, Cursor, Gap
from allears_sdk.context import Context
from allears_sdk.settings import ChannelSettings

SHORT = timedelta(seconds=60)
"""A restart takes so long, and nobody is asked to look for what may have been said meanwhile."""


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


class Attendance:
    """Of a stream that is pushed, with nothing to read back: what was offered in vain, and is offered no more, is a
    gap. Its polls only note that the channel still hears."""

    def __init__(
        self,
        context: Context,
        settings: ChannelSettings,
        *,
        reason: str,
        offered: timedelta = timedelta(),
        from_first: bool = False,
    ) -> None:
        """`offered`: how long the platform goes on offering what nobody took. `reason`: what the admin is to do.
        `from_first`: pushes may never have been set up, so that before the first nothing is missed."""
        self._clock = context.clock
        self._presence = Presence(context.clock.now())
        self._offered = offered
        self._short = SHORT + timedelta(seconds=settings.interval_seconds)  # the last note may be as old as that
        self._reason = reason
        self._is_used = not from_first

    def heard(self) -> None:
        """Something was pushed."""
        self._is_used = True

    async def batches(self, cursor: Cursor | None) -> AsyncIterator[Batch]:
        if cursor is None and not self._is_used:
            return
        gaps = self._gaps(datetime.fromisoformat(cursor["heard_until"])) if cursor else ()
        yield Batch(cursor={"version": 1, "heard_until": self._clock.now().isoformat()}, gaps=gaps)

    def _gaps(self, heard_until: datetime) -> Sequence[Gap]:
        absence = self._presence.absence(heard_until)
        if absence is None or absence[1] - absence[0] < max(self._short, self._offered):
            return ()
        return (Gap(since=absence[0], until=absence[1] - self._offered, reason=self._reason),)
