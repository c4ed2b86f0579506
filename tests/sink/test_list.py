from __future__ import annotations

from pathlib import Path

from allears_sdk.sink import Progress
from allears_sdk.testing import make_context
from allears_sdk.testing.records import make_event
from sink.list import ListSettings, ListSink


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


async def test_the_complaint_is_its_own_ticket(tmp_path: Path) -> None:
    sink = ListSink(ListSettings(sink="list"), make_context("list", tmp_path))
    event = make_event()
    ticket = await sink.open(sink.render(event, "ALE-K"), "ALE-K", Progress(note={}, save=forget))
    assert ticket.id == event.complaint_id
    assert sink.spec.is_view
