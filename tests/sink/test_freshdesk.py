"""Freshdesk under the contract suite, and what is its own: the lagging search, forms, requesters, the mapping."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import ValidationError

from allears_sdk.complaint import Complaint, Contact, Customer, Event
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.remote import Remote
from allears_sdk.sink import Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryFiles, RecordingLog
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes, SinkContract, Stored, with_files
from bench.servers.freshdesk import API_KEY, LAG_SECONDS, Freshdesk
from sink.freshdesk import FreshdeskSettings, FreshdeskSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

STAND_IN = "complaints@shop.example.com"
FILES = ["invoice 2026.pdf", "碎屏 照片.jpg"]


def settings(url: str, **more: Any) -> FreshdeskSettings:
    return FreshdeskSettings.model_validate({"url": url, "api_key": API_KEY, "key_field": "cf_complaint_id", **more})


class FreshdeskStore:
    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[Freshdesk]:
        self._desk = Freshdesk(lambda: clock.now().timestamp())
        await self._desk.start()
        yield self._desk
        await self._desk.stop()

    def make_sink(self, context: Context) -> FreshdeskSink:
        return FreshdeskSink(settings(self._desk.url), context)

    async def stored(self) -> list[Stored]:
        openings = [
            Stored(one.fields["custom_fields"]["cf_complaint_id"], self._desk._shown(one)["description_text"])
            for one in self._desk.created
        ]
        notes = [one["body_text"] for one in self._desk.comments]
        return openings + [Stored(first_mark(text), text) for text in notes]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [(file["name"], bytes.fromhex(file["content"])) for file in self._desk.files]

    async def fail_next(self, fault: Fault) -> None:
        await self._desk.fail_next(fault)


class TestFreshdesk(FreshdeskStore, SinkContract):
    async def pass_lag(self, clock: FakeClock) -> None:
        """Longer than the plain list is read: what is found is found by the search."""
        clock.advance(LAG_SECONDS + 3600)


class TestFreshdeskStorm(FreshdeskStore, Storms):
    def make_sink(self, context: Context) -> FreshdeskSink:
        return FreshdeskSink(settings(self._desk.url, requester=STAND_IN), context)

    def faults(self) -> Freshdesk:
        return self._desk


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Freshdesk]:
    desk = Freshdesk(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


class Teller:
    """Files events as the core does."""

    def __init__(self, desk: Freshdesk, context: Context) -> None:
        self.desk = desk
        self.context = context
        self.files = MemoryFiles()

    def sink(self, **more: Any) -> FreshdeskSink:
        return FreshdeskSink(settings(self.desk.url, **more), replace(self.context, files=self.files))

    async def open(self, event: Event, **more: Any) -> Ticket:
        key, sink = ticket_key(event.complaint_id, "desk"), self.sink(**more)
        return await sink.open(sink.render(event, key), key, Notes().progress(key))

    async def follow_up(self, ticket: Ticket, event: Event, **more: Any) -> None:
        key, sink = event_key(ticket_key(event.complaint_id, "desk"), event.id), self.sink(**more)
        await sink.follow_up(ticket, sink.render(event, key), key, Notes().progress(key))

    def compose(self, event: Event, **more: Any) -> dict[str, Any]:
        """What would be sent, without a call."""
        payload = json.loads(self.sink(**more).render(event, ticket_key(event.complaint_id, "desk")))
        request: dict[str, Any] = payload["request"]
        return request


@pytest.fixture
async def tell(desk: Freshdesk, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Teller]:
    context = make_context("desk", tmp_path, clock=clock, log=RecordingLog())
    yield Teller(desk, context)
    await context.remote.aclose()


def bare(event: Event, **changes: Any) -> Event:
    """Without files, and with these fields of the record."""
    return replace(event, record=replace(event.record, **{"attachments": (), **changes}))


KEY = ticket_key(make_event().complaint_id, "desk")

# Openings


async def test_a_ticket_as_it_is_filed(tell: Teller) -> None:
    mapping = {
        "fields": {"product_or_order": "cf_order", "category": "cf_category", "handler": "responder_id"},
        "values": {"category": {"product.material_defect": "物流破损"}, "handler": {"李工": 43001}},
        "constants": {"group_id": 43000123456, "source": 7},
    }
    tags = ("VIP,客户", "x" * 40, "")
    event = bare(make_event(), handler="李工", tags=tags)
    ticket = await tell.open(event, **mapping)
    (filed,) = tell.desk.created
    assert ticket == Ticket(id="301", url=f"{tell.desk.url}/a/tickets/301")
    description = filed.fields.pop("description")
    assert description.startswith("屏幕碎了😡 申请退款")
    assert {name: value for name, value in filed.fields.items() if value} == {
        "subject": f"[{event.complaint_id}] {event.record.title}".strip(),
        "status": 2,
        "priority": 3,
        "source": 7,
        "group_id": 43000123456,
        "responder_id": 43001,
        "email": "lilei@mail.example.cn",
        "name": "李雷",
        "tags": ["allears", "VIP 客户", "x" * 32],
        "custom_fields": {"cf_complaint_id": KEY, "cf_order": "2026112200017", "cf_category": "物流破损"},
    }


async def test_a_form_with_files_says_the_same(tell: Teller) -> None:
    constants = {"group_id": 43000123456}
    await tell.open(with_files(make_event(), tell.files), constants=constants)
    await tell.open(bare(make_event(who="mail-18")), constants=constants)
    form, plain = (one.fields for one in tell.desk.created)
    assert sorted(file["name"] for file in form.pop("attachments")) == FILES
    assert plain.pop("attachments") == []
    for name in ("subject", "description", "custom_fields"):
        assert form.pop(name) != plain.pop(name)
    assert form == plain


@pytest.mark.parametrize(
    ("contact", "more", "requester"),
    [
        (Contact(name="李雷", email="a@b.example"), {}, {"email": "a@b.example", "name": "李雷"}),
        (Contact(phone="+8613800138000"), {}, {"phone": "+8613800138000", "name": "+8613800138000"}),
        (Contact(name="{{x}}", wechat="wx"), {"requester": STAND_IN}, {"email": STAND_IN, "name": STAND_IN}),
        (Contact(name="李雷", wechat="wx"), {}, {"unique_external_id": "C-1", "name": "李雷"}),
        (Contact(), {}, {"unique_external_id": "C-1", "name": "C-1"}),
        (Contact(email="a@b.example", phone="13800138000"), {"mask": ["email"]}, {"phone": "13800138000", "name": ""}),
        (Contact(phone="13800138000"), {"mask": ["phone"]}, {"unique_external_id": "C-1"}),
        (
            Contact(email="a@b.example"),
            {"customer_is_requester": False, "requester": STAND_IN},
            {"email": STAND_IN, "name": STAND_IN},
        ),
    ],
)
def test_nobodys_address_is_made_up(
    tmp_path: Path, contact: Contact, more: dict[str, Any], requester: dict[str, str]
) -> None:
    sink = FreshdeskSink(settings("https://shop.freshdesk.com", **more), make_context("desk", tmp_path))
    event = bare(make_event(), contact=contact, customer=Customer(key="C-1"))
    request = json.loads(sink.render(event, KEY))["request"]
    who = {name: request.get(name) for name in ("email", "phone", "unique_external_id") if name in request}
    assert who == {name: value for name, value in requester.items() if name != "name"}
    assert request["name"]
    assert requester.get("name", "") in request["name"]


def test_who_is_unknown_altogether_needs_a_stand_in(tmp_path: Path) -> None:
    sink = FreshdeskSink(settings("https://shop.freshdesk.com"), make_context("desk", tmp_path))
    with pytest.raises(Rejected, match="requester"):
        sink.render(bare(make_event(), contact=Contact(), customer=Customer(), customer_id=""), KEY)


async def test_a_customers_markup_and_placeholders_are_text(tell: Teller) -> None:
    said = '<script>alert("x")</script> & {{ticket.id}} <b>退款</b>\n第二行'
    await tell.open(bare(make_event(text=said)))
    description = tell.desk.created[0].fields["description"]
    assert (
        '&lt;script&gt;alert("x")&lt;/script&gt; &amp; {｛ticket.id}} &lt;b&gt;退款&lt;/b&gt;<br>第二行' in description
    )


async def test_what_is_new_is_in_the_list_before_it_is_in_the_search(tell: Teller, clock: FakeClock) -> None:
    tell.desk.plan(Fault.LOSE_ANSWER)
    with pytest.raises(InDoubt):
        await tell.open(bare(make_event()))
    found = Ticket(id="301", url=f"{tell.desk.url}/a/tickets/301")
    assert await tell.sink().find(KEY) == found
    clock.advance(LAG_SECONDS)
    tell.desk.update(301, subject="renamed")
    assert await tell.sink(list_minutes=5).find(KEY) == found
    clock.advance(86_400)
    assert await tell.sink().find(KEY) == found
    assert await tell.sink().find(KEY[:-1]) is None


async def test_a_search_that_answers_something_else_is_not_believed(tmp_path: Path, clock: FakeClock) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    context = make_context("desk", tmp_path, clock=clock, remote=remote, log=RecordingLog())
    sink = FreshdeskSink(settings("https://shop.freshdesk.com"), context)
    found = [{"id": 9, "custom_fields": {"cf_complaint_id": f"{KEY}0"}}, {"id": 8, "custom_fields": None}, {"id": 7}]
    ours = [{"id": number, "custom_fields": {"cf_complaint_id": KEY}} for number in (12, 11)]
    with respx.mock(using="httpx") as router:
        router.get("https://shop.freshdesk.com/api/v2/tickets").respond(json=found)
        search = router.get("https://shop.freshdesk.com/api/v2/search/tickets")
        search.respond(json={"total": 3, "results": found})
        assert await sink.find(KEY) is None
        assert search.calls.last.request.url.params["query"] == f"\"cf_complaint_id:'{KEY}'\""
        search.respond(json={"total": 5, "results": [*found, *ours]})
        ticket = await sink.find(KEY)
    assert ticket is not None
    assert ticket.id == "11"
    await remote.aclose()


async def test_files_that_are_refused_or_gone_keep_no_complaint(tell: Teller) -> None:
    event = with_files(make_event(), tell.files)
    photo, invoice = event.record.attachments
    tell.files.contents[photo.sha256] = bytes(21 << 20)
    await tell.open(event)
    del tell.files.contents[photo.sha256]
    await tell.follow_up(Ticket(id="301"), with_files(make_event(2), tell.files))
    (filed,) = tell.desk.created
    text = tell.desk._shown(filed)["description_text"]
    assert f"⚠ {photo.name}" in text
    assert f"⚠ {invoice.name}" in text
    assert text.endswith("]")
    assert filed.fields["attachments"] == []
    assert len(tell.desk.created) == 1


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"errors": [{"field": "cf_x", "code": "invalid_field", "message": "x"}]}, ConfigError),
        (400, {"errors": [{"field": "cf_order", "code": "missing_field", "message": "x"}]}, Rejected),
        (400, {"errors": "x"}, Rejected),
        (400, [], Rejected),
        (403, {"code": "access_denied", "message": "x"}, ConfigError),
        (404, None, ConfigError),
        (500, None, InDoubt),
        (504, None, InDoubt),
        (201, {}, InDoubt),
        (200, [], InDoubt),
    ],
)
async def test_what_answers_mean(
    tmp_path: Path, clock: FakeClock, status: int, body: Any, error: type[AllearsError]
) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    sink = FreshdeskSink(
        settings("https://x.freshdesk.com/"), make_context("desk", tmp_path, clock=clock, remote=remote)
    )
    with respx.mock(using="httpx") as router:
        router.post("https://x.freshdesk.com/api/v2/tickets").respond(status, json=body)
        with pytest.raises(AllearsError) as caught:
            await sink.open(sink.render(bare(make_event()), KEY), KEY, Notes().progress(KEY))
    assert type(caught.value) is error
    await remote.aclose()


# Follow-ups


@pytest.mark.parametrize("status", [3, 4, 5])
async def test_follow_ups_change_nothing_unless_told_to(tell: Teller, status: int) -> None:
    ticket = await tell.open(bare(make_event()))
    tell.desk.update(301, status=status, priority=1)
    await tell.follow_up(ticket, bare(make_event(2)))
    assert [tell.desk.tickets[301].fields[name] for name in ("status", "priority")] == [status, 1]
    await tell.follow_up(ticket, bare(make_event(3)), reopen=True, public_notes=True)
    assert [tell.desk.tickets[301].fields[name] for name in ("status", "priority")] == [2 if status > 3 else status, 1]
    assert [note["private"] for note in tell.desk.comments] == [True, False]


@pytest.mark.parametrize("reopen", [False, True])
async def test_a_deleted_ticket_is_gone(tell: Teller, reopen: bool) -> None:
    ticket = await tell.open(bare(make_event()))
    tell.desk.delete(301)
    with pytest.raises(TicketGone):
        await tell.follow_up(ticket, bare(make_event(2)), reopen=reopen)
    with pytest.raises(TicketGone):
        await tell.sink().find_follow_ups(ticket, ["ALE-1"])


async def test_a_mark_behind_a_hundred_notes_is_found(tell: Teller) -> None:
    ticket, event = await tell.open(bare(make_event())), bare(make_event(2))
    said = [{"id": number, "body_text": f"内部讨论 {number}"} for number in range(250)]
    tell.desk.tickets[301].conversations.extend(said)
    await tell.follow_up(ticket, event)
    mark = event_key(KEY, event.id)
    assert await tell.sink().find_follow_ups(ticket, [mark, f"{mark[:-1]}Z"]) == {mark}


# Settings and check


async def test_check_says_who_and_where(tell: Teller) -> None:
    identity = await tell.sink(fields={"category": "cf_category"}, values={"category": {"*": "其他"}}).check()
    assert identity.account == f"intake@shop.example.com at {tell.desk.url}"
    assert not tell.desk.created


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"api_key": "wrong"}, AuthError, "401"),
        ({"key_field": "cf_nothing"}, ConfigError, "no text field"),
        ({"key_field": "cf_category"}, ConfigError, "no text field"),
        ({"fields": {"category": "cf_kategorie"}}, ConfigError, "cf_category"),
        ({"constants": {"cf_nothing": 1}}, ConfigError, "cf_nothing"),
        ({"fields": {"category": "cf_category"}, "values": {"category": {"*": "破损"}}}, ConfigError, "物流破损"),
        ({"values": {"priority": {"P1": "urgent"}}}, ConfigError, "1, 2, 3, 4"),
    ],
)
async def test_check_finds_what_would_be_refused(
    tell: Teller, more: dict[str, Any], error: type[AllearsError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await tell.sink(**more).check()


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "shop.freshdesk.com"},
        {"key_field": "complaint"},
        {"fields": {"category": "category"}},
        {"constants": {"group": 1}},
        {"requester": "nobody"},
        {"statuses": {"等待": "waiting"}},
        {"when_not_found": "drop"},
        {"api_key": None},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    good = {"url": "https://shop.freshdesk.com", "api_key": API_KEY, "key_field": "cf_key"}
    with pytest.raises(ValidationError) as caught:
        FreshdeskSettings.model_validate({**good, **bad})
    assert API_KEY not in str(caught.value)


def test_a_record_may_say_nothing(tmp_path: Path) -> None:
    """No priority, no category, no words."""
    sink = FreshdeskSink(
        settings("https://shop.freshdesk.com", fields={"category": "cf_category"}), make_context("d", tmp_path)
    )
    blank = Complaint(
        id=make_event().complaint_id, title="", nature="", received_at=make_event().at, customer_id="wx-1"
    )
    request = json.loads(sink.render(replace(make_event(), record=blank), KEY))["request"]
    assert request["priority"] == 2
    assert request["custom_fields"] == {"cf_complaint_id": KEY}
    assert request["subject"]
    assert request["description"]
