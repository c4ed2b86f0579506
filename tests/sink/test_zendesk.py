"""Zendesk under the contract suite, and what is its own: keys, uploads, requesters, closed tickets, the mapping."""

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

from allears_sdk.complaint import Contact, Event
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
from bench.servers.desk import Mishap
from bench.servers.zendesk import EMAIL, OAUTH, TOKEN, Zendesk
from sink.zendesk import ZendeskSettings, ZendeskSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

STAND_IN = "complaints@shop.example.com"
STANDING_IN = {"name": STAND_IN, "email": STAND_IN}


def settings(url: str, **more: Any) -> ZendeskSettings:
    return ZendeskSettings.model_validate({"url": url, "email": EMAIL, "token": TOKEN, **more})


class ZendeskStore:
    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[Zendesk]:
        self._desk = Zendesk(lambda: clock.now().timestamp())
        await self._desk.start()
        yield self._desk
        await self._desk.stop()

    def make_sink(self, context: Context) -> ZendeskSink:
        return ZendeskSink(settings(self._desk.url), context)

    async def stored(self) -> list[Stored]:
        openings = [Stored(one.fields["external_id"], one.comments[0]["body"]) for one in self._desk.created]
        return openings + [Stored(first_mark(one["body"]), one["body"]) for one in self._desk.comments]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [(file["file_name"], bytes.fromhex(file["content"])) for file in self._desk.files]

    async def fail_next(self, fault: Fault) -> None:
        await self._desk.fail_next(fault)


class TestZendesk(ZendeskStore, SinkContract):
    pass


