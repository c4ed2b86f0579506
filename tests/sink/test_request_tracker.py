"""The Request Tracker sink on a real RT, through a proxy that spoils what passes; and what it relies on in RT."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Contact, Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket, marks_of
from allears_sdk.testing.context import MemoryFiles, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.fault_proxy import FaultProxy
from bench.servers.request_tracker import KEY_FIELD, QUEUE, READER, STRANGER, USER, RequestTracker
from sink.request_tracker import RequestTrackerSettings, RequestTrackerSink
from tests.conftest import missing
from tests.sink.storms import Storms

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

FIELDS = {"channel": "投诉渠道", "category": "Category", "received_at": "Received"}
KEY = ticket_key(make_event().complaint_id, "destination")


@pytest.fixture(scope="module")
def server() -> Iterator[RequestTracker]:
    if RequestTracker.program() is None:
        missing("Request Tracker (apt: request-tracker5 rt5-db-sqlite rt5-standalone)")
    with RequestTracker() as server:
        yield server


@pytest.fixture
async def rt(server: RequestTracker) -> AsyncIterator[RequestTracker]:
    server.clear()
    yield server


@pytest.fixture
async def proxy(rt: RequestTracker) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(rt.url) as proxy:
        yield proxy


def settings(rt: RequestTracker, proxy: FaultProxy, **more: Any) -> RequestTrackerSettings:
    facts = {"url": proxy.url, "token": rt.tokens[USER[0]], "queue": QUEUE, "fields": FIELDS, **more}
    return RequestTrackerSettings.model_validate(facts)


class RequestTrackerStore:
    @pytest.fixture(autouse=True)
    def store(self, rt: RequestTracker, proxy: FaultProxy) -> None:
        self.rt, self.proxy = rt, proxy

    def make_sink(self, context: Context) -> RequestTrackerSink:
        return RequestTrackerSink(settings(self.rt, self.proxy), context)

    async def stored(self) -> list[Stored]:
        found = []
        for ticket in self.rt.tickets():
            for kind, subject, text, _ in ticket["told"]:
                mark = ticket["fields"][KEY_FIELD] if kind == "Create" else subject.partition("[")[2].split("]")[0]
                found.append(Stored(mark, text))
        return found

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [file for ticket in self.rt.tickets() for *_, files in ticket["told"] for file in files]


class TestRequestTracker(RequestTrackerStore, SinkContract):
    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.GONE:
            self.proxy.plan(fault, on="GET ")
        else:
            await self.proxy.fail_next(fault)


class TestRequestTrackerStorm(RequestTrackerStore, Storms):
    steps, share = 12, 1 / 3

    def faults(self) -> FaultProxy:
        return self.proxy


@pytest.fixture
async def context(tmp_path: Path, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, files=files)
    yield context
    await context.remote.aclose()


@pytest.fixture
def sink(rt: RequestTracker, proxy: FaultProxy, context: Context) -> RequestTrackerSink:
    return RequestTrackerSink(settings(rt, proxy), context)


async def nothing(note: Any) -> None:
    """Notes that nobody keeps."""


PROGRESS = Progress(note={}, save=nothing)


async def open_one(sink: RequestTrackerSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def follow_up(sink: RequestTrackerSink, ticket: Ticket, event: Event | None = None) -> None:
    event = event or make_event(2)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


async def test_a_ticket_holds_the_record(sink: RequestTrackerSink, rt: RequestTracker) -> None:
    ticket = await open_one(sink)
    (there,) = rt.tickets()
    assert ticket == Ticket(id=str(there["id"]), url=f"{sink.settings.url}/Ticket/Display.html?id={there['id']}")
    assert there["Subject"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert there["Priority"] == 75
    assert there["fields"] == {
        KEY_FIELD: KEY,
        "投诉渠道": "support-mail",
        "Category": "product.material_defect",
        "Received": "2026-11-22T03:59:42Z",
    }
    requestor = (await rt.rest("GET", f"ticket/{ticket.id}"))["Requestor"]
    assert [one["id"] for one in requestor] == ["lilei@mail.example.cn"]


@pytest.mark.parametrize("is_public", [False, True])
async def test_follow_ups_are_comments_unless_they_are_public(
    proxy: FaultProxy, rt: RequestTracker, context: Context, is_public: bool
) -> None:
    sink = RequestTrackerSink(settings(rt, proxy, public_notes=is_public), context)
    await follow_up(sink, await open_one(sink))
    (there,) = rt.tickets()
    assert [kind for kind, *_ in there["told"]] == ["Create", "Correspond" if is_public else "Comment"]


async def test_a_burst_of_many_messages_is_known_by_each(sink: RequestTrackerSink) -> None:
    """More than the subject can name."""
    ticket, event = await open_one(sink), make_event(2, told=9)
    await follow_up(sink, ticket, event)
    marks = marks_of(event, event_key(KEY, event.id))
    assert await sink.find_follow_ups(ticket, marks) == set(marks)
    assert len(marks) == 9


async def test_a_long_history_is_read_to_its_end(sink: RequestTrackerSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sink.request_tracker.PAGE", 2)
    ticket = await open_one(sink)
    for sequence in (2, 3, 4):
        await follow_up(sink, ticket, make_event(sequence))
    mark = event_key(KEY, make_event(4).id)
    assert await sink.find_follow_ups(ticket, [mark]) == {mark}


async def test_a_ticket_that_went_where_we_see_nothing_is_gone(sink: RequestTrackerSink, rt: RequestTracker) -> None:
    ticket = await open_one(sink)
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"Queue": "General"})
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, [KEY])


async def test_a_ticket_that_went_to_a_queue_without_our_field_is_found(
    rt: RequestTracker, proxy: FaultProxy, context: Context
) -> None:
    sink = RequestTrackerSink(settings(rt, proxy, token=rt.tokens["root"]), context)
    ticket = await open_one(sink)
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"Queue": "General"})
    found = await sink.find(KEY)
    assert found is not None
    assert found.id == ticket.id
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"Subject": "another"})
    with pytest.raises(ConfigError, match="SeeCustomField"):
        await sink.find(KEY)


@pytest.mark.parametrize("status", ["resolved", "rejected", "deleted"])
async def test_a_closed_or_deleted_ticket_is_gone(sink: RequestTrackerSink, rt: RequestTracker, status: str) -> None:
    ticket = await open_one(sink)
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"Status": status})
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    with pytest.raises(TicketGone):
        await follow_up(sink, Ticket(id="99999"))


async def test_a_resolved_ticket_stays_resolved_where_follow_ups_go_to_it(
    proxy: FaultProxy, rt: RequestTracker, context: Context
) -> None:
    sink = RequestTrackerSink(settings(rt, proxy, closed_statuses=[]), context)
    ticket = await open_one(sink)
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"Status": "resolved"})
    await follow_up(sink, ticket)
    (there,) = rt.tickets()
    assert (there["Status"], len(there["told"])) == ("resolved", 2)


async def test_a_merged_ticket_leads_to_where_it_went(sink: RequestTrackerSink, rt: RequestTracker) -> None:
    ticket = await open_one(sink)
    other = (await rt.rest("POST", "ticket", json={"Queue": QUEUE, "Subject": "the same"}))["id"]
    await rt.rest("PUT", f"ticket/{ticket.id}", json={"MergeInto": other})
    await follow_up(sink, ticket)
    mark = event_key(KEY, make_event(2).id)
    assert await sink.find_follow_ups(ticket, [mark]) == {mark}
    (there,) = rt.tickets()
    assert str(there["id"]) == other


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER])
async def test_a_broken_answer_is_doubt_and_is_found(
    sink: RequestTrackerSink, proxy: FaultProxy, trouble: Mishap
) -> None:
    proxy.plan(trouble)
    with pytest.raises(InDoubt):
        await open_one(sink)
    assert await sink.find(KEY) is not None


async def test_of_two_that_share_a_key_the_older_is_adopted(sink: RequestTrackerSink, proxy: FaultProxy) -> None:
    proxy.plan(Mishap.TWICE)
    newer = await open_one(sink)
    found = await sink.find(KEY)
    assert found is not None
    assert int(found.id) < int(newer.id)


async def test_lost_and_empty_files_are_named(sink: RequestTrackerSink, rt: RequestTracker, files: MemoryFiles) -> None:
    event = with_files(make_event(), files)
    empty = files.put("空.txt", b"", message=event.messages[0])
    odd = files.put('we"ird\\ näme 😡.txt', b"x", message=event.messages[0])
    event = replace(event, record=replace(event.record, attachments=(*event.record.attachments, empty, odd)))
    del files.contents[event.record.attachments[0].sha256]
    await open_one(sink, event)
    (there,) = rt.tickets()
    ((_, _, text, stored),) = there["told"]
    assert "⚠ 碎屏 照片.jpg: " in text
    assert "⚠ 空.txt: 0 B" in text
    assert [content for _, content in stored] == [b"%PDF-1.7\n\xe2\xe3", b"x"]


@pytest.mark.parametrize("email", ["张三@例子.中国", "", "no address", "a@b", "x y@z.cn"])
async def test_an_address_that_is_none_is_left_out(sink: RequestTrackerSink, email: str) -> None:
    event = make_event()
    event = replace(event, record=replace(event.record, contact=Contact(email=email)))
    assert "Requestor" not in json.loads(sink.render(event, KEY))["request"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"queue": "No such queue"}, "no such queue"),
        ({"key_field": "Complaint-ID"}, "shows no custom field"),
        ({"fields": {"channel": "Chanel"}}, "the store has no such field"),
        ({"values": {"priority": {"P1": "High"}}}, "integer"),
        ({"token": None, "username": STRANGER[0], "password": STRANGER[1]}, "rights"),
        ({"url": "/nowhere"}, "check url"),
    ],
)
async def test_settings_that_do_not_fit_are_named(
    rt: RequestTracker, proxy: FaultProxy, context: Context, wrong: dict[str, Any], words: str
) -> None:
    wrong = {name: proxy.url + value if name == "url" else value for name, value in wrong.items()}
    with pytest.raises(ConfigError, match=words):
        await RequestTrackerSink(settings(rt, proxy, **wrong), context).check()


async def test_an_unknown_field_is_noticed_before_a_second_ticket_is_made(
    proxy: FaultProxy, rt: RequestTracker, context: Context
) -> None:
    """RT takes the ticket, drops the field, and finds nothing by it."""
    sink = RequestTrackerSink(settings(rt, proxy, key_field="Complaint-ID", fields={}), context)
    await open_one(sink)
    with pytest.raises(ConfigError, match="Complaint-ID"):
        await sink.find(KEY)


async def test_a_queue_that_may_not_be_written_to_stops_the_destination(
    proxy: FaultProxy, rt: RequestTracker, context: Context
) -> None:
    with pytest.raises(ConfigError):
        await open_one(RequestTrackerSink(settings(rt, proxy, token=rt.tokens[STRANGER[0]]), context))
    assert rt.tickets() == []


async def test_a_right_that_is_missing_is_the_admin_s_to_mend(
    sink: RequestTrackerSink, rt: RequestTracker, proxy: FaultProxy, context: Context
) -> None:
    """No linked ticket for each follow-up of each complaint."""
    ticket = await open_one(sink)
    reader = RequestTrackerSink(settings(rt, proxy, token=rt.tokens[READER[0]]), context)
    assert await reader.find(KEY) == ticket
    with pytest.raises(ConfigError, match="rights"):
        await follow_up(reader, ticket)


async def test_check_says_where_and_makes_nothing(sink: RequestTrackerSink, proxy: FaultProxy) -> None:
    identity = await sink.check()
    assert identity.account == f"{proxy.url}, queue {QUEUE}"
    assert identity.details[0].startswith("RT 5.")
    assert {one.method for one in proxy.calls} == {"GET"}


def test_settings_need_a_token_or_a_password() -> None:
    for more in ({}, {"username": "allears"}, {"password": "x"}):
        with pytest.raises(ValidationError, match="set token"):
            RequestTrackerSettings.model_validate({"url": "https://rt.example.com", "queue": "q", **more})


async def test_in_rt_an_unknown_field_vanishes_and_finds_nothing(rt: RequestTracker) -> None:
    made = await rt.call(
        USER[0], "POST", "ticket", json={"Queue": QUEUE, "Subject": "x", "CustomFields": {"No such": "x"}}
    )
    assert made.status_code == 201
    found = await rt.call(USER[0], "GET", "tickets", params={"query": "'CF.{No such}' = 'x'"})
    assert (found.status_code, found.json()["items"]) == (200, [])


async def test_in_rt_a_look_up_sees_every_write_at_once(rt: RequestTracker) -> None:
    for number in range(5):
        fields = {KEY_FIELD: f"ALE-{number}"}
        await rt.call(USER[0], "POST", "ticket", json={"Queue": QUEUE, "Subject": "x", "CustomFields": fields})
        found = await rt.call(USER[0], "GET", "tickets", params={"query": f"'CF.{{{KEY_FIELD}}}' = 'ALE-{number}'"})
        assert len(found.json()["items"]) == 1


async def test_in_rt_a_chinese_name_in_json_is_an_error_and_in_a_form_is_kept(rt: RequestTracker) -> None:
    ticket = {"Queue": QUEUE, "Subject": "x", "Content": "x", "ContentType": "text/plain"}
    file = {"FileName": "照片.jpg", "FileType": "image/jpeg", "FileContent": "eA=="}
    assert (await rt.call(USER[0], "POST", "ticket", json={**ticket, "Attachments": [file]})).status_code == 500
    assert rt.tickets() == []
    form = {"JSON": json.dumps(ticket)}
    made = await rt.call(
        USER[0], "POST", "ticket", data=form, files=[("Attachments", ("照片.jpg", b"x", "image/jpeg"))]
    )
    assert made.status_code == 201


async def test_in_rt_a_deleted_ticket_takes_comments(rt: RequestTracker) -> None:
    ticket = (await rt.call(USER[0], "POST", "ticket", json={"Queue": QUEUE, "Subject": "x"})).json()["id"]
    await rt.rest("DELETE", f"ticket/{ticket}")
    comment = {"Content": "x", "ContentType": "text/plain"}
    assert (await rt.call(USER[0], "POST", f"ticket/{ticket}/comment", json=comment)).status_code == 201
