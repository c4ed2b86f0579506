"""The board where channels' states hang: written to the journal about once a second, read for orders from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allears.intake.timing import Timing
from allears.journal.errors import JournalUnavailable
from allears.journal.journal import Journal
from allears.journal.records import ChannelRow

FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    connector: str
    state: str
    reason: str
    success: bool = False


Heed = Callable[[ChannelRow], None]
"""Called with a row whose state is an order that somebody else has written there."""


class Board:
    """Notes are merged between two writes, so that a busy channel costs the journal no more than a quiet one."""

    def __init__(self, journal: Journal, timing: Timing, heed: Heed) -> None:
        self._journal = journal
        self._timing = timing
        self._heed = heed
        self._notes: dict[str, Note] = {}
        self._heeded: dict[str, int] | None = None
        """How many orders of each channel; None until we have looked."""
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()

    def pin(self, name: str, note: Note) -> None:
        """To be written soon, in place of an earlier note that is not written yet."""
        earlier = self._notes.get(name)
        if earlier is not None and earlier.success and not note.success:
            note = Note(connector=note.connector, state=note.state, reason=note.reason, success=True)
        self._notes[name] = note
        self._dirty.set()

    async def read(self) -> Sequence[ChannelRow]:
        """All rows; heeds what others ordered since we last looked."""
        async with self._writing:
            return await self._read()

    async def _read(self) -> Sequence[ChannelRow]:
        rows = await self._journal.channels()
        orders = {row.name: row.orders for row in rows}
        known = orders if self._heeded is None else self._heeded
        self._heeded = orders
        for row in rows:
            if row.orders > known.get(row.name, 0):
                self._notes.pop(row.name, None)
                self._heed(row)
        return rows

    async def flush(self) -> None:
        """Write what is pinned. An order that somebody wrote meanwhile goes before our note."""
        async with self._writing:
            if not self._notes:
                return
            await self._read()
            notes, self._notes = self._notes, {}
            together = (self._write(name, note) for name, note in notes.items())  # one commit for a thousand channels
            failed = [one for one in await asyncio.gather(*together, return_exceptions=True) if one]
            if failed:
                raise failed[0]

    async def _write(self, name: str, note: Note) -> None:
        assert self._heeded is not None, "whoever writes has read first"
        try:
            is_written = await self._journal.note_channel(
                name,
                connector=note.connector,
                state=note.state,
                reason=note.reason,
                success=note.success,
                heeded=self._heeded.get(name, 0),
            )
        except (asyncio.CancelledError, JournalUnavailable):
            self._notes.setdefault(name, note)  # it may be written: twice does no harm
            raise
        if not is_written:  # an order came in between: it is read, and heeded, before we write again
            self._notes.setdefault(name, note)
            self._dirty.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self.flush()
            except JournalUnavailable:
                self._dirty.set()
            await self._timing.sleep(FLUSH_SECONDS)
