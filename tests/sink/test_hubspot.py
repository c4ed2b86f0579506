"""HubSpot tickets: the contract, and what is HubSpot's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone, Unavailable
from allears_sdk.masking import mask_payload
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Ticket
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes, SinkContract, Stored, with_files
from bench.servers.desk import Mishap, Refusal
from bench.servers.hubspot import PORTAL, TOKEN, Hubspot
from bench.servers.hubspot_records import KEY_PROPERTY, Property, Record
from sink.hubspot import HubspotSettings, HubspotSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

KEY = ticket_key(make_event().complaint_id, "destination")
NEXT_KEY = event_key(KEY, make_event(2).id)
NOTES = r"POST .*/notes$"
LINKS = r"PUT "
TICKETS = r"POST .*/tickets$"


def settings(desk: Hubspot, **given: Any) -> HubspotSettings:
    return HubspotSettings.model_validate({"url": desk.url, "token": TOKEN, **given})


def plain(note: Record) -> str:
    return unescape(note.properties["hs_note_body"].replace("<br>", "\n"))


class HubspotStore:
    @pytest.fixture(autouse=True)
    async def store(self, clock: FakeClock) -> AsyncIterator[None]:
        self.desk = Hubspot(lambda: clock.now().timestamp())
        await self.desk.start()
        yield
        await self.desk.stop()

    def make_sink(self, context: Context) -> HubspotSink:
        return HubspotSink(settings(self.desk), context)

    async def stored(self) -> list[Stored]:
        tickets = self.desk.tickets()
        notes = [plain(note) for ticket in tickets for note in self.desk.notes(ticket.id)]
        told = [Stored(first_mark(text), text) for text in notes if "-FILES " not in text]
        return [Stored(one.properties[KEY_PROPERTY], one.properties["content"]) for one in tickets] + told

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [file for ticket in self.desk.tickets() for file in self.desk.files(ticket.id)]

    async def fail_next(self, fault: Fault) -> None:
        await self.desk.fail_next(fault)


class TestContract(HubspotStore, SinkContract):
    pass


class TestStorm(HubspotStore, Storms):
    def faults(self) -> Hubspot:
        return self.desk


class TestDated(TestContract):
    """The same by a dated version of the API."""

    def make_sink(self, context: Context) -> HubspotSink:
        return HubspotSink(settings(self.desk, api_version="2026-03"), context)


@pytest.fixture
async def desk() -> AsyncIterator[Hubspot]:
    desk = Hubspot()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
def sink(desk: Hubspot, context: Context) -> HubspotSink:
    return HubspotSink(settings(desk), context)


async def open_(sink: HubspotSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, Notes().progress(KEY))


async def follow_up(
    sink: HubspotSink, ticket: Ticket, event: Event | None = None, *, notes: Notes | None = None
) -> None:
    progress = (notes or Notes()).progress(NEXT_KEY)
    await sink.follow_up(ticket, sink.render(event or make_event(2), NEXT_KEY), NEXT_KEY, progress)


async def test_a_ticket_as_an_agent_sees_it(desk: Hubspot, context: Context) -> None:
    mapping = {
        "channel": "ale_channel",
        "received_at": "ale_received_at",
        "expectation": "ale_expectation",
        "product_or_order": "ale_order",
        "category": "hs_ticket_category",
    }
    values = {"category": {"product.material_defect": "PRODUCT_ISSUE", "*": "GENERAL_INQUIRY"}}
    given = {"fields": mapping, "values": values, "constants": {"source_type": "EMAIL"}, "pipeline": "52190"}
    contact = desk.add_contact("LiLei@mail.example.cn")
    ticket = await open_(HubspotSink(settings(desk, **given, stage="52191"), context))
    (made,) = desk.tickets()
    assert ticket == Ticket(id=made.id, url=f"https://app-eu1.hubspot.com/contacts/{PORTAL}/record/0-5/{made.id}")
    assert made.properties.pop("subject").startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert made.properties.pop("content").startswith(make_event().record.description)
    assert made.properties == {
        "source_type": "EMAIL",
        "hs_pipeline": "52190",
        "hs_pipeline_stage": "52191",
        "hs_ticket_priority": "HIGH",
        "hs_ticket_category": "PRODUCT_ISSUE",
        "ale_channel": "support-mail",
        "ale_received_at": "2026-11-22T03:59:42Z",
        "ale_expectation": "refund",
        "ale_order": "2026112200017",
        KEY_PROPERTY: KEY,
    }
    assert desk.links == {(made.id, contact)}


@pytest.mark.parametrize(("contacts", "email"), [("none", "lilei@mail.example.cn"), ("existing", "other@example.cn")])
async def test_no_contact_is_invented_or_linked_unasked(
    desk: Hubspot, context: Context, contacts: str, email: str
) -> None:
    desk.add_contact(email)
    await open_(HubspotSink(settings(desk, contacts=contacts), context))
    assert desk.links == set()
    assert len(desk.records) == 2


async def test_a_masked_address_finds_nobody(desk: Hubspot, context: Context) -> None:
    desk.add_contact("lilei@mail.example.cn")
    sink = HubspotSink(settings(desk, mask=["email"]), context)
    await sink.open(mask_payload(sink.render(make_event(), KEY), sink.settings.mask), KEY, Notes().progress(KEY))
    assert desk.links == set()
    assert [one.properties[KEY_PROPERTY] for one in desk.tickets()] == [KEY]


async def test_a_customers_address_stands_in_no_url(desk: Hubspot, sink: HubspotSink) -> None:
    await open_(sink)
    assert not [call for call in desk.calls if "lilei" in call.path or "lilei" in str(call.query)]


async def test_notes_show_text_as_it_was_written(desk: Hubspot, sink: HubspotSink) -> None:
    text = "<script>alert('投诉')</script>\n  5 > 3 && <b>不满意</b> &amp; 😡"
    ticket = await open_(sink)
    await follow_up(sink, ticket, make_event(2, text=text))
    (note,) = desk.notes(ticket.id)
    assert text in plain(note)
    assert not re.search(r"<(?!br>)", note.properties["hs_note_body"])
    assert note.properties["hs_timestamp"] == "2026-11-22T04:01:42Z"


async def test_what_is_too_long_for_one_note_stands_in_several(desk: Hubspot, sink: HubspotSink) -> None:
    ticket = await open_(sink)
    text = "退款&<>" * 8_000
    await follow_up(sink, ticket, make_event(2, text=text))
    bodies = [plain(note) for note in desk.notes(ticket.id)]
    assert [body[:6] for body in bodies] == ["(1/2) ", "(2/2) "]
    assert text in "".join(body[6:] for body in bodies)
    assert await sink.find_follow_ups(ticket, [NEXT_KEY]) == {NEXT_KEY}


@pytest.mark.parametrize("way", ["invalid", "conflict"])
async def test_a_repetition_finds_the_ticket_and_leaves_what_agents_wrote(
    desk: Hubspot, sink: HubspotSink, way: Any
) -> None:
    desk.duplicates = way
    first = await open_(sink)
    desk.tickets()[0].properties["subject"] = "agents' words"
    assert await open_(sink) == first
    assert [one.properties["subject"] for one in desk.tickets()] == ["agents' words"]


async def test_a_twin_that_is_still_running_makes_no_second_ticket(desk: Hubspot, sink: HubspotSink) -> None:
    desk.plan(Fault.LATE)
    with pytest.raises(InDoubt):
        await open_(sink)
    second = await open_(sink)
    await desk.land()
    assert [one.id for one in desk.tickets()] == [second.id]


async def test_another_value_that_must_be_unique_is_a_refusal(desk: Hubspot, context: Context) -> None:
    desk.schema.tickets["ale_order"] = Property("ale_order", is_unique=True)
    sink = HubspotSink(settings(desk, fields={"product_or_order": "ale_order"}), context)
    await open_(sink)
    other = ticket_key(make_event().complaint_id, "second")
    with pytest.raises(Rejected, match="must be unique"):
        await sink.open(sink.render(make_event(), other), other, Notes().progress(other))


@pytest.mark.parametrize("place", [NOTES, LINKS])
@pytest.mark.parametrize("mishap", [Fault.LOSE_ANSWER, Mishap.BROKEN_AFTER, Mishap.TWICE, Fault.LATE])
async def test_a_note_stands_in_the_ticket_once_without_any_look_up(
    desk: Hubspot, sink: HubspotSink, place: str, mishap: Fault | Mishap
) -> None:
    ticket, notes = await open_(sink), Notes()
    desk.plan(mishap, on=place)
    for _ in range(3):
        try:
            await follow_up(sink, ticket, notes=notes)
        except (InDoubt, Unavailable):
            continue
    await desk.land()
    assert [first_mark(plain(note)) for note in desk.notes(ticket.id)] == [NEXT_KEY]


async def test_a_merged_ticket_leads_to_the_one_that_stayed(desk: Hubspot, sink: HubspotSink) -> None:
    ticket = await open_(sink)
    stayed = desk._create("tickets", {"properties": {"subject": "also broken", "hs_pipeline_stage": "1"}}).id
    desk.archive(ticket.id, into=stayed)
    await follow_up(sink, ticket)
    assert [first_mark(plain(note)) for note in desk.notes(stayed)] == [NEXT_KEY]
    assert await sink.find_follow_ups(ticket, [NEXT_KEY]) == {NEXT_KEY}


async def test_a_deleted_ticket_is_gone_and_no_note_is_made(
    desk: Hubspot, sink: HubspotSink, files: MemoryFiles
) -> None:
    ticket = await open_(sink)
    desk.archive(ticket.id)
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, [NEXT_KEY])
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    with pytest.raises(TicketGone):
        await sink.complete(ticket, payload, NEXT_KEY, Notes().progress(NEXT_KEY))
    assert [one.kind for one in desk.records] == ["tickets"]
    assert await sink.find(KEY) is None


async def test_marks_are_found_behind_many_notes(desk: Hubspot, sink: HubspotSink) -> None:
    desk.page_size = 60
    ticket = await open_(sink)
    for number in range(150):
        body = {"hs_timestamp": "2026-11-22T04:00:00Z", "hs_note_body": f"客服 agent {number}"}
        note = desk._create("notes", {"properties": body})
        desk.links.add((ticket.id, note.id))
    await follow_up(sink, ticket)
    assert await sink.find_follow_ups(ticket, [NEXT_KEY, f"{KEY}-0000000000"]) == {NEXT_KEY}


@pytest.mark.parametrize("place", [r"POST .*/files$", NOTES, LINKS])
async def test_files_stand_in_the_ticket_once_whatever_became_of_the_answers(
    desk: Hubspot, sink: HubspotSink, files: MemoryFiles, place: str
) -> None:
    ticket, notes = await open_(sink), Notes()
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    desk.plan(Fault.LOSE_ANSWER, Mishap.BROKEN_AFTER, on=place)
    for _ in range(4):
        try:
            await sink.complete(ticket, payload, NEXT_KEY, notes.progress(NEXT_KEY))
        except (InDoubt, Unavailable):
            continue
    assert sorted(name for name, _ in desk.files(ticket.id)) == ["invoice 2026.pdf", "碎屏 照片.jpg"]


async def test_files_are_not_doubled_after_a_restore(desk: Hubspot, sink: HubspotSink, files: MemoryFiles) -> None:
    """When they may be told of in other company."""
    ticket = await open_(sink)
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    for key in (NEXT_KEY, NEXT_KEY, event_key(KEY, make_event(3).id)):
        await sink.complete(ticket, payload, key, Notes().progress(key))
    assert len(desk.files(ticket.id)) == len(desk.uploads) == 2


async def test_a_file_that_is_no_more_or_not_taken_keeps_no_other_back(
    desk: Hubspot, sink: HubspotSink, files: MemoryFiles, log: RecordingLog
) -> None:
    ticket = await open_(sink)
    event = with_files(make_event(2), files)
    desk.plan(Fault.REJECT, on=r"POST .*/files$")
    await sink.complete(ticket, sink.render(event, NEXT_KEY), NEXT_KEY, Notes().progress(NEXT_KEY))
    assert [name for name, _ in desk.files(ticket.id)] == ["invoice 2026.pdf"]
    lost = tuple(replace(file, sha256=file.sha256[::-1]) for file in event.record.attachments)
    event, other = replace(event, record=replace(event.record, attachments=lost)), event_key(KEY, make_event(3).id)
    await sink.complete(ticket, sink.render(event, NEXT_KEY), other, Notes().progress(other))
    assert [name for _, name, _ in log.entries] == ["file_refused"] * 3
    assert [note.properties["hs_note_body"].count("⚠") for note in desk.notes(ticket.id)] == [1, 2]


@pytest.mark.parametrize(
    ("status", "body", "error", "seconds"),
    [
        (423, {"message": "locked"}, RetryLater, 5),
        (477, {"message": "migration"}, RetryLater, 900),
        (429, {"policyName": "DAILY", "category": "RATE_LIMITS"}, RetryLater, 3600),
        (429, {"policyName": "TEN_SECONDLY_ROLLING", "category": "RATE_LIMITS"}, RetryLater, None),
        (403, {"category": "MISSING_SCOPES"}, ConfigError, None),
        (404, {"message": "resource not found"}, ConfigError, None),
        (400, {"category": "VALIDATION_ERROR", "message": "投诉须有订单"}, Rejected, None),
    ],
)
async def test_what_a_refusal_asks_for(
    desk: Hubspot, sink: HubspotSink, monkeypatch: Any, status: int, body: Any, error: Any, seconds: float | None
) -> None:
    def refuse(kind: str, given: Any) -> Any:
        raise Refusal(status, body)

    monkeypatch.setattr(desk, "_create", refuse)
    with pytest.raises(error) as caught:
        await open_(sink)
    assert type(caught.value) is error
    assert getattr(caught.value, "after_seconds", None) == seconds


async def test_a_property_that_was_deleted_stops_the_destination(desk: Hubspot, context: Context) -> None:
    sink = HubspotSink(settings(desk, fields={"channel": "ale_channel"}), context)
    del desk.schema.tickets["ale_channel"]
    with pytest.raises(ConfigError, match="not there"):
        await open_(sink)
    with pytest.raises(ConfigError, match="not there"):
        await open_(HubspotSink(settings(desk, stage="9"), context))


async def test_the_check_says_where_tickets_go_and_makes_nothing(desk: Hubspot, sink: HubspotSink) -> None:
    identity = await sink.check()
    assert (identity.account, identity.details) == (str(PORTAL), ("Pipeline 0 / New",))
    assert {call.method for call in desk.calls} == {"GET"}


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"fields": {"channel": "ale_chanel"}}, ConfigError, 'did you mean "ale_channel"'),
        ({"fields": {"received_at": "createdate"}}, ConfigError, "no such field"),
        ({"constants": {"sourcetype": "EMAIL"}}, ConfigError, 'did you mean "source_type"'),
        ({"values": {"priority": {"P1": "P1"}}}, ConfigError, "it has: LOW, MEDIUM"),
        ({"key_property": "ale_key"}, ConfigError, "create it"),
        ({"key_property": "ale_channel"}, ConfigError, "unique values"),
        ({"pipeline": "Support"}, ConfigError, "52190"),
        ({"stage": "New"}, ConfigError, r"1 \(New\)"),
        ({"token": "pat-wrong"}, AuthError, "401"),
        ({"api_version": "2019-01"}, ConfigError, "api_version"),
    ],
)
async def test_the_check_finds_what_cannot_work(
    desk: Hubspot, context: Context, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await HubspotSink(settings(desk, **given), context).check()


@pytest.mark.parametrize(
    "given",
    [{"url": "http://api.hubapi.com"}, {"key_property": "Ale Id"}, {"api_version": "v4"}, {"folder": "allears"}],
)
async def test_settings_that_cannot_be_meant(desk: Hubspot, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(desk, **given)


async def test_a_look_up_that_finds_something_else_adopts_nothing(desk: Hubspot, sink: HubspotSink) -> None:
    ticket = await open_(sink)
    desk.tickets()[0].properties[KEY_PROPERTY] = KEY.lower()
    assert await sink.find(KEY) is None
    event = replace(make_event(2), messages=())
    assert await sink.find_follow_ups(ticket, [event_key(KEY, event.id)]) == frozenset()
