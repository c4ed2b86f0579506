"""Zammad: what is sent, what is found again, what becomes of refusals, and what its webhook tells."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from allears_sdk.complaint import Contact, Event
from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    TicketGone,
    Unavailable,
)
from allears_sdk.masking import mask_payload
from allears_sdk.message import Role
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket, TicketStatus, marks_of
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.zammad import KEY_FIELD, TOKEN, WEBHOOK_SECRET, Zammad
from sink.zammad import ZammadSettings, ZammadSink
from tests.sink.storms import Storms


async def keep(note: Any) -> None:
    """Nothing to note."""


PROGRESS = Progress(note={}, save=keep)


def settings_for(desk: Zammad, **changed: Any) -> ZammadSettings:
    given = {"sink": "zammad", "url": desk.url, "token": TOKEN, "group": "投诉", "webhook_secret": WEBHOOK_SECRET}
    return ZammadSettings.model_validate({**given, **changed})


class ZammadStore:
    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[Zammad]:
        self._desk = Zammad(lambda: clock.now().timestamp())
        self._desk.lag_seconds = 3600  # its search engine's: nothing here may depend on it
        await self._desk.start()
        yield self._desk
        await self._desk.stop()

    def make_sink(self, context: Context) -> ZammadSink:
        return ZammadSink(settings_for(self._desk), context)

    async def stored(self) -> list[Stored]:
        """An opening is known by the ticket's attribute, a follow-up by its mark, the last word of the text."""
        opened: dict[int, int] = {}
        for article in self._desk.articles:
            opened.setdefault(article["ticket_id"], article["id"])
        return [
            Stored(
                self._desk.created[one["ticket_id"]][KEY_FIELD]
                if opened[one["ticket_id"]] == one["id"]
                else one["body"].rpartition("[")[2].rstrip("]").split()[-1],
                one["body"],
            )
            for one in self._desk.articles
        ]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        kept = [file for article in self._desk.articles for file in article["attachments"]]
        return [(file["filename"], self._desk.contents[file["sha256"]]) for file in kept]

    async def fail_next(self, fault: Fault) -> None:
        await self._desk.fail_next(fault)


class TestZammad(ZammadStore, SinkContract):
    pass


class TestZammadStorm(ZammadStore, Storms):
    def faults(self) -> Zammad:
        return self._desk


@pytest.fixture
async def desk() -> AsyncIterator[Zammad]:
    desk = Zammad(now=lambda: 1_795_320_000.0)
    desk.lag_seconds = 3600
    await desk.start()
    yield desk
    await desk.stop()


Make = Callable[..., ZammadSink]


@pytest.fixture
async def make(desk: Zammad, tmp_path: Path, clock: FakeClock, log: RecordingLog) -> AsyncIterator[Make]:
    context = make_context("desk", tmp_path, clock=clock, log=log)
    yield lambda **changed: ZammadSink(settings_for(desk, **changed), context)
    await context.remote.aclose()


def key_of(event: Event) -> str:
    key = ticket_key(event.complaint_id, "desk")
    return key if event.sequence == 1 else event_key(key, event.id)


async def tell(sink: ZammadSink, event: Event, ticket: Ticket | None = None) -> Ticket:
    key = key_of(event)
    payload = mask_payload(sink.render(event, key), sink.settings.mask)
    if ticket is None:
        return await sink.open(payload, key, PROGRESS)
    await sink.follow_up(ticket, payload, key, PROGRESS)
    return ticket


def with_contact(event: Event, **contact: str) -> Event:
    return replace(event, record=replace(event.record, contact=Contact(**contact)))


async def test_an_opening_as_agents_see_it(make: Make, desk: Zammad) -> None:
    event = make_event()
    sink = make(fields={"orders": "order_number", "category": "tags"})
    ticket = await tell(sink, event)
    assert ticket == Ticket(id="1", url=f"{desk.url}/#ticket/zoom/1")
    made, (article,) = desk.created[1], desk.articles
    assert made["title"].startswith(f"[{event.complaint_id}] 屏幕碎了😡")
    assert (made["group"], made["priority"], made["state"]) == ("投诉", "3 high", "new")
    assert made[KEY_FIELD] == key_of(event)
    assert made["order_number"] == ["2026112200017"]
    assert made["tags"] == ["product.material_defect"]
    assert (article["type"], article["sender"], article["internal"]) == ("note", "Customer", False)
    assert article["content_type"] == "text/plain"
    assert event.record.description in article["body"]
    assert desk.people[made["customer_id"]]["email"] == "lilei@mail.example.cn"


