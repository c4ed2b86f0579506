"""The tables as allears makes them, and what of a foreign one it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from allears_sdk.tickets.facts import FACTS
from sink.sql.settings import SqlSettings

ENTRY_KEY = "entry_key"


class Kind(StrEnum):
    """What a column of ours holds."""

    KEY = "key"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    INSTANT = "instant"
    JSON = "json"


COMPLAINT: Mapping[str, Kind] = {
    **dict.fromkeys(FACTS, Kind.TEXT),
    "id": Kind.KEY,
    "received_at": Kind.INSTANT,
    "rating": Kind.NUMBER,
    "record": Kind.JSON,
    "events": Kind.INTEGER,
    "last_event": Kind.KEY,
    "opened_at": Kind.INSTANT,
    "updated_at": Kind.INSTANT,
}
"""Beside the key: every fact, the whole record, how many events there were, which was the last, and when."""

EVENT: Mapping[str, Kind] = {
    ENTRY_KEY: Kind.KEY,
    "ticket_key": Kind.KEY,
    "complaint_id": Kind.KEY,
    "sequence": Kind.INTEGER,
    "kind": Kind.KEY,
    "at": Kind.INSTANT,
    "author": Kind.TEXT,
    "text": Kind.TEXT,
    "changes": Kind.JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is made where it is missing, column by column."""

    name: str
    key: str
    columns: Mapping[str, Kind]
    indexes: tuple[str, ...]


def own_tables(settings: SqlSettings) -> tuple[Table, ...]:
    """Those that allears makes."""
    events = Table(name=settings.events_table, key=ENTRY_KEY, columns=EVENT, indexes=("ticket_key", "complaint_id"))
    if settings.is_mapped:
        return (events,)
    constants = dict.fromkeys(settings.constants, Kind.TEXT)
    columns = {settings.key_column: Kind.KEY, **COMPLAINT, **constants}
    return Table(name=settings.table, key=settings.key_column, columns=columns, indexes=("id", "received_at")), events