class TestZendeskStorm(ZendeskStore, Storms):
    def faults(self) -> Zendesk:
        return self._desk


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Zendesk]:
    desk = Zendesk(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


class Teller:
    """Files events as the core does, notes and all."""

    def __init__(self, desk: Zendesk, context: Context) -> None:
        self.desk = desk
        self.context = context
        self.notes = Notes()

    def sink(self, **more: Any) -> ZendeskSink:
        return ZendeskSink(settings(self.desk.url, **more), self.context)

    async def open(self, event: Event, **more: Any) -> Ticket:
        key, sink = ticket_key(event.complaint_id, "desk"), self.sink(**more)
        return await sink.open(sink.render(event, key), key, self.notes.progress(key))

    async def follow_up(self, ticket: Ticket, event: Event, **more: Any) -> None:
        key, sink = event_key(ticket_key(event.complaint_id, "desk"), event.id), self.sink(**more)
        await sink.follow_up(ticket, sink.render(event, key), key, self.notes.progress(key))

    def compose(self, event: Event, **more: Any) -> dict[str, Any]:
        """What would be sent, without a call."""
        payload = json.loads(self.sink(**more).render(event, ticket_key(event.complaint_id, "desk")))
        request: dict[str, Any] = payload["request"]
        return request


@pytest.fixture
async def tell(desk: Zendesk, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Teller]:
    context = make_context("desk", tmp_path, clock=clock, log=RecordingLog(), files=MemoryFiles())
    yield Teller(desk, context)
    await context.remote.aclose()


def files_of(tell: Teller) -> MemoryFiles:
    assert isinstance(tell.context.files, MemoryFiles)
    return tell.context.files


async def test_a_file_that_cannot_go_up_is_named_in_the_text(tell: Teller) -> None:
    event = with_files(make_event(), files_of(tell))
    lost, kept = event.record.attachments
    del files_of(tell).contents[lost.sha256]
    tell.desk.plan(Fault.REJECT, on="POST /api/v2/uploads")
    ticket = await tell.open(event)
    assert ticket.id == "501"
    body = tell.desk.created[0].comments[0]["body"]
    assert f"⚠ {lost.name}: " in body
    assert f"⚠ {kept.name}: " in body
    assert body.endswith("]")
    assert tell.desk.files == []


def said_by(contact: Contact, *, text: str = "屏幕碎了") -> Event:
    event = make_event(text=text)
    return replace(event, record=replace(event.record, contact=contact))


# Openings


async def test_a_ticket_as_it_is_filed(tell: Teller) -> None:
    event = make_event()
    mapping = {
        "fields": {"id": "360001", "product_or_order": "360002", "category": "360003", "handler": "assignee_id"},
        "values": {"category": {"product.material_defect": "other"}, "handler": {"李工": 9001}},
    }
    event = replace(event, record=replace(event.record, handler="李工", tags=("VIP 客户",)))
    ticket = await tell.open(event, **mapping)
    (filed,) = tell.desk.created
    assert ticket == Ticket(id="501", url=f"{tell.desk.url}/agent/tickets/501")
    assert filed.fields == {
        "external_id": ticket_key(event.complaint_id, "desk"),
        "subject": f"[{event.complaint_id}] {event.record.title}".strip(),
        "status": "new",
        "priority": "high",
        "tags": ["allears", "VIP_客户"],
        "requester_id": 20001,
        "group_id": None,
        "assignee_id": 9001,
        "custom_fields": [
            {"id": 360001, "value": event.complaint_id},
            {"id": 360002, "value": "2026112200017"},
            {"id": 360003, "value": "other"},
        ],
        "via_followup_source_id": None,
    }
    assert filed.comments[0]["public"] is False
    assert tell.desk.users == {"lilei@mail.example.cn": {"id": 20001, "name": "李雷", "email": "lilei@mail.example.cn"}}


async def test_constants_are_in_every_ticket_and_the_mapping_goes_before_them(tell: Teller) -> None:
    constants = {"group_id": 360001234, "360002": "无", "360003": "other", "tags": "intake", "status": "open"}
    await tell.open(make_event(), constants=constants, fields={"product_or_order": "360002"})
    (filed,) = tell.desk.created
    assert (filed.fields["group_id"], filed.fields["status"]) == (360001234, "open")
    assert filed.fields["tags"] == ["allears", "intake"]
    assert filed.fields["custom_fields"] == [
        {"id": 360002, "value": "2026112200017"},
        {"id": 360003, "value": "other"},
    ]


@pytest.mark.parametrize(
    ("contact", "more", "requester"),
    [
        (Contact(name="李雷", email="lilei@qq.example.com"), {}, {"name": "李雷", "email": "lilei@qq.example.com"}),
        (Contact(email="lilei@qq.example.com"), {}, {"name": "lilei@qq.example.com", "email": "lilei@qq.example.com"}),
        (Contact(name="{{x}}", email="a@b.example"), {}, {"name": "{｛x}}", "email": "a@b.example"}),
        (Contact(name="李雷", phone="13800138000"), {}, None),
        (Contact(name="李雷", wechat="lilei"), {"requester": STAND_IN}, STANDING_IN),
        (Contact(email="not an address"), {"requester": STAND_IN}, STANDING_IN),
        (Contact(email="a@b.example"), {"requester": STAND_IN, "customer_is_requester": False}, STANDING_IN),
        (Contact(email="a@b.example"), {"mask": ["email"]}, None),
    ],
)
async def test_nobodys_address_is_made_up(
    tell: Teller, contact: Contact, more: dict[str, Any], requester: dict[str, str] | None
) -> None:
    assert tell.compose(said_by(contact), **more).get("requester") == requester
    await tell.open(said_by(contact), **more)
    assert len(tell.desk.created) == 1


async def test_placeholders_of_a_customer_stay_as_they_are(tell: Teller) -> None:
    ticket = await tell.open(make_event(text="退款 {{ticket.id}} {% if x %} { {ok} }"))
    await tell.follow_up(ticket, make_event(2, text="{{{{ticket.id}}"))
    texts = [comment["body"] for comment in tell.desk.created[0].comments]
    assert "退款 {｛ticket.id}} {％ if x %} { {ok} }" in texts[0]
    assert all(ticket.id not in text for text in texts)


async def test_a_key_that_was_used_gives_the_same_ticket_for_two_hours(tell: Teller, clock: FakeClock) -> None:
    tell.desk.plan(Fault.LOSE_ANSWER)
    with pytest.raises(InDoubt):
        await tell.open(make_event())
    tell.desk.lag_seconds = 7200
    assert await tell.sink().find(ticket_key(make_event().complaint_id, "desk")) is None
    clock.advance(7100)
    assert (await tell.open(make_event())).id == "501"
    clock.advance(200)
    found = await tell.sink().find(ticket_key(make_event().complaint_id, "desk"))
    assert found == Ticket(id="501", url=f"{tell.desk.url}/agent/tickets/501")
    assert len(tell.desk.created) == 1


async def test_the_same_key_carries_the_same_uploads(tell: Teller, clock: FakeClock) -> None:
    event = with_files(make_event(), files_of(tell))
    tell.desk.plan(Fault.LOSE_ANSWER)
    with pytest.raises(InDoubt):
        await tell.open(event)
    clock.advance(45 * 60)
    assert (await tell.open(event)).id == "501"
    assert len(tell.desk.uploads) == 2
    assert [file["file_name"] for file in tell.desk.files] == ["碎屏 照片.jpg", "invoice 2026.pdf"]


async def test_uploads_that_are_too_old_are_made_again_and_the_key_tells_of_the_ticket(
    tell: Teller, clock: FakeClock
) -> None:
    event = with_files(make_event(), files_of(tell))
    tell.desk.plan(Fault.LOSE_ANSWER)
    with pytest.raises(InDoubt):
        await tell.open(event)
    clock.advance(70 * 60)
    with pytest.raises(InDoubt, match="sent before"):
        await tell.open(event)
    assert await tell.sink().find(ticket_key(event.complaint_id, "desk")) is not None
    assert len(tell.desk.created) == 1


async def test_uploads_that_broke_off_go_on_where_they_were(tell: Teller) -> None:
    event = with_files(make_event(), files_of(tell))
    tell.desk.plan(Mishap.BUSY, on="POST /api/v2/tickets")
    with pytest.raises(AllearsError):
        await tell.open(event)
    await tell.open(event)
    uploads = [call for call in tell.desk.calls if call.path.endswith("/uploads")]
    assert [call.headers["content-type"] for call in uploads] == ["image/jpeg", "application/pdf"]


async def test_a_request_that_is_late_meets_its_own_key(tell: Teller) -> None:
    tell.desk.plan(Fault.LATE)
    with pytest.raises(InDoubt):
        await tell.open(make_event())
    assert (await tell.open(make_event())).id == "501"
    await tell.desk.land()
    assert len(tell.desk.created) == 1


async def test_of_tickets_that_share_a_key_the_oldest_is_taken(tell: Teller, clock: FakeClock) -> None:
    await tell.open(make_event())
    clock.advance(7300)
    await tell.open(make_event())
    found = await tell.sink().find(ticket_key(make_event().complaint_id, "desk"))
    assert found is not None
    assert found.id == "501"
    assert isinstance(tell.context.log, RecordingLog)
    assert tell.context.log.entries[-1][1:] == (
        "tickets_share_a_key",
        {"key": ticket_key(make_event().complaint_id, "desk"), "tickets": [501, 502]},
    )


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "IdempotentRequestError"}, InDoubt),
        (400, {"error": "BadRequest"}, Rejected),
        (403, {"error": "Forbidden"}, ConfigError),
        (404, {"error": "InvalidEndpoint"}, ConfigError),
        (409, {"error": "Conflict"}, InDoubt),
        (500, {}, InDoubt),
        (502, {}, InDoubt),
        (201, {"ticket": {}}, InDoubt),
        (201, [], InDoubt),
    ],
)
async def test_what_answers_mean(
    tmp_path: Path, clock: FakeClock, status: int, body: Any, error: type[AllearsError]
) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    context = make_context("desk", tmp_path, clock=clock, remote=remote)
    sink, event = ZendeskSink(settings("https://shop.zendesk.com"), context), make_event()
    key = ticket_key(event.complaint_id, "desk")
    with respx.mock(using="httpx") as router:
        route = router.post("https://shop.zendesk.com/api/v2/tickets").respond(status, json=body)
        with pytest.raises(AllearsError) as caught:
            await sink.open(sink.render(event, key), key, Notes().progress(key))
        assert type(caught.value) is error
        assert route.calls.last.request.headers["idempotency-key"] == key
    await remote.aclose()


