"""The Roundup sink on a real Roundup, through a proxy that spoils what passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Rejected, RetryLater, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing.context import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes, SinkContract, Stored
from bench.servers.desk import Mishap
from bench.servers.fault_proxy import FaultProxy
from bench.servers.roundup import MOUNT, READER, Roundup
from sink.roundup import RoundupSettings, RoundupSink
from tests.sink.storms import Storms

WORK = r"POST .*/@poe/|PATCH "
"""What cannot be repeated."""
FIELDS = {"channel": "channel", "category": "category", "received_at": "received", "tags": "keyword"}


@pytest.fixture(scope="module")
def server() -> Iterator[Roundup]:
    with Roundup() as server:
        yield server


@pytest.fixture
async def roundup(server: Roundup) -> AsyncIterator[Roundup]:
    await server.clear()
    yield server


@pytest.fixture
async def proxy(roundup: Roundup) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(roundup.url.removesuffix(MOUNT)) as proxy:
        yield proxy


def settings(url: str, roundup: Roundup, **more: Any) -> RoundupSettings:
    facts = {"sink": "roundup", "url": url, "username": roundup.user, "password": roundup.password, **more}
    return RoundupSettings.model_validate(facts)


class RoundupStore:
    @pytest.fixture(autouse=True)
    def store(self, roundup: Roundup, proxy: FaultProxy) -> None:
        self.roundup, self.proxy = roundup, proxy

    def make_sink(self, context: Context) -> RoundupSink:
        return RoundupSink(settings(self.proxy.url + MOUNT, self.roundup, fields=FIELDS), context)

    async def stored(self) -> list[Stored]:
        messages = {one["id"]: one for one in await self.roundup.items("msg")}
        found = []
        for issue in await self.roundup.items("issue"):
            for number, link in enumerate(sorted(issue["messages"], key=lambda one: int(one["id"]))):
                message = messages[link["id"]]
                mark = message["messageid"].split()[0]
                found.append(Stored(mark if number else issue["complaint_id"], message["content"].decode()))
        return found

    async def stored_files(self) -> list[tuple[str, bytes]]:
        linked = {link["id"] for issue in await self.roundup.items("issue") for link in issue["files"]}
        return [(one["name"], one["content"]) for one in await self.roundup.items("file") if one["id"] in linked]


class TestRoundup(RoundupStore, SinkContract):
    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            await self.proxy.unplug()
        else:
            self.proxy.plan(fault, on=WORK)


class TestRoundupStorm(RoundupStore, Storms):
    steps, share = 12, 1 / 3

    def faults(self) -> FaultProxy:
        return self.proxy


KEY = ticket_key(make_event().complaint_id, "destination")


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path)
    yield context
    await context.remote.aclose()


@pytest.fixture
def sink(roundup: Roundup, proxy: FaultProxy, context: Context) -> RoundupSink:
    return RoundupSink(settings(proxy.url + MOUNT, roundup, fields=FIELDS), context)


async def open_one(sink: RoundupSink, notes: Notes) -> Ticket:
    return await sink.open(sink.render(make_event(), KEY), KEY, notes.progress(KEY))


async def follow_up(sink: RoundupSink, ticket: Ticket) -> None:
    event = make_event(2)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, Progress(note={}, save=nothing))


async def nothing(note: Any) -> None:
    """Notes that nobody keeps."""


@pytest.fixture
def notes() -> Notes:
    return Notes()


async def test_an_issue_holds_the_record(sink: RoundupSink, roundup: Roundup, notes: Notes) -> None:
    ticket = await open_one(sink, notes)
    (issue,) = await roundup.items("issue")
    assert ticket.id == issue["id"]
    assert ticket.url.endswith(f"{MOUNT}/issue{ticket.id}")
    assert issue["title"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert (issue["channel"], issue["category"]) == ("support-mail", "product.material_defect")
    assert issue["received"].startswith("2026-11-22.03:59:42")
    urgent = await roundup.rest("GET", "priority/2")
    assert (issue["priority"]["id"], urgent["data"]["attributes"]["name"]) == ("2", "urgent")


async def test_a_late_request_and_its_repetition_make_one_issue(
    sink: RoundupSink, roundup: Roundup, proxy: FaultProxy, notes: Notes
) -> None:
    """Even where the first attempt is done only after the look-up found nothing: the link serves once."""
    proxy.plan(Fault.LATE, on=WORK)
    with pytest.raises(InDoubt):
        await open_one(sink, notes)
    assert await sink.find(KEY) is None
    ticket = await open_one(sink, notes)
    await proxy.land()
    assert [issue["id"] for issue in await roundup.items("issue")] == [ticket.id]


async def test_a_used_link_leads_to_the_issue_it_made(
    sink: RoundupSink, roundup: Roundup, proxy: FaultProxy, notes: Notes
) -> None:
    proxy.plan(Mishap.TWICE, on=WORK)
    ticket = await open_one(sink, notes)
    assert (await open_one(sink, notes)).id == ticket.id
    assert len(await roundup.items("issue")) == 1


async def test_a_burnt_link_is_replaced(sink: RoundupSink, roundup: Roundup, notes: Notes) -> None:
    await notes.progress(KEY).save({"link": "issue/@poe/expired-long-ago", "messages": ["1"]})
    ticket = await open_one(sink, notes)
    (issue,) = await roundup.items("issue")
    assert ticket.id == issue["id"]


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER])
async def test_a_broken_answer_is_doubt_and_is_found(
    sink: RoundupSink, proxy: FaultProxy, notes: Notes, trouble: Mishap
) -> None:
    proxy.plan(trouble, on=WORK)
    with pytest.raises(InDoubt):
        await open_one(sink, notes)
    assert await sink.find(KEY) is not None


async def test_what_hangs_on_nothing_may_be_lost(
    sink: RoundupSink, roundup: Roundup, proxy: FaultProxy, notes: Notes
) -> None:
    proxy.plan(Fault.LOSE_ANSWER, on="POST .*/msg")
    await open_one(sink, notes)
    (issue,) = await roundup.items("issue")
    assert len(issue["messages"]) == 1


async def test_a_message_that_was_never_linked_is_not_there(sink: RoundupSink, proxy: FaultProxy, notes: Notes) -> None:
    ticket = await open_one(sink, notes)
    proxy.plan(Mishap.CUT_BEFORE, on="PATCH ")
    with pytest.raises(InDoubt):
        await follow_up(sink, ticket)
    mark = event_key(KEY, make_event(2).id)
    assert not await sink.find_follow_ups(ticket, [mark])
    await follow_up(sink, ticket)
    assert await sink.find_follow_ups(ticket, [mark]) == {mark}


async def test_a_change_that_was_repeated_on_its_way_is_there_once(
    sink: RoundupSink, roundup: Roundup, proxy: FaultProxy, notes: Notes
) -> None:
    ticket = await open_one(sink, notes)
    proxy.plan(Mishap.TWICE, on="PATCH ")
    await follow_up(sink, ticket)
    assert [status for what, status in proxy.answers if what.startswith("PATCH")] == [200, 412]
    (issue,) = await roundup.items("issue")
    assert len(issue["messages"]) == 2


async def test_an_agent_who_changes_the_issue_meanwhile_comes_first(
    sink: RoundupSink, roundup: Roundup, proxy: FaultProxy, notes: Notes
) -> None:
    ticket = await open_one(sink, notes)
    etag = (await roundup.rest("GET", f"issue/{ticket.id}"))["data"]["@etag"]
    change = {"json": {"title": "an agent was here"}, "headers": {"If-Match": etag}}
    proxy.meanwhile("GET .*/issue/", lambda: roundup.rest("PATCH", f"issue/{ticket.id}", **change))
    with pytest.raises(RetryLater):
        await follow_up(sink, ticket)
    await follow_up(sink, ticket)
    (issue,) = await roundup.items("issue")
    assert (issue["title"], len(issue["messages"])) == ("an agent was here", 2)


async def test_retired_superseded_and_unknown_issues_are_gone(
    sink: RoundupSink, roundup: Roundup, notes: Notes
) -> None:
    ticket = await open_one(sink, notes)
    other = (await roundup.rest("POST", "issue", json={"title": "the same"}))["data"]["id"]
    etag = (await roundup.rest("GET", f"issue/{ticket.id}"))["data"]["@etag"]
    await roundup.rest("PATCH", f"issue/{ticket.id}", json={"superseder": [other]}, headers={"If-Match": etag})
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    await roundup.retire("issue", other)
    for gone in (Ticket(id=other), Ticket(id="99999")):
        with pytest.raises(TicketGone):
            await follow_up(sink, gone)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"key_field": "complaint"}, "Unknown property: complaint"),
        ({"fields": {"channel": "chanel"}}, "Unknown property: chanel"),
        ({"values": {"priority": {"P1": "hot"}}}, "hot"),
        ({"username": READER[0], "password": READER[1]}, "Rest Access"),
    ],
)
async def test_what_the_tracker_does_not_know_stops_the_destination(
    roundup: Roundup, proxy: FaultProxy, context: Context, notes: Notes, wrong: dict[str, Any], words: str
) -> None:
    sink = RoundupSink(settings(proxy.url + MOUNT, roundup, **wrong), context)
    with pytest.raises(ConfigError, match=words):
        await sink.check()
    if "values" not in wrong:
        with pytest.raises(ConfigError, match=words):
            await open_one(sink, notes)
    assert await roundup.items("issue") == []


async def test_a_wrong_address_is_named(roundup: Roundup, proxy: FaultProxy, context: Context) -> None:
    for path in ("", "/nowhere"):
        with pytest.raises((ConfigError, Rejected)):
            await RoundupSink(settings(proxy.url + path, roundup), context).check()


async def test_check_says_where(sink: RoundupSink, proxy: FaultProxy) -> None:
    assert (await sink.check()).account == f"allears at {proxy.url}{MOUNT}"
    assert not [call for call in proxy.calls if call.method != "GET"]
