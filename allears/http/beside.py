"""What the public room has beside the channels: links to attachments, and what ticket stores tell."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from allears.attachments import Attachments
from allears.delivery.engine import Engine
from allears.http.downloads import MEDIA_TYPE, download_headers
from allears.intake.reception import Refused
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears_sdk.connector import Answer, Request
from allears_sdk.context import Clock, Log
from allears_sdk.sink import Hearing

MAX_BODY_BYTES = 1 << 20
NOT_FOUND = Answer(status=404)
_COME_BACK = Answer(status=503, headers={"Retry-After": "30"})
_REFUSED = Refused(status=403)


class Beside:
    """Answers `/files/…` and `/back/<destination>`."""

    def __init__(self, attachments: Attachments, engine: Engine, journal: Journal, clock: Clock) -> None:
        self._attachments = attachments
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._log: Log = structlog.get_logger("allears.http.beside")
        self._refusals: set[tuple[str, str]] = set()

    async def open_file(self, path: str, query: Sequence[tuple[str, str]]) -> Answer:
        """404 for a link that is not ours, has expired, or whose file is gone: whoever guesses learns nothing."""
        asked = dict(query)
        found = await self._attachments.opened(path, asked.get("until", ""), asked.get("sign", ""), self._clock.now())
        if found is None:
            return NOT_FOUND
        return Answer(body=found[1], media_type=MEDIA_TYPE, headers=download_headers(found[0]))

    def max_body_bytes(self, destination: str) -> int:
        return MAX_BODY_BYTES if self._engine.tells(destination) else 0

    async def hear(self, destination: str, request: Request) -> Answer:
        """After the commit: a store that gets no 2xx tells again."""
        hearing = self._engine.hear(destination, request)
        if hearing is None:
            return NOT_FOUND
        if hearing.refused:
            return self._refuse(destination, hearing)
        try:
            known = await self._journal.note_tickets(destination, hearing.changes) if hearing.changes else 0
        except JournalUnavailable:
            return _COME_BACK
        self._log.debug("told", destination=destination, changes=len(hearing.changes), ours=known)
        return hearing.answer

    def _refuse(self, destination: str, hearing: Hearing) -> Answer:
        """Said once for each reason, counted by the room."""
        if (destination, hearing.refused) not in self._refusals and len(self._refusals) < 1000:
            self._refusals.add((destination, hearing.refused))
            self._log.warning("telling_refused", destination=destination, reason=hearing.refused)
        return hearing.answer if hearing.answer.status >= 400 else _REFUSED
