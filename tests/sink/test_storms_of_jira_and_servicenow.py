"""Whatever the network does between us and the store: each complaint is there once, each follow-up, each file."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import InDoubt, RetryLater, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Sink, Ticket, marks_of
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import with_files
from bench.servers.desk import Desk, Mishap, Trouble
from bench.servers.jira import Jira
from bench.servers.jira_site import EMAIL, TOKEN, plain
from bench.servers.servicenow import PASSWORD, USER, ServiceNow
from sink.jira import JiraSettings, JiraSink
from sink.servicenow import ServiceNowSettings, ServiceNowSink

ODDS: dict[Trouble, float] = {
    Fault.LOSE_ANSWER: 0.12,
    Fault.LATE: 0.08,
    Fault.GARBAGE: 0.04,
    Fault.TOO_MANY: 0.04,
    Mishap.CUT_BEFORE: 0.08,
    Mishap.BROKEN_AFTER: 0.08,
    Mishap.TIMED_OUT_AFTER: 0.04,
    Mishap.BUSY: 0.04,
}
COMPLAINTS = 15


async def _save(note: object) -> None: ...


PROGRESS = Progress(note={}, save=_save)


class Clerk:
    """Does what the core does, by class: in doubt it waits until no request can be under way, and looks."""

    def __init__(self, sink: Sink[Any], desk: Desk, clock: FakeClock) -> None:
        self.sink = sink
        self._desk = desk
        self._clock = clock

    async def file(self, event: Event) -> Ticket:
        key = ticket_key(event.complaint_id, "destination")
        payload = self.sink.render(event, key)
        ticket: Ticket = await self._until_done(
            lambda: self.sink.open(payload, key, PROGRESS), lambda: self.sink.find(key)
        )
        await self._complete(ticket, payload, key)
        return ticket

    async def follow_up(self, ticket: Ticket, event: Event) -> None:
        key = event_key(ticket_key(event.complaint_id, "destination"), event.id)
        payload, marks = self.sink.render(event, key), marks_of(event, key)

        async def add() -> bool:
            await self.sink.follow_up(ticket, payload, key, PROGRESS)
            return True

        async def look() -> bool | None:
            return set(await self.sink.find_follow_ups(ticket, marks)) == set(marks) or None

        await self._until_done(add, look)
        await self._complete(ticket, payload, key)

    async def _complete(self, ticket: Ticket, payload: bytes, key: str) -> None:
        async def nothing() -> None:
            return None

        async def complete() -> bool:
            await self.sink.complete(ticket, payload, key, PROGRESS)
            return True

        await self._until_done(complete, nothing)

    async def _until_done(self, act: Callable[[], Awaitable[Any]], look: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await act()
            except (RetryLater, Unavailable):
                continue
            except InDoubt:
                self._clock.advance(300)
                await self._desk.land()
                if (found := await look()) is not None:
                    return found


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, clock=clock, files=files)
    yield context
    await context.remote.aclose()


async def work(clerk: Clerk, files: MemoryFiles) -> None:
    for number in range(COMPLAINTS):
        who = f"mail-{number}"
        ticket = await clerk.file(with_files(make_event(who=who), files))
        for sequence in (2, 3):
            await clerk.follow_up(ticket, make_event(sequence, who=who))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("more", [{}, {"service_desk": "4", "request_type": "25"}], ids=["issues", "requests"])
async def test_jira(context: Context, clock: FakeClock, files: MemoryFiles, more: dict[str, str], seed: int) -> None:
    desk = Jira(lambda: clock.now().timestamp())
    desk.lag_seconds = 12 * 3600
    await desk.start()
    given = {"url": desk.url, "email": EMAIL, "token": TOKEN, "project": "CMP"}
    desk.storm(random.Random(seed), ODDS)
    await work(Clerk(JiraSink(JiraSettings.model_validate({**given, **more}), context), desk, clock), files)
    await desk.land()
    issues = list(desk.site.issues.values())
    assert len({plain(issue.fields["description"])[-30:] for issue in issues}) == len(issues) == COMPLAINTS
    assert {len(issue.comments) for issue in issues} == {2}
    assert {len(issue.files) for issue in issues} == {2}
    await desk.stop()


@pytest.mark.parametrize("seed", range(6))
async def test_servicenow(context: Context, clock: FakeClock, files: MemoryFiles, seed: int) -> None:
    desk = ServiceNow(lambda: clock.now().timestamp())
    await desk.start()
    settings = ServiceNowSettings.model_validate({"url": desk.url, "username": USER, "password": PASSWORD})
    desk.storm(random.Random(seed), ODDS)
    await work(Clerk(ServiceNowSink(settings, context), desk, clock), files)
    await desk.land()
    keys = [row.values["correlation_id"] for row in desk.rows]
    assert len(set(keys)) == len(keys) == COMPLAINTS
    assert {len(row.journal) for row in desk.rows} == {2}
    assert {len(row.files) for row in desk.rows} == {2}
    await desk.stop()
