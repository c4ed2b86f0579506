"""Chatwoot: whose conversation it is, what is said in it, what is found again, and what its webhook tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Contact, Customer, Event
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
from allears_sdk.signing import hmac_hex
from allears_sdk.sink import Hearing, Progress, Ticket, TicketStatus, marks_of
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers import chatwoot
from bench.servers.chatwoot import ACCOUNT, AGENT, BOT_TOKEN, INBOX, KEY, TOKEN, WEBHOOK_SECRET, WIDGET, Chatwoot
from bench.servers.desk import Mishap
from sink.chatwoot import ChatwootSettings, ChatwootSink
from tests.sink.storms import Storms

NOW = 1_795_320_000
OPENING = r"POST \S+/conversations$"


async def keep(note: Any) -> None:
    """Nothing to note."""


PROGRESS = Progress(note={}, save=keep)


def settings_for(desk: Chatwoot, **changed: Any) -> ChatwootSettings:
    given = {"sink": "chatwoot", "url": desk.url, "token": TOKEN, "account_id": ACCOUNT, "inbox_id": INBOX}
    return ChatwootSettings.model_validate({**given, "webhook_secret": WEBHOOK_SECRET, **changed})


class ChatwootStore:
    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[Chatwoot]:
        self._desk = Chatwoot(lambda: clock.now().timestamp())
        await self._desk.start()
        yield self._desk
        await self._desk.stop()

    def make_sink(self, context: Context) -> ChatwootSink:
        return ChatwootSink(settings_for(self._desk), context)

    async def stored(self) -> list[Stored]:
        """By `source_id`: the ticket's key comes first, a follow-up's mark is its own key."""
        messages = [message for talk in self._desk.created.values() for message in talk.messages]
        return [Stored(message["source_id"].split()[0], message["content"]) for message in messages]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        messages = [message for talk in self._desk.created.values() for message in talk.messages]
        kept = [file for message in messages for file in message["attachments"]]
        return [(file["name"], self._desk.contents[file["sha256"]]) for file in kept]

    async def fail_next(self, fault: Fault) -> None:
        await self._desk.fail_next(fault)


class TestChatwoot(ChatwootStore, SinkContract):
    pass


class TestChatwootStorm(ChatwootStore, Storms):
    def faults(self) -> Chatwoot:
        return self._desk


@pytest.fixture
async def desk() -> AsyncIterator[Chatwoot]:
    desk = Chatwoot(now=lambda: float(NOW))
    await desk.start()
    yield desk
    await desk.stop()


Make = Callable[..., ChatwootSink]


@pytest.fixture
async def make(desk: Chatwoot, tmp_path: Path, log: RecordingLog) -> AsyncIterator[Make]:
    context = make_context("desk", tmp_path, clock=FakeClock(), log=log)
    yield lambda **changed: ChatwootSink(settings_for(desk, **changed), context)
    await context.remote.aclose()


def key_of(event: Event) -> str:
    key = ticket_key(event.complaint_id, "desk")
    return key if event.sequence == 1 else event_key(key, event.id)


async def tell(sink: ChatwootSink, event: Event, ticket: Ticket | None = None) -> Ticket:
    """As the core does it: masked, sent, completed."""
    key = key_of(event)
    payload = mask_payload(sink.render(event, key), sink.settings.mask)
    if ticket is None:
        ticket = await sink.open(payload, key, PROGRESS)
    else:
        await sink.follow_up(ticket, payload, key, PROGRESS)
    await sink.complete(ticket, payload, key, PROGRESS)
    return ticket


def of(event: Event, **changed: Any) -> Event:
    return replace(event, record=replace(event.record, **changed))


async def test_an_opening_as_agents_see_it(make: Make, desk: Chatwoot) -> None:
    event = make_event()
    ticket = await tell(make(fields={"orders": "order_number", "team": "team_id"}), event)
    assert ticket == Ticket(id="1", url=f"{desk.url}/app/accounts/{ACCOUNT}/conversations/1")
    talk = desk.created[1]
    (message,) = talk.messages
    assert (talk.status, talk.priority, talk.source_id) == ("open", "high", key_of(event))
    assert talk.custom_attributes == {KEY: key_of(event), "order_number": "2026112200017"}
    assert message["content"].startswith(f"[{event.complaint_id}] 屏幕碎了😡")
    assert event.record.description in message["content"]
    assert (message["message_type"], message["private"]) == (0, False)
    contact = desk.contacts[talk.contact]
    assert (contact["name"], contact["email"], contact["phone_number"]) == ("李雷", "lilei@mail.example.cn", None)


async def test_a_team_without_a_number_is_left_out(make: Make, desk: Chatwoot) -> None:
    sink = make(fields={"team": "team_id"}, values={"team": {"售后": 3}})
    for who, team in (("a", "售后"), ("b", "法务")):
        await tell(sink, of(make_event(who=who), team=team))
    assert [talk.team_id for talk in desk.created.values()] == [3, None]


async def test_one_customer_is_one_contact_whatever_the_channel(make: Make, desk: Chatwoot) -> None:
    known = Customer(key="c-0042")
    await tell(make(), of(make_event(), customer=known, contact=Contact(name="李雷", email="lilei@mail.example.cn")))
    await tell(make(), of(make_event(who="b"), customer=known, contact=Contact(name="李雷", phone="+8613800138000")))
    await tell(
        make(), of(make_event(who="c"), customer=Customer(key="x"), contact=Contact(email="LiLei@mail.example.cn"))
    )
    assert len(desk.contacts) == 1
    assert [talk.contact for talk in desk.created.values()] == [101, 101, 101]


async def test_a_contact_is_taken_by_the_whole_of_an_address_only(make: Make, desk: Chatwoot) -> None:
    nobody = {"name": "", "identifier": None, "phone_number": None}
    for number in range(20):
        desk.contacts[number] = {"id": number, "email": f"x{number}li@a.example", **nobody}
    desk.contacts[20] = {"id": 20, "email": "li@a.example", **nobody}
    await tell(make(), of(make_event(), contact=Contact(email="Li@a.example")))
    assert desk.created[1].contact == 20


@pytest.mark.parametrize(
    "contact",
    [
        Contact(name="韩梅梅", email="hmm@localhost", phone="13800138000"),
        Contact(name="韩梅梅", email="不是邮箱", phone="+0123"),
        Contact(),
    ],
)
async def test_what_chatwoot_would_refuse_of_a_contact_costs_no_complaint(
    make: Make, desk: Chatwoot, contact: Contact
) -> None:
    await tell(make(), of(make_event(), contact=contact))
    (made,) = desk.contacts.values()
    assert (made["email"], made["phone_number"], made["name"]) == (None, None, contact.name or None)


async def test_an_address_that_only_chatwoot_refuses_is_left_out(
    make: Make, desk: Chatwoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    import re

    monkeypatch.setattr(chatwoot, "_EMAIL", re.compile(r".+@allowed\.example"))
    await tell(make(), make_event())
    assert [one["email"] for one in desk.contacts.values()] == [None]


async def test_masked_contacts_are_nobodys(make: Make, desk: Chatwoot) -> None:
    event = of(make_event(), contact=Contact(name="李雷", email="lilei@mail.example.cn", phone="+8613800138000"))
    await tell(make(mask=["email", "phone"]), event)
    assert [(one["email"], one["phone_number"]) for one in desk.contacts.values()] == [(None, None)]
    assert "lilei@" not in desk.created[1].messages[0]["content"]


async def test_a_contact_made_in_vain_is_not_made_again(make: Make, desk: Chatwoot) -> None:
    desk.plan(Fault.LOSE_ANSWER, on=r"POST \S+/contacts$")
    await tell(make(), make_event())
    assert (len(desk.contacts), len(desk.created)) == (1, 1)
    desk.plan(*[Mishap.CUT_BEFORE] * 3, on=r"POST \S+/contacts$")
    with pytest.raises(Unavailable):
        await tell(make(), make_event(who="b"))
    assert len(desk.created) == 1, "nothing was filed: it may be tried again at once"


async def test_follow_ups_are_notes_and_reopen_nothing(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, status="resolved")
    await tell(make(), make_event(2, text="还没人理我！"), ticket)
    note = desk.created[1].messages[1]
    assert (note["message_type"], note["private"], desk.created[1].status) == (1, True, "resolved")
    assert "还没人理我！" in note["content"]


async def test_public_follow_ups_are_the_customers_and_reopen(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, status="resolved")
    event = make_event(2, text="已为您加急")
    first, later = event.record.conversation
    await tell(make(public_notes=True), of(event, conversation=(first, replace(later, role=Role.COMPANY))), ticket)
    assert (desk.created[1].messages[1]["private"], desk.created[1].status) == (True, "resolved")
    await tell(make(public_notes=True), make_event(3, text="还没人理我！"), ticket)
    assert (desk.created[1].messages[2]["message_type"], desk.created[1].status) == (0, "open")


@pytest.mark.parametrize(
    "words",
    ["模板是 {{contact.name}} 吗", "{% if 退款 %}", "{{{三个}}}", "`{{代码}}` {{ x", "{ 一个 }", "{" * 90_000],
)
async def test_words_in_braces_are_not_eaten(make: Make, desk: Chatwoot, words: str) -> None:
    ticket = await tell(make(), make_event())
    await tell(make(), make_event(2, text=words), ticket)
    content = desk.created[1].messages[1]["content"]
    assert words in content.replace("\u2060", "").replace("\uff5b", "{")
    assert len(content) <= 150_000


async def test_deleted_conversations_are_gone(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event())
    desk.delete(1)
    with pytest.raises(TicketGone):
        await tell(make(), make_event(2), ticket)
    with pytest.raises(TicketGone):
        await make().find_follow_ups(ticket, ["ALE-1"])


async def test_a_conversation_is_found_by_its_attribute(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event())
    desk.plan(Mishap.TWICE, on=OPENING)
    await tell(make(), make_event(who="b"))
    assert await make().find(key_of(make_event())) == ticket
    found = await make().find(key_of(make_event(who="b")))
    assert found is not None
    assert found.id == "2", "of two with one key the older"
    assert await make().find("ALE-0000-0000-0000-NOBODY") is None


async def test_a_filter_that_ignores_what_it_is_asked_is_not_believed(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    desk.created[1].custom_attributes[KEY] = key_of(make_event()).lower()
    with pytest.raises(ConfigError, match="ignores"):
        await make().find(key_of(make_event()))


async def test_marks_are_found_behind_hundreds_of_messages_and_in_deleted_ones(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event(told=2))
    desk.messages_a_minute = 1000
    for number in range(230):
        desk._say(desk.created[1], {"content": f"{number}"})
    later = make_event(2, told=3)
    await tell(make(), later, ticket)
    desk.created[1].messages[-1]["content"] = "This message was deleted"
    marks = [*marks_of(make_event(told=2), key_of(make_event())), *marks_of(later, key_of(later))]
    assert set(await make().find_follow_ups(ticket, [*marks, "ALE-OTHER"])) == set(marks)


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Fault.LATE, Fault.GARBAGE])
async def test_whatever_may_have_been_done_is_in_doubt(make: Make, desk: Chatwoot, trouble: Mishap | Fault) -> None:
    desk.plan(trouble, on=OPENING)
    with pytest.raises(InDoubt):
        await tell(make(), make_event())
    await desk.land()
    found = await make().find(key_of(make_event()))
    assert found is not None
    desk.plan(trouble, on=r"POST \S+/messages$")
    with pytest.raises(InDoubt):
        await tell(make(), make_event(2), found)
    await desk.land()
    assert await make().find_follow_ups(found, [key_of(make_event(2))])


async def test_a_session_that_is_another_contacts_is_in_doubt_not_refused(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    desk.sources = dict.fromkeys(desk.sources, 999)
    with pytest.raises(InDoubt, match="session"):
        await tell(make(), make_event())
    assert len(desk.created) == 1


@pytest.mark.parametrize(
    ("trouble", "error"), [(Mishap.BUSY, RetryLater), (Fault.EXPIRED, AuthError), (Fault.REJECT, Rejected)]
)
async def test_refusals_of_a_follow_up(
    make: Make, desk: Chatwoot, trouble: Mishap | Fault, error: type[AllearsError]
) -> None:
    ticket = await tell(make(), make_event())
    desk.plan(trouble)
    with pytest.raises(error):
        await tell(make(), make_event(2), ticket)
    assert len(desk.created[1].messages) == 1


async def test_a_flood_is_waited_out(make: Make, desk: Chatwoot) -> None:
    ticket = await tell(make(), make_event())
    desk.messages_a_minute = 1
    with pytest.raises(RetryLater) as caught:
        await tell(make(), make_event(2), ticket)
    assert caught.value.after_seconds == 60


async def test_an_inbox_that_is_no_more_is_said_to_the_admin(make: Make, desk: Chatwoot) -> None:
    desk.plan(Fault.GONE, on=OPENING)
    with pytest.raises(ConfigError, match=f"no inbox {INBOX}"):
        await tell(make(), make_event())


async def test_an_agents_priority_stays_and_a_lost_one_is_set_later(
    make: Make, desk: Chatwoot, log: RecordingLog
) -> None:
    event, sink = make_event(), make()
    key = key_of(event)
    payload = sink.render(event, key)
    ticket = await sink.open(payload, key, PROGRESS)
    desk.plan(*[Mishap.CUT_BEFORE] * 3, on="PATCH ")
    with pytest.raises(Unavailable):
        await sink.complete(ticket, payload, key, PROGRESS)
    await sink.complete(ticket, payload, key, PROGRESS)
    assert desk.created[1].priority == "high"
    desk.change(1, priority="low")
    await sink.complete(ticket, payload, key, PROGRESS)
    assert desk.created[1].priority == "low"
    desk.delete(1)
    await sink.complete(ticket, payload, key, PROGRESS)
    assert [entry[1] for entry in log.entries][-1] == "priority_not_set"


async def test_a_record_without_priority_sets_none(make: Make, desk: Chatwoot) -> None:
    await tell(make(), of(make_event(), priority=""))
    assert desk.created[1].priority is None
    assert not [call for call in desk.calls if call.method == "PATCH"]


async def test_files_of_types_chatwoot_does_not_take_are_linked(desk: Chatwoot, tmp_path: Path) -> None:
    files = MemoryFiles()
    context = make_context("desk", tmp_path, clock=FakeClock(), files=files)
    program = files.put("错误日志.exe", b"MZ", media_type="application/x-msdownload")
    picture = files.put("碎屏 照片.jpg", b"\xff\xd8")
    gone = replace(files.put("没了.pdf", b"%PDF", media_type="application/pdf"), sha256="0" * 64)
    await tell(ChatwootSink(settings_for(desk), context), of(make_event(), attachments=(program, picture, gone)))
    (message,) = desk.created[1].messages
    assert [file["name"] for file in message["attachments"]] == ["碎屏 照片.jpg"]
    assert "错误日志.exe（2 B）：此系统不收这类文件：https://allears.example.com/files/" in message["content"]
    assert "⚠ 没了.pdf" in message["content"]
    assert desk.created[1].custom_attributes[KEY] == key_of(make_event())
    await context.remote.aclose()


async def test_files_of_a_follow_up_go_with_the_note(desk: Chatwoot, tmp_path: Path) -> None:
    files = MemoryFiles()
    context = make_context("desk", tmp_path, clock=FakeClock(), files=files)
    sink = ChatwootSink(settings_for(desk), context)
    ticket = await tell(sink, make_event())
    await tell(sink, with_files(make_event(2), files), ticket)
    note = desk.created[1].messages[1]
    assert [file["name"] for file in note["attachments"]] == ["碎屏 照片.jpg", "invoice 2026.pdf"]
    assert (note["private"], note["source_id"]) == (True, key_of(make_event(2)))
    await context.remote.aclose()


async def test_check_says_who_we_are_and_makes_nothing(make: Make, desk: Chatwoot) -> None:
    identity = await make(fields={"orders": "order_number", "team": "team_id"}).check()
    assert (identity.account, list(identity.details)) == ("allears@example.com", ["account 示例商城", "inbox 7"])
    desk.custom_role = 3
    assert "custom role" in (await make().check()).details[2]
    assert not desk.created
    assert not desk.contacts


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"inbox_id": 99}, ConfigError, "no inbox 99"),
        ({"inbox_id": WIDGET}, ConfigError, "type API"),
        ({"account_id": 2}, ConfigError, "no account 2"),
        ({"key_attribute": "nobodys"}, ConfigError, "no attribute nobodys"),
        ({"fields": {"orders": "order_nr"}}, ConfigError, "order_nr"),
        ({"token": "wrong-token-1"}, AuthError, "401"),
        ({"token": BOT_TOKEN}, AuthError, "401"),
        ({"url": "http://127.0.0.1:1"}, Unavailable, "reached"),
    ],
)
async def test_check_finds_what_is_wrong(
    make: Make, changed: dict[str, Any], error: type[AllearsError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await make(**changed).check()


async def test_a_locked_inbox_is_refused(make: Make, desk: Chatwoot) -> None:
    desk.inboxes[INBOX].lock_to_single_conversation = True
    with pytest.raises(ConfigError, match="single conversation"):
        await make().check()


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "app.chatwoot.com"},
        {"account_id": 0},
        {"inbox_id": "seven"},
        {"key_attribute": "allears key"},
        {"fields": {"category": "allears_key"}},
        {"values": {"priority": {"P1": "critical"}}},
        {"sercet": "x"},
    ],
)
def test_settings_refuse(changed: dict[str, Any]) -> None:
    good = {"sink": "chatwoot", "url": "https://app.chatwoot.com", "token": "t0ken-x", "account_id": 1, "inbox_id": 7}
    with pytest.raises(ValidationError) as caught:
        ChatwootSettings.model_validate({**good, **changed})
    assert "t0ken-x" not in str(caught.value)


# Back


def heard(
    sink: ChatwootSink, headers: dict[str, str], body: bytes, *, secret: str = "", late: timedelta = timedelta(0)
) -> Hearing:
    request = Request(
        method="POST",
        path="",
        query=(("secret", secret),) if secret else (),
        headers=tuple(headers.items()),
        body=body,
        remote_address="192.0.2.7",
        received_at=datetime.fromtimestamp(NOW, UTC) + late,
    )
    return sink.hear(request)


def signed(body: bytes, stamp: str = str(NOW)) -> dict[str, str]:
    signature = hmac_hex(WEBHOOK_SECRET, stamp.encode() + b"." + body)
    return {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={signature}"}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("open", TicketStatus.OPEN),
        ("pending", TicketStatus.OPEN),
        ("snoozed", TicketStatus.PENDING),
        ("resolved", TicketStatus.SOLVED),
    ],
)
async def test_a_webhook_tells_status_and_handler(make: Make, desk: Chatwoot, status: str, told: TicketStatus) -> None:
    ticket = await tell(make(), make_event())
    desk.change(1, status=status, assignee=AGENT, first_reply_created_at=float(NOW))
    (change,) = heard(make(), *desk.hook(1)).changes
    assert (change.ticket, change.status, change.store_status) == (ticket.id, told, status)
    assert (change.handler, change.answered, change.at) == ("全听", True, datetime.fromtimestamp(NOW, UTC))


async def test_nobody_handles_a_new_conversation(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    (change,) = heard(make(), *desk.hook(1, "conversation_created")).changes
    assert (change.handler, change.answered) == ("", False)


async def test_other_events_and_other_inboxes_change_nothing(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    assert heard(make(), *desk.hook(1, "message_created")) == Hearing()
    assert heard(make(inbox_id=WIDGET), *desk.hook(1)) == Hearing()


async def test_webhooks_that_are_not_chatwoots_are_refused(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    headers, body = desk.hook(1)
    assert "does not fit" in heard(make(), headers, body + b" ").refused
    assert "does not fit" in heard(make(), {**headers, "X-Chatwoot-Timestamp": str(NOW + 1)}, body).refused
    assert "Timestamp" in heard(make(), headers, body, late=timedelta(minutes=6)).refused
    assert "Timestamp" in heard(make(), signed(body, "9" * 30), body).refused
    assert "Timestamp" in heard(make(), signed(body, "soon"), body).refused
    assert "set webhook_secret" in heard(make(webhook_secret=None), headers, body).refused
    assert heard(make(), {}, body).refused
    for text in (b"", b"[]", b"null", b'{"event": "conversation_updated", "inbox_id": 7}', b"\xff"):
        assert heard(make(), signed(text), text).refused


async def test_before_chatwoot_signed_the_secret_was_in_the_address(make: Make, desk: Chatwoot) -> None:
    await tell(make(), make_event())
    _, body = desk.hook(1)
    assert heard(make(), {}, body, secret=WEBHOOK_SECRET).changes
    assert heard(make(), {}, body, secret="x").refused
    assert heard(make(), {"X-Chatwoot-Signature": "sha256=0"}, body, secret=WEBHOOK_SECRET).refused
