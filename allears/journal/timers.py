"""What moves a conversation's timer besides its messages: files that have come, and a start."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from allears.journal.conversations import FETCH_SECONDS


def note_fetched(sql: sqlite3.Connection, conversation_id: int, now: float, *, more: bool) -> None:
    """Something has come that its record waited for, or was filed without: derive it, once the rest has come too."""
    query = (
        "UPDATE conversations SET version=version+1, settles_at=coalesce(settles_at, due_at, :now), due_at=CASE"
        " WHEN due_at IS NULL THEN :later WHEN :more THEN due_at"
        " ELSE min(due_at, max(coalesce(settles_at, due_at), :now)) END WHERE id=:id"
    )
    values = {"id": conversation_id, "now": now, "later": now + FETCH_SECONDS if more else now, "more": more}
    sql.execute(query, values)


def resume(sql: sqlite3.Connection, silences: Mapping[str, float], now: float) -> None:
    """After a start: `silences` are the seconds in which a channel may first catch up with what was said meanwhile."""
    rows = [(now + seconds, now + seconds, channel, now + seconds) for channel, seconds in silences.items()]
    sql.executemany("UPDATE conversations SET due_at=?, settles_at=? WHERE channel=? AND due_at < ?", rows)
