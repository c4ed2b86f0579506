"""The journal's promises in miniature: what counts as new, when a cursor moves, and what a death leaves behind."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from allears_sdk.connector import Batch, Connector, Cursor, Gap, Missing
from allears_sdk.message import Raw

MAX_POLLS = 100


class Died(Exception):
    """The daemon was killed here."""


class MiniJournal:
    """Accepts as the real one does: a raw is new when its key is, or when its digest is not the newest one's."""

    def __init__(self) -> None:
        self.raws: list[Raw] = []
        self.cursors: dict[str, Cursor] = {}
        self.missing: dict[str, Missing] = {}
        self.gaps: list[Gap] = []
        self._newest: dict[str, str] = {}

    def accept(self, stream: str, batch: Batch) -> int:
        """Raws, letters and cursor in one step; how many raws were new."""
        new = [raw for raw in batch.raws if self._is_new(raw)]
        self.raws.extend(new)
        self.missing.update({item.key: item for item in batch.missing})
        self.gaps.extend(batch.gaps)
        if batch.cursor is not None:
            self.cursors[stream] = dict(batch.cursor)
        return len(new)

    def known(self) -> frozenset[str]:
        return frozenset(self._newest)

    def _is_new(self, raw: Raw) -> bool:
        """Known by its key; what can change also by its newest digest. Notes it as the newest."""
        newest = self._newest.get(raw.key)
        self._newest[raw.key] = raw.digest
        return newest is None or (raw.digest != "" and raw.digest != newest)


async def hear(
    connector: Connector[Any],
    journal: MiniJournal,
    *,
    limit: int = 10,
    die_at: int | None = None,
    is_stored: bool = False,
) -> list[Batch]:
    """Polls every stream until it holds no more, as the core does; the batches it gave.

    With `die_at` the daemon dies at that `yield` (counted from 0): before the batch is stored, or with `is_stored`
    after it is, but before the line after `yield` runs. Raises Died.
    """
    batches: list[Batch] = []
    for stream in await connector.streams():
        for _ in range(MAX_POLLS):
            more = False
            async with aclosing(connector.poll(stream, journal.cursors.get(stream), {}, limit)) as polled:  # type: ignore[type-var] # every poll is an async generator
                async for batch in polled:
                    dies = len(batches) == die_at
                    if is_stored or not dies:
                        journal.accept(stream, batch)
                    if dies:
                        raise Died
                    batches.append(batch)
                    more = batch.more
            if not more:
                break
        else:
            raise AssertionError(f"stream {stream} says there is more after {MAX_POLLS} polls")
    return batches
