"""Zendesk and Freshdesk when every other call goes wrong: nothing lost, nothing twice, resolved as the core does it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import InDoubt, RetryLater, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import DEFAULT_WAIT_SECONDS, Sink, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryFiles
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes, with_files
from bench.servers.desk import Desk, Mishap, Trouble
from bench.servers.freshdesk import API_KEY, Freshdesk
from bench.servers.zendesk import EMAIL, TOKEN, Zendesk
from sink.freshdesk import FreshdeskSettings, FreshdeskSink
from sink.zendesk import ZendeskSettings, ZendeskSink

ODDS: Mapping[Trouble, float] = {
    Fault.LOSE_ANSWER: 0.12,
    Fault.LATE: 0.08,
    Fault.GARBAGE: 0.05,
    Fault.TOO_MANY: 0.05,
    Mishap.CUT_BEFORE: 0.08,
    Mishap.BROKEN_AFTER: 0.08,
    Mishap.TIMED_OUT_AFTER: 0.05,
    Mishap.BUSY: 0.05,
}


class Core:
    """One line at a time, by the rules of delivery: what is in doubt waits, is looked up, and only then sent again."""

    def __init__(self, desk: Desk, sink: Sink[Any], clock: FakeClock) -> None:
        self.desk, self.sink, self.clock = desk, sink, clock
        self.notes = Notes()

    async def file(self, event: Event, ticket: Ticket | None) -> Ticket:
        ticket_key_ = ticket_key(event.complaint_id, "desk")
        key = ticket_key_ if ticket is None else event_key(ticket_key_, event.id)
        payload = self.sink.render(event, key)
        for _ in range(60):
            try:
                if ticket is None:
                    return await self.sink.open(payload, key, self.notes.progress(key))
                await self.sink.follow_up(ticket, payload, key, self.notes.progress(key))
            except (RetryLater, Unavailable):
                continue
            except InDoubt:
                if found := await self._look(ticket, key):
                    return found
            else:
                return ticket
        raise AssertionError("never filed")

    async def _look(self, ticket: Ticket | None, key: str) -> Ticket | None:
        spec = self.sink.spec
        self.clock.advance(spec.wait_seconds or DEFAULT_WAIT_SECONDS[spec.open_certainty])
        await self.desk.land()
        if ticket is None:
            return await self.sink.find(key)
        return ticket if await self.sink.find_follow_ups(ticket, [key]) else None


async def run(desk: Zendesk | Freshdesk, sink: Sink[Any], clock: FakeClock, seed: int) -> None:
    files = sink.context.files
    assert isinstance(files, MemoryFiles)
    desk.storm(random.Random(seed), ODDS)
    core = Core(desk, sink, clock)
    for number in range(8):
        who = f"mail-{seed}-{number}"
        ticket = await core.file(with_files(make_event(who=who), files), None)
        for sequence in (2, 3):
            await core.file(make_event(sequence, who=who), ticket)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Context]:
    context = make_context("desk", tmp_path, clock=clock, files=MemoryFiles())
    yield context
    await context.remote.aclose()


@pytest.fixture
async def zendesk(clock: FakeClock) -> AsyncIterator[Zendesk]:
    desk = Zendesk(lambda: clock.now().timestamp())
    desk.lag_seconds = 1800  # were its list to lag, the key would still tell
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def freshdesk(clock: FakeClock) -> AsyncIterator[Freshdesk]:
    desk = Freshdesk(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_zendesk(zendesk: Zendesk, context: Context, clock: FakeClock, seed: int) -> None:
    settings = ZendeskSettings.model_validate({"url": zendesk.url, "email": EMAIL, "token": TOKEN})
    await run(zendesk, ZendeskSink(settings, context), clock, seed)
    keys = Counter(str(ticket.fields["external_id"]) for ticket in zendesk.created)
    assert (len(keys), set(keys.values())) == (8, {1})
    assert Counter(len(ticket.comments) for ticket in zendesk.created) == {3: 8}
    assert len(zendesk.files) == 16


@pytest.mark.parametrize("seed", range(4))
async def test_freshdesk(freshdesk: Freshdesk, context: Context, clock: FakeClock, seed: int) -> None:
    settings = FreshdeskSettings.model_validate(
        {"url": freshdesk.url, "api_key": API_KEY, "key_field": "cf_complaint_id"}
    )
    await run(freshdesk, FreshdeskSink(settings, context), clock, seed)
    keys = Counter(str(ticket.fields["custom_fields"]["cf_complaint_id"]) for ticket in freshdesk.created)
    assert (len(keys), set(keys.values())) == (8, {1})
    assert Counter(len(ticket.conversations) for ticket in freshdesk.created) == {2: 8}
    assert len(freshdesk.files) == 16