@pytest.mark.parametrize(
    ("priority", "word"), [("P1", "3 high"), ("P3", "2 normal"), ("P4", "1 low"), ("", "2 normal")]
)
async def test_priorities(make: Make, desk: Zammad, priority: str, word: str) -> None:
    event = make_event()
    await tell(make(), replace(event, record=replace(event.record, priority=priority)))
    assert desk.created[1]["priority"] == word


async def test_customers_without_an_address_are_persons_not_inventions(make: Make, desk: Zammad) -> None:
    event = with_contact(make_event(), name="韩梅梅", phone="13800138000", wechat="hmm_2026")
    await tell(make(), event)
    await tell(make(), with_contact(make_event(who="mail-18"), name="韩梅梅", phone="13800138000"))
    assert desk.created[1]["customer_id"] == desk.created[2]["customer_id"]
    person = desk.people[desk.created[1]["customer_id"]]
    assert (person["firstname"], person["phone"], person["email"]) == ("韩梅梅", "13800138000", "")
    await tell(make(requester="intake@shop.example.com"), with_contact(make_event(who="mail-19"), name="李雷"))
    assert desk.people[desk.created[3]["customer_id"]]["email"] == "intake@shop.example.com"


@pytest.mark.parametrize("requester", ["", "intake@shop.example.com"])
async def test_a_masked_address_is_nobodys(make: Make, desk: Zammad, requester: str) -> None:
    await tell(make(mask=["email", "phone"], requester=requester), make_event())
    person = desk.people[desk.created[1]["customer_id"]]
    assert person["email"] == requester
    assert "lilei@" not in desk.articles[0]["body"]


async def test_an_address_zammad_refuses_costs_no_complaint(make: Make, desk: Zammad, log: RecordingLog) -> None:
    await tell(make(), with_contact(make_event(), name="李雷", email="lilei@localhost"))
    assert desk.people[desk.created[1]["customer_id"]]["firstname"] == "李雷"
    assert ("warning", "value_refused", {"field": "customer_id"}) in log.entries


async def test_an_owner_nobody_is_costs_no_complaint(make: Make, desk: Zammad) -> None:
    event = make_event()
    sink = make(fields={"assignee": "owner"})
    await tell(sink, replace(event, record=replace(event.record, assignee="nobody@example.com")))
    await tell(
        sink, replace(other := make_event(who="b"), record=replace(other.record, assignee="allears@example.com"))
    )
    assert [ticket["owner"] for ticket in desk.created.values()] == ["-", "allears@example.com"]


async def test_follow_ups_are_internal_unless_the_settings_say_otherwise(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event())
    await tell(make(), make_event(2, text="还没人理我！"), ticket)
    await tell(make(public_notes=True), make_event(3, text="我要投诉到 12315"), ticket)
    _, second, third = desk.articles
    assert (second["internal"], third["internal"]) == (True, False)
    assert {second["type"], third["type"]} == {"note"}
    assert "还没人理我！" in second["body"]


async def test_what_only_the_company_did_is_not_the_customers(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event())
    event = make_event(2, text="已为您加急")
    said = tuple(
        replace(one, role=Role.COMPANY) if one.id in event.messages else one for one in event.record.conversation
    )
    await tell(make(), replace(event, record=replace(event.record, conversation=said)), ticket)
    assert [article["sender"] for article in desk.articles] == ["Customer", "Agent"]


@pytest.mark.parametrize(("reopen", "state"), [(False, "closed"), (True, "open")])
async def test_a_closed_ticket_is_reopened_only_where_the_settings_say_so(
    make: Make, desk: Zammad, reopen: bool, state: str
) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, state="closed")
    await tell(make(reopen=reopen), make_event(2), ticket)
    assert (desk.created[1]["state"], len(desk.articles)) == (state, 2)
    desk.change(1, state="pending reminder")
    await tell(make(reopen=reopen), make_event(3), ticket)
    assert desk.created[1]["state"] == "pending reminder"


async def test_merged_and_deleted_tickets_are_gone(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event())
    await tell(make(), make_event(who="mail-18"))
    desk.merge(1, 2)
    with pytest.raises(TicketGone, match="merged"):
        await tell(make(), make_event(2), ticket)
    desk.delete(2)
    with pytest.raises(TicketGone):
        await tell(make(), make_event(2), Ticket(id="2"))
    with pytest.raises(TicketGone):
        await make().find_follow_ups(Ticket(id="2"), ["ALE-1"])
    assert not [article for article in desk.articles if article["ticket_id"] == 1]


