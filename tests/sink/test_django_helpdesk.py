"""The django-helpdesk sink on a real one, through a proxy that spoils what passes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import Contact, Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing.context import MemoryFiles, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.django_helpdesk import MOUNT, STAFF, STRANGER, DjangoHelpdesk
from bench.servers.fault_proxy import FaultProxy
from sink.django_helpdesk import DjangoHelpdeskSettings, DjangoHelpdeskSink, literal
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

FIELDS = {"channel": "custom_channel", "category": "custom_category", "expectation": "custom_expectation"}
KEY = ticket_key(make_event().complaint_id, "destination")


@pytest.fixture(scope="module")
def server() -> Iterator[DjangoHelpdesk]:
    with DjangoHelpdesk() as server:
        yield server


@pytest.fixture
async def helpdesk(server: DjangoHelpdesk) -> AsyncIterator[DjangoHelpdesk]:
    await server.clear()
    yield server


@pytest.fixture
async def proxy(helpdesk: DjangoHelpdesk) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(helpdesk.url.removesuffix(MOUNT)) as proxy:
        yield proxy


def settings(proxy: FaultProxy, **more: Any) -> DjangoHelpdeskSettings:
    user, password = STAFF
    facts = {"url": proxy.url + MOUNT, "username": user, "password": password, "queue": 1, "fields": FIELDS, **more}
    return DjangoHelpdeskSettings.model_validate(facts)


class DjangoHelpdeskStore:
    @pytest.fixture(autouse=True)
    def store(self, helpdesk: DjangoHelpdesk, proxy: FaultProxy) -> None:
        self.helpdesk, self.proxy = helpdesk, proxy

    def make_sink(self, context: Context) -> DjangoHelpdeskSink:
        return DjangoHelpdeskSink(settings(self.proxy), context)

    async def stored(self) -> list[Stored]:
        tickets = await self.helpdesk.tickets()
        openings = [Stored(one["custom_complaint_id"], one["description"]) for one in tickets]
        comments = [comment["comment"] for ticket in tickets for comment in ticket["followup_set"][1:]]
        return openings + [Stored(first_mark(comment), comment) for comment in comments if not comment.startswith("⚠")]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        comments = [one for ticket in await self.helpdesk.tickets() for one in ticket["followup_set"]]
        files = [file for comment in comments for file in comment["followupattachment_set"]]
        return [(file["filename"], self.helpdesk.content_of(file)) for file in files]


class TestDjangoHelpdesk(DjangoHelpdeskStore, SinkContract):
    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.GONE:
            self.proxy.plan(fault, on="GET ")
        else:
            await self.proxy.fail_next(fault)


class TestDjangoHelpdeskStorm(DjangoHelpdeskStore, Storms):
    steps, share = 12, 1 / 3

    def faults(self) -> FaultProxy:
        return self.proxy


@pytest.fixture
async def context(tmp_path: Path, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, files=files)
    yield context
    await context.remote.aclose()


@pytest.fixture
def sink(proxy: FaultProxy, context: Context) -> DjangoHelpdeskSink:
    return DjangoHelpdeskSink(settings(proxy), context)


async def nothing(note: Any) -> None:
    """Notes that nobody keeps."""


PROGRESS = Progress(note={}, save=nothing)


async def open_one(sink: DjangoHelpdeskSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def follow_up(sink: DjangoHelpdeskSink, ticket: Ticket, event: Event | None = None) -> None:
    event = event or make_event(2)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


def by(email: str) -> Event:
    event = make_event()
    return replace(event, record=replace(event.record, contact=Contact(email=email)))


async def test_a_ticket_holds_the_record(sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk) -> None:
    ticket = await open_one(sink)
    (there,) = await helpdesk.tickets()
    assert ticket.url.endswith(f"{MOUNT}/tickets/{there['id']}/")
    assert there["title"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert (there["priority"], there["submitter_email"]) == (2, "lilei@mail.example.cn")
    assert [there[name] for name in FIELDS.values()] == ["support-mail", "product.material_defect", "refund"]
    await follow_up(sink, ticket)
    (there,) = await helpdesk.tickets()
    assert there["title"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡"), "a comment changes no title"
    assert [comment["public"] for comment in there["followup_set"]] == [True, False]


@pytest.mark.parametrize("email", ["张三@例子.中国", "", "no address", "a@b"])
async def test_an_address_that_is_none_keeps_nothing_from_being_filed(
    sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk, email: str
) -> None:
    await open_one(sink, by(email))
    (there,) = await helpdesk.tickets()
    assert there["submitter_email"] == ""


async def test_nobody_is_the_submitter_where_that_is_said_or_masked(proxy: FaultProxy, context: Context) -> None:
    for more in ({"customer_is_requester": False}, {"mask": ["email"]}):
        assert b"submitter_email" not in DjangoHelpdeskSink(settings(proxy, **more), context).render(make_event(), KEY)


async def test_a_customer_s_words_are_never_a_template(sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk) -> None:
    rng = random.Random(20261122)
    hostile = ["{{ ticket.secret_key }}", "{% load x %}", "{# gone #}", "100%} off", "{{{{%%}}}}", "{%{{#{%", "{%%}"]
    hostile += ["".join(rng.choices("{%#} a", k=rng.randint(1, 9))).strip() for _ in range(300)]
    text = "\n".join(line for line in hostile if line)
    ticket = await open_one(sink, make_event(text=text))
    await follow_up(sink, ticket, make_event(2, text=text))
    (there,) = await helpdesk.tickets()
    assert text in there["description"]
    assert text in there["followup_set"][1]["comment"].replace("\r\n", "\n")


def test_plain_words_go_as_they_are() -> None:
    assert literal("50% {off} } { a_b #1 100%") == "50% {off} } { a_b #1 100%"


async def test_a_closed_merged_or_deleted_ticket_is_gone(sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk) -> None:
    ticket, other = await open_one(sink), await open_one(sink)
    for change in ({"status": 3, "resolution": "换新"}, {"status": 4}, {"status": 1, "merged_to": int(other.id)}):
        await helpdesk.ask("PATCH", f"/api/tickets/{ticket.id}/", auth=STAFF, json=change)
        with pytest.raises(TicketGone):
            await follow_up(sink, ticket)
    kept, _ = await helpdesk.tickets()
    assert (kept["resolution"], len(kept["followup_set"])) == ("换新", 1)
    with pytest.raises(TicketGone):
        await follow_up(sink, Ticket(id="9999"))


async def test_a_ticket_that_is_deleted_while_it_is_followed_up_is_gone(
    sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk, proxy: FaultProxy
) -> None:
    ticket = await open_one(sink)
    path = f"/api/tickets/{ticket.id}/"
    proxy.meanwhile(f"GET .*{path}", lambda: helpdesk.ask("DELETE", path, auth=STAFF))
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)


@pytest.mark.parametrize(("when", "back"), [("hold", 2), ("send", 2), ("hold", 3)])
async def test_the_newest_tickets_are_looked_through(
    helpdesk: DjangoHelpdesk, proxy: FaultProxy, context: Context, when: str, back: int
) -> None:
    sink = DjangoHelpdeskSink(settings(proxy, look_back_tickets=back, when_not_found=when), context)
    first = await open_one(sink)
    for _ in range(2):
        other = {"queue": 1, "title": "another", "description": "x", "priority": 3}
        await helpdesk.ask("POST", "/api/tickets/", auth=STAFF, json=other)
    if back == 3:
        found = await sink.find(KEY)
        assert found is not None
        assert found.id == first.id
    elif when == "send":
        assert await sink.find(KEY) is None
    else:
        with pytest.raises(InDoubt, match=KEY):
            await sink.find(KEY)


async def test_pages_are_walked_to_the_oldest(
    sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink.django_helpdesk.PAGE", 2)
    first = await open_one(sink)
    for _ in range(4):
        other = {"queue": 1, "title": "another", "description": "x", "priority": 3}
        await helpdesk.ask("POST", "/api/tickets/", auth=STAFF, json=other)
    found = await sink.find(KEY)
    assert found is not None
    assert found.id == first.id
    assert await sink.find("ALE-0000-0000-0000-ABCDEF") is None


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER])
async def test_a_broken_answer_is_doubt_and_is_found(
    sink: DjangoHelpdeskSink, proxy: FaultProxy, trouble: Mishap
) -> None:
    proxy.plan(trouble)
    with pytest.raises(InDoubt):
        await open_one(sink)
    assert await sink.find(KEY) is not None


async def test_a_file_that_is_not_taken_is_said_once(
    sink: DjangoHelpdeskSink, helpdesk: DjangoHelpdesk, files: MemoryFiles
) -> None:
    event = with_files(make_event(), files)
    bad = files.put("病毒.exe", b"MZ", message=event.messages[0])
    event = replace(event, record=replace(event.record, attachments=(bad, *event.record.attachments)))
    payload = sink.render(event, KEY)
    ticket = await sink.open(payload, KEY, PROGRESS)
    del files.contents[event.record.attachments[1].sha256]
    for _ in range(2):
        await sink.complete(ticket, payload, KEY, PROGRESS)
    (there,) = await helpdesk.tickets()
    opening, *said = there["followup_set"]
    assert [file["filename"] for file in opening["followupattachment_set"]] == ["invoice 2026.pdf"]
    assert [one["comment"].split(": ")[0] for one in said] == ["⚠ 病毒.exe", "⚠ 碎屏 照片.jpg"]
    assert not any(one["public"] for one in said)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"key_field": "nosuch"}, "no custom field nosuch"),
        ({"fields": {"channel": "custom_chanel"}}, "custom_channel"),
        ({"values": {"priority": {"P1": 9}}}, "it has: 1, 2, 3, 4, 5"),
        ({"username": STRANGER[0], "password": STRANGER[1]}, "not staff"),
        ({"url": "/nowhere"}, "HELPDESK_ACTIVATE_API_ENDPOINT"),
    ],
)
async def test_settings_that_do_not_fit_are_named(
    proxy: FaultProxy, context: Context, wrong: dict[str, Any], words: str
) -> None:
    if "url" in wrong:
        wrong = {"url": proxy.url + wrong["url"]}
    with pytest.raises(ConfigError, match=words):
        await DjangoHelpdeskSink(settings(proxy, **wrong), context).check()


@pytest.mark.parametrize("wrong", [{"queue": 99}, {"values": {"priority": {"P2": 9}}}])
async def test_a_refusal_that_is_the_settings_fault_stops_the_destination(
    proxy: FaultProxy, helpdesk: DjangoHelpdesk, context: Context, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        await open_one(DjangoHelpdeskSink(settings(proxy, **wrong), context))
    assert await helpdesk.tickets() == []


async def test_check_says_where_and_makes_nothing(sink: DjangoHelpdeskSink, proxy: FaultProxy) -> None:
    assert (await sink.check()).account == f"allears at {proxy.url}{MOUNT}"
    assert {call.method for call in proxy.calls} == {"OPTIONS"}
