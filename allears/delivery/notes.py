"""What is noted of a delivery while it is under way: the sink's own note, and the core's beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allears.journal.journal import Journal
from allears.journal.records import DueDelivery
from allears_sdk import codec
from allears_sdk.sink import Progress, Ticket

CORE = "allears"
"""The key of the core's part; the rest is the sink's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """How far it has come."""

    ticket: Ticket | None = None
    """Found or made; not yet written to its line."""
    key: str = ""
    """The operation's: what is left to be told may be less than the event tells."""
    is_there: bool = False
    """The opening or follow-up is there; what completes it may not be."""

    @classmethod
    def read(cls, progress: Mapping[str, Any]) -> Core:
        return codec.convert(progress.get(CORE, {}), cls)


class Notes:
    """One delivery's, on disk when a call returns."""

    def __init__(self, journal: Journal, due: DueDelivery) -> None:
        self._journal = journal
        self._delivery = due.id
        self._core = due.progress.get(CORE)
        self._note = {name: value for name, value in due.progress.items() if name != CORE}
        self.progress = Progress(note=dict(self._note), save=self._save)

    async def keep(self, core: Core) -> Mapping[str, Any]:
        """All that is noted now."""
        self._core = codec.plain(core)
        return await self._write()

    async def _save(self, note: Mapping[str, Any]) -> None:
        self._note = dict(note)
        await self._write()

    async def _write(self) -> Mapping[str, Any]:
        core = {} if self._core is None else {CORE: self._core}
        noted = {**self._note, **core}
        await self._journal.note_progress(self._delivery, noted)
        return noted