async def test_a_ticket_moved_out_of_reach_is_gone_and_a_right_withdrawn_is_said(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, group="Users")
    desk.access = {"投诉": "full"}
    with pytest.raises(TicketGone):
        await tell(make(), make_event(2), ticket)
    with pytest.raises(TicketGone):
        await make().find_follow_ups(ticket, ["x"])
    desk.change(1, group="投诉")
    desk.access = {"投诉": "read"}
    with pytest.raises(ConfigError, match="has no right to change, create in the group 投诉"):
        await tell(make(), make_event(2), ticket)
    with pytest.raises(ConfigError, match=r"ticket\.agent"):
        await tell(make(), make_event(who="mail-18"))


async def test_a_ticket_is_found_by_its_attribute_whatever_the_search_engine_knows(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event())
    desk.plan(Mishap.TWICE)
    await tell(make(), make_event(who="mail-18"))
    desk.has_search_engine = False
    assert await make().find(key_of(make_event())) == ticket
    found = await make().find(key_of(make_event(who="mail-18")))
    assert found is not None
    assert found.id == "2", "of two with one key the older"
    assert await make().find("ALE-0000-0000-0000-NOBODY") is None


async def test_a_search_that_ignores_what_it_is_asked_is_not_believed(
    make: Make, desk: Zammad, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(make(), make_event())
    monkeypatch.setattr(desk, "_meets", lambda ticket, condition: True)
    with pytest.raises(ConfigError, match="not what was asked for"):
        await make().find(key_of(make_event(who="mail-18")))


async def test_marks_are_found_in_every_article(make: Make, desk: Zammad) -> None:
    ticket = await tell(make(), make_event(told=2))
    later = make_event(2, told=3)
    await tell(make(), later, ticket)
    marks = [*marks_of(make_event(told=2), key_of(make_event())), *marks_of(later, key_of(later))]
    assert set(await make().find_follow_ups(ticket, [*marks, "ALE-OTHER"])) == set(marks)


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Fault.LATE, Fault.GARBAGE])
async def test_whatever_may_have_been_done_is_in_doubt(make: Make, desk: Zammad, trouble: Mishap | Fault) -> None:
    desk.plan(trouble, on="POST /api/v1/tickets$")
    with pytest.raises(InDoubt):
        await tell(make(), make_event())
    await desk.land()
    found = await make().find(key_of(make_event()))
    assert found is not None
    desk.plan(trouble, on="POST /api/v1/ticket_articles$")
    if trouble is Fault.GARBAGE:
        return
    with pytest.raises(InDoubt):
        await tell(make(), make_event(2), found)
    await desk.land()
    assert await make().find_follow_ups(found, [key_of(make_event(2))])


@pytest.mark.parametrize(
    ("trouble", "error"), [(Mishap.BUSY, RetryLater), (Fault.EXPIRED, AuthError), (Fault.REJECT, Rejected)]
)
async def test_refusals_of_a_follow_up(
    make: Make, desk: Zammad, trouble: Mishap | Fault, error: type[AllearsError]
) -> None:
    ticket = await tell(make(), make_event())
    desk.plan(trouble)
    with pytest.raises(error):
        await tell(make(), make_event(2), ticket)
    assert len(desk.articles) == 1


async def test_maintenance_is_waited_out(make: Make, desk: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import web

    desk.plan(Fault.REJECT)
    monkeypatch.setattr(
        desk, "refusal", lambda status, request: web.json_response({"error": "Maintenance mode enabled!"}, status=403)
    )
    with pytest.raises(RetryLater) as caught:
        await tell(make(), make_event())
    assert caught.value.after_seconds == 60


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"group": "没有"}, "no such group"), ({"values": {"priority": {"*": "urgent"}}}, "no such priority")],
)
async def test_what_the_settings_name_wrongly_is_said_to_the_admin(
    make: Make, desk: Zammad, changed: dict[str, Any], words: str
) -> None:
    sink = make(**changed)
    event = make_event()
    if "values" in changed:
        sink = make(values={"priority": {"P2": "urgent"}})
    with pytest.raises(ConfigError, match=words):
        await tell(sink, event)
    with pytest.raises(ConfigError):
        await sink.check()
    assert not desk.created


async def test_check_says_who_we_are_and_makes_nothing(make: Make, desk: Zammad) -> None:
    identity = await make(fields={"orders": "order_number"}).check()
    assert identity.account == "allears@example.com"
    assert identity.details[:2] == ["group 投诉", "key in allears_key"]
    assert "no ticket yet" in identity.details[2]
    assert not desk.created
    await tell(make(), make_event())
    assert len((await make(fields={"orders": "order_number", "tags": "tags"}).check()).details) == 2
    with pytest.raises(ConfigError, match="order_nr"):
        await make(fields={"orders": "order_nr"}).check()