# Follow-ups


async def test_follow_ups_change_nothing_but_the_conversation(tell: Teller) -> None:
    ticket = await tell.open(make_event())
    tell.desk.update(501, status="solved", priority="low", assignee_id=9001)
    await tell.follow_up(ticket, make_event(2))
    await tell.follow_up(ticket, make_event(3), public_notes=True)
    (filed,) = tell.desk.created
    assert (filed.fields["status"], filed.fields["priority"], filed.fields["assignee_id"]) == ("solved", "low", 9001)
    assert [comment["public"] for comment in filed.comments] == [False, False, True]


@pytest.mark.parametrize(("status", "then"), [("solved", "open"), ("pending", "pending"), ("new", "new")])
async def test_what_is_solved_is_opened_again_where_that_is_wanted(tell: Teller, status: str, then: str) -> None:
    ticket = await tell.open(make_event())
    tell.desk.update(501, status=status)
    await tell.follow_up(ticket, make_event(2), reopen=True)
    assert tell.desk.tickets[501].fields["status"] == then
    assert len(tell.desk.comments) == 1


@pytest.mark.parametrize("fate", ["closed", "merged", "deleted"])
async def test_a_ticket_that_takes_no_more_is_gone(tell: Teller, fate: str) -> None:
    ticket = await tell.open(make_event())
    await tell.open(make_event(who="mail-18"))
    {"closed": lambda: tell.desk.close(501), "merged": lambda: tell.desk.merge(501, 502)}.get(
        fate, lambda: tell.desk.delete(501)
    )()
    with pytest.raises(TicketGone):
        await tell.follow_up(ticket, make_event(2))


