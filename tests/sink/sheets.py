"""What the tests of CSV and XLSX share: sinks on a file, and events on their way to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allears_sdk.complaint import Event
from allears_sdk.masking import mask_payload
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Sending, Sink, Ticket

Rows = list[dict[str, Any]]
"""Heading → cell, as a spreadsheet reads it."""


def sending(sink: Sink[Any], event: Event) -> Sending:
    key = event_key(ticket_key(event.complaint_id, "sheet"), event.id)
    payload = mask_payload(sink.render(event, key), sink.settings.mask)
    return Sending(payload=payload, key=key, ticket=None)


async def send(sink: Sink[Any], *events: Event) -> Sequence[Ticket | Exception]:
    return await sink.send_many([sending(sink, event) for event in events])


async def send_all(sink: Sink[Any], *events: Event) -> None:
    results = await send(sink, *events)
    assert [type(result) for result in results] == [Ticket] * len(events), results


def whole(rows: Rows, heading: str) -> list[str]:
    """The texts of a column, each with the rows that go on with it."""
    texts: list[str] = []
    for row in rows:
        if row["Key"]:
            texts.append("")
        texts[-1] += row[heading] or ""
    return texts