async def test_check_finds_an_attribute_nobody_made_and_a_wrong_token(make: Make, desk: Zammad) -> None:
    await tell(make(), make_event())
    with pytest.raises(ConfigError, match="tickets have no attribute allears_id"):
        await make(key_field="allears_id").check()
    with pytest.raises(AuthError):
        await make(token="wrong-token-1").check()
    desk.access = {"Users": "full"}
    with pytest.raises(ConfigError, match="投诉"):
        await make().check()
    with pytest.raises(Unavailable):
        await make(url="http://127.0.0.1:1").check()


async def test_a_key_that_was_not_kept_is_told(make: Make, desk: Zammad, log: RecordingLog) -> None:
    desk.custom_fields = set()
    await tell(make(), make_event())
    assert ("error", "key_not_kept", {"ticket": 1, "field": KEY_FIELD}) in log.entries


async def test_files_go_with_the_request_and_large_ones_are_linked(
    desk: Zammad, tmp_path: Path, clock: FakeClock
) -> None:
    files = MemoryFiles()
    context = make_context("desk", tmp_path, clock=clock, files=files)
    sink = ZammadSink(settings_for(desk, files={"max_mb": 0.000001}), context)
    event = with_files(make_event(), files)
    await tell(sink, event)
    assert [file["filename"] for file in desk.articles[0]["attachments"]] == []
    assert desk.articles[0]["body"].count("https://allears.example.com/files/") == 2
    await tell(ZammadSink(settings_for(desk), context), with_files(make_event(who="b"), files))
    assert [file["filename"] for file in desk.articles[1]["attachments"]] == ["碎屏 照片.jpg", "invoice 2026.pdf"]
    await context.remote.aclose()


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "zammad.example.com"},
        {"group": ""},
        {"key_field": "allears key"},
        {"article_type": "email"},
        {"requester": "nobody"},
        {"fields": {"category": "title"}},
        {"statuses": {"待复核": "waiting"}},
        {"sercet": "x"},
    ],
)
def test_settings_refuse(changed: dict[str, Any]) -> None:
    good = {"sink": "zammad", "url": "https://zammad.example.com", "token": "t0ken-of-nobody", "group": "投诉"}
    with pytest.raises(ValidationError) as caught:
        ZammadSettings.model_validate({**good, **changed})
    assert "t0ken-of-nobody" not in str(caught.value)


# Back


def heard(sink: ZammadSink, headers: dict[str, str], body: bytes) -> Any:
    request = Request(
        method="POST",
        path="",
        query=(),
        headers=tuple(headers.items()),
        body=body,
        remote_address="192.0.2.7",
        received_at=datetime(2026, 11, 22, 4, 30, tzinfo=UTC),
    )
    return sink.hear(request)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("open", TicketStatus.OPEN),
        ("pending reminder", TicketStatus.PENDING),
        ("closed", TicketStatus.CLOSED),
        ("待复核", TicketStatus.SOLVED),
        ("自定义", None),
    ],
)
async def test_a_webhook_tells_status_and_handler(
    make: Make, desk: Zammad, state: str, status: TicketStatus | None
) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, state=state, owner="allears@example.com", first_response_at="2026-11-22T04:00:00.000Z")
    (change,) = heard(make(statuses={"待复核": "solved"}), *desk.hook(1)).changes
    assert (change.ticket, change.status, change.store_status) == (ticket.id, status, state)
    assert (change.handler, change.answered) == ("全听 机器人", True)
    assert change.at == datetime.fromtimestamp(1_795_320_000, UTC)


async def test_nobody_handles_a_new_ticket(make: Make, desk: Zammad) -> None:
    await tell(make(), make_event())
    headers, body = desk.hook(1)
    (change,) = heard(make(), headers, body).changes
    assert (change.handler, change.answered) == ("", False)


async def test_webhooks_that_are_not_zammads_are_refused(make: Make, desk: Zammad) -> None:
    await tell(make(), make_event())
    headers, body = desk.hook(1)
    assert "does not fit" in heard(make(), headers, body + b" ").refused
    assert "does not fit" in heard(make(), {}, body).refused
    assert "set webhook_secret" in heard(make(webhook_secret=None), headers, body).refused
    for text in (b"", b"[]", b"null", b'{"ticket": {"id": 1}}', b"\xff", json.dumps({"ticket": None}).encode()):
        assert heard(make(), _signed(text), text).refused
    assert SecretStr(WEBHOOK_SECRET).get_secret_value() not in heard(make(), {}, body).refused


def _signed(body: bytes) -> dict[str, str]:
    from allears_sdk.signing import hmac_hex

    return {"X-Hub-Signature": f"sha1={hmac_hex(WEBHOOK_SECRET, body, 'sha1')}"}