async def test_a_ticket_that_is_open_and_refuses_does_so_for_its_own_reasons(tell: Teller) -> None:
    ticket = await tell.open(make_event())
    tell.desk.plan(Fault.REJECT)
    with pytest.raises(Rejected) as caught:
        await tell.follow_up(ticket, make_event(2))
    assert type(caught.value) is Rejected
    assert "cannot be blank" in caught.value.detail


async def test_a_mark_behind_a_hundred_comments_is_found(tell: Teller) -> None:
    ticket, event = await tell.open(make_event()), make_event(2)
    await tell.follow_up(ticket, event)
    for number in range(120):
        tell.desk._comment(tell.desk.tickets[501], {"body": f"内部讨论 {number}"})
    mark = event_key(ticket_key(event.complaint_id, "desk"), event.id)
    assert await tell.sink().find_follow_ups(ticket, [mark, mark[:-1] + "Z"]) == {mark}


async def test_marks_are_not_looked_for_in_a_ticket_that_is_gone(tell: Teller) -> None:
    ticket = await tell.open(make_event())
    tell.desk.delete(501)
    with pytest.raises(TicketGone):
        await tell.sink().find_follow_ups(ticket, ["ALE-1"])


# Settings and check


async def test_check_says_who_and_where(tell: Teller) -> None:
    identity = await tell.sink(fields={"category": "360003"}, values={"category": {"*": "other"}}).check()
    assert identity.account == f"{EMAIL} at {tell.desk.url}"
    assert (await tell.sink(email="", token=OAUTH).check()).account == identity.account
    assert not tell.desk.created


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"token": "wrong"}, AuthError, "401"),
        ({"fields": {"category": "360009"}}, ConfigError, "no such field"),
        ({"fields": {"category": "360004"}}, ConfigError, "no such field"),
        ({"fields": {"category": "360003"}, "values": {"category": {"*": "其它"}}}, ConfigError, "logistics_damage"),
        ({"constants": {"360009": "x"}}, ConfigError, "360009"),
        ({"values": {"priority": {"P1": "critical"}}}, ConfigError, "urgent"),
    ],
)
async def test_check_finds_what_would_vanish(
    tell: Teller, more: dict[str, Any], error: type[AllearsError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await tell.sink(**more).check()


@pytest.mark.parametrize(
    ("user", "error"),
    [({"id": None, "role": "end-user"}, AuthError), ({"id": 5, "email": "x@y.z", "role": "end-user"}, ConfigError)],
)
async def test_check_knows_nobody_when_it_sees_him(
    tmp_path: Path, clock: FakeClock, user: dict[str, Any], error: type[AllearsError]
) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    context = make_context("desk", tmp_path, clock=clock, remote=remote)
    with respx.mock(using="httpx") as router:
        router.get("https://shop.zendesk.com/api/v2/users/me").respond(json={"user": user})
        with pytest.raises(error):
            await ZendeskSink(settings("https://shop.zendesk.com"), context).check()
    await remote.aclose()


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "shop.zendesk.com"},
        {"url": "https://shop.zendesk.com/api/v2"},
        {"fields": {"category": "Category"}},
        {"fields": {"categroy": "360003"}},
        {"requester": "nobody"},
        {"token": None},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings("https://shop.zendesk.com").model_validate({"url": "https://a.b", "token": TOKEN, **bad})
    assert TOKEN not in str(caught.value)
