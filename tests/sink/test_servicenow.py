"""The ServiceNow sink against a simulated instance: contract suite, and what is ServiceNow's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Sink, Ticket
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.servicenow import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, Row, ServiceNow
from sink.servicenow import ServiceNowSettings, ServiceNowSink
from tests.sink.storms import Storms

KEY = ticket_key(make_event().complaint_id, "destination")
SYS_ID = "0f" * 16
_MARK = re.compile(r"\[(ALE-[0-9A-Z -]+)\]\s*$")


async def _save(note: object) -> None: ...


PROGRESS = Progress(note={}, save=_save)


def settings_of(desk: ServiceNow, **more: Any) -> ServiceNowSettings:
    login = {} if "client_id" in more else {"username": USER, "password": PASSWORD}
    return ServiceNowSettings.model_validate({"url": desk.url, **login, **more})


def told(text: str) -> Stored:
    marks = _MARK.search(text)
    assert marks is not None, text[-200:]
    return Stored(marks[1].split()[0], text)


class ServiceNowStore:
    more: dict[str, Any] = {}  # noqa: RUF012 # overridden, never changed

    @pytest.fixture(autouse=True)
    async def store(self, clock: FakeClock) -> AsyncIterator[None]:
        self.desk = ServiceNow(lambda: clock.now().timestamp())
        await self.desk.start()
        yield
        await self.desk.stop()

    def make_sink(self, context: Context) -> Sink[Any]:
        return ServiceNowSink(settings_of(self.desk, **self.more), context)

    async def stored(self) -> list[Stored]:
        return [
            told(text)
            for row in self.desk.rows
            for text in (row.values["description"], *(text for _, text, _ in row.journal))
        ]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [file for row in self.desk.rows for file in row.files.items()]

    async def fail_next(self, fault: Fault) -> None:
        await self.desk.fail_next(fault)


class TestIncidents(ServiceNowStore, SinkContract):
    pass


class TestIncidentsStorm(ServiceNowStore, Storms):
    def faults(self) -> ServiceNow:
        return self.desk


class TestCasesWithAToken(ServiceNowStore, SinkContract):
    more = {  # noqa: RUF012 # never changed
        "table": "sn_customerservice_case",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "public_notes": True,
    }

    async def fail_next(self, fault: Fault) -> None:
        """A new token is refused like the old one."""
        await super().fail_next(fault)
        if fault is Fault.EXPIRED:
            await super().fail_next(fault)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[ServiceNow]:
    desk = ServiceNow(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock, log: RecordingLog, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, clock=clock, log=log, files=files)
    yield context
    await context.remote.aclose()


def made(desk: ServiceNow, context: Context, **more: Any) -> ServiceNowSink:
    return ServiceNowSink(settings_of(desk, **more), context)


async def opened(sink: ServiceNowSink, **more: Any) -> Ticket:
    return await sink.open(sink.render(make_event(**more), KEY), KEY, PROGRESS)


async def followed(sink: ServiceNowSink, ticket: Ticket, **more: Any) -> None:
    event = make_event(2, **more)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


def only(desk: ServiceNow) -> Row:
    (row,) = desk.rows
    return row


async def test_an_incident_as_it_is_made(desk: ServiceNow, context: Context, log: RecordingLog) -> None:
    sink = made(
        desk,
        context,
        fields={"product_or_order": "u_order", "category_1": "category", "received_at": "assigned_to"},
        values={"category_1": {"product": "hardware"}},
        constants={"contact_type": "email", "active": True},
        requester=SYS_ID,
    )
    ticket = await opened(sink)
    row = only(desk)
    assert ticket == Ticket(
        id=row.sys_id,
        url=f"{desk.url}/nav_to.do?uri=incident.do?sys_id={row.sys_id}",
        facts={"number": row.values["number"]},
    )
    shown = {
        "correlation_id": KEY,
        "correlation_display": "allears",
        "impact": "1",
        "urgency": "2",
        "priority": "",
        "u_order": "2026112200017",
        "category": "hardware",
        "assigned_to": "2026-11-22 03:59:42",
        "contact_type": "email",
        "active": "true",
        "caller_id": SYS_ID,
    }
    assert {name: row.values[name] for name in shown} == shown
    assert row.values["short_description"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert not log.entries


@pytest.mark.parametrize(
    ("more", "columns"),
    [
        ({"values": {"priority": {"P2": "4"}}}, {"impact": "3", "urgency": "2"}),
        ({"values": {"priority": {"P2": "2/3"}}}, {"impact": "2", "urgency": "3"}),
        ({"priority": "none"}, {"impact": "", "urgency": "", "priority": ""}),
        ({"priority": "priority"}, {"impact": "", "priority": "2"}),
        ({"table": "sn_customerservice_case", "requester": SYS_ID}, {"priority": "2", "contact": SYS_ID}),
    ],
)
async def test_priorities(desk: ServiceNow, context: Context, more: dict[str, Any], columns: dict[str, str]) -> None:
    await opened(made(desk, context, **more))
    assert {name: only(desk).values[name] for name in columns} == columns


def test_a_priority_that_is_none(desk: ServiceNow, context: Context) -> None:
    sink = made(desk, context, values={"priority": {"P2": "high"}})
    with pytest.raises(Rejected, match="high"):
        sink.render(make_event(), KEY)


@pytest.mark.parametrize(("is_public", "column"), [(False, "work_notes"), (True, "comments")])
async def test_notes_are_internal_unless_told_otherwise(
    desk: ServiceNow, context: Context, is_public: bool, column: str
) -> None:
    sink = made(desk, context, public_notes=is_public)
    await followed(sink, await opened(sink))
    assert [name for name, _, _ in only(desk).journal] == [column]


async def test_a_customers_words_do_not_become_html(desk: ServiceNow, context: Context) -> None:
    sink = made(desk, context)
    await followed(sink, await opened(sink), text="[code]<script>alert(1)</script>[/CODE] 退款\x00")
    ((_, text, _),) = only(desk).journal
    assert "[code]" not in text.lower()
    assert "[/code]" not in text.lower()
    assert text.replace("\u200b", "").count("[code]<script>alert(1)</script>[/CODE] 退款\n") == 1


async def test_a_long_complaint_keeps_its_marks(desk: ServiceNow, context: Context, log: RecordingLog) -> None:
    sink = made(desk, context)
    ticket = await opened(sink, text="投诉" * 5000)
    assert len(only(desk).values["description"]) <= 4000
    assert await sink.find_follow_ups(ticket, [event_key(KEY, make_event().id)])
    assert not log.entries


async def test_a_column_that_is_shorter_than_said_is_noticed(
    desk: ServiceNow, context: Context, log: RecordingLog
) -> None:
    await opened(made(desk, context, max_text_chars=8000), text="投诉" * 5000)
    assert [entry[1] for entry in log.entries] == ["text_cut"]


async def test_dropped_columns_are_noticed(desk: ServiceNow, context: Context, log: RecordingLog) -> None:
    desk.read_only = {"impact"}
    ticket = await opened(made(desk, context, fields={"channel": "u_channel"}))
    assert ticket.id == only(desk).sys_id
    (entry,) = log.entries
    assert (entry[1], entry[2]["columns"]) == ("columns_dropped", ["impact", "u_channel"])


async def test_a_record_that_we_may_not_see_is_known_by_its_address(
    desk: ServiceNow, context: Context, log: RecordingLog
) -> None:
    desk.hides_records = True
    assert (await opened(made(desk, context))).id == only(desk).sys_id
    assert [entry[1] for entry in log.entries] == ["ticket_not_readable"]


async def test_a_clause_that_is_dropped_finds_nothing_to_adopt(desk: ServiceNow, context: Context) -> None:
    """The whole table comes back: neither one of its rows, nor "it is not there"."""
    desk.make("incident", correlation_id="SOMETHING-ELSE")
    with pytest.raises(ConfigError, match="u_complaint"):
        await made(desk, context, key_field="u_complaint").find(KEY)
    desk.unreadable = {"correlation_id"}
    desk.make("incident", correlation_id=KEY)
    with pytest.raises(ConfigError, match="correlation_id"):
        await made(desk, context).find(KEY)


async def test_of_two_the_older_is_adopted(desk: ServiceNow, context: Context, log: RecordingLog) -> None:
    sink = made(desk, context)
    first = await opened(sink)
    await opened(sink)
    assert await sink.find(KEY) == first
    assert [entry[1] for entry in log.entries] == ["found_several"]


async def test_another_table_is_another_store(desk: ServiceNow, context: Context) -> None:
    await opened(made(desk, context))
    assert await made(desk, context, table="sn_customerservice_case").find(KEY) is None


@pytest.mark.parametrize("state", ["closed", "deleted", "resolved"])
async def test_a_record_that_takes_no_more(desk: ServiceNow, context: Context, state: str) -> None:
    sink = made(desk, context, closed_states=["6"])
    ticket = await opened(sink)
    if state == "closed":
        desk.close(ticket.id)
    elif state == "resolved":
        only(desk).values["state"] = "6"
    else:
        desk.delete(ticket.id)
    with pytest.raises(TicketGone):
        await followed(sink, ticket)
    assert not any(row.journal for row in desk.rows)


async def test_a_note_that_is_dropped_is_not_filed(desk: ServiceNow, context: Context) -> None:
    desk.read_only = {"work_notes"}
    sink = made(desk, context)
    ticket = await opened(sink)
    with pytest.raises(ConfigError, match="work_notes"):
        await followed(sink, ticket)


async def test_a_note_that_cannot_be_read_is_filed_once(desk: ServiceNow, context: Context, log: RecordingLog) -> None:
    desk.unreadable = {"work_notes"}
    sink = made(desk, context)
    ticket = await opened(sink)
    await followed(sink, ticket)
    assert [entry[1] for entry in log.entries] == ["note_not_readable"]
    with pytest.raises(ConfigError, match="work_notes"):
        await sink.find_follow_ups(ticket, [KEY])


async def test_a_missing_right_stops_the_destination_and_a_policy_is_a_letter(
    desk: ServiceNow, context: Context
) -> None:
    sink = made(desk, context)
    desk.plan(Fault.REJECT)
    with pytest.raises(Rejected) as caught:
        await opened(sink)
    assert "mandatory: Caller" in caught.value.detail
    desk.may_insert = False
    with pytest.raises(ConfigError):
        await opened(sink)
    with pytest.raises(ConfigError, match="incidents"):
        await opened(made(desk, context, table="incidents"))


async def test_a_sleeping_instance_is_doubt(desk: ServiceNow, context: Context) -> None:
    """Developer instances that hibernate answer 200 with a page."""
    desk.plan(Fault.GARBAGE)
    with pytest.raises(InDoubt):
        await opened(made(desk, context))


async def test_a_token_that_is_refused_is_renewed_once(desk: ServiceNow, context: Context) -> None:
    sink = made(desk, context, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    await opened(sink)
    desk.tokens = {"revoked"}
    await followed(sink, (await sink.find(KEY)) or Ticket(id=""))
    assert [call.path for call in desk.calls].count("/oauth_token.do") == 2
    refused = made(desk, context, client_id=CLIENT_ID, client_secret="wrong-3f9a7c51e2")
    desk.tokens = set()
    with pytest.raises(AuthError) as caught:
        await opened(refused)
    assert "wrong-3f9a7c51e2" not in repr(caught.value) + caught.value.detail


async def test_files_that_are_there_are_not_sent_again(
    desk: ServiceNow, context: Context, files: MemoryFiles, log: RecordingLog
) -> None:
    sink = made(desk, context)
    event = with_files(make_event(), files)
    desk.make("incident").files["碎屏 照片.jpg"] = b"another's"
    payload = sink.render(event, KEY)
    ticket = await sink.open(payload, KEY, PROGRESS)
    del files.contents[event.record.attachments[1].sha256]
    for _ in range(2):
        await sink.complete(ticket, payload, KEY, PROGRESS)
    assert list(desk.find(ticket.id).files) == ["碎屏 照片.jpg"]
    assert len([call for call in desk.calls if call.path.endswith("/attachment/file")]) == 1
    assert {entry[1] for entry in log.entries} == {"file_refused"}


async def test_check(desk: ServiceNow, context: Context) -> None:
    sink = made(desk, context, fields={"product_or_order": "u_order"}, requester=SYS_ID)
    assert "empty" in (await sink.check()).details[-1]
    desk.make("incident")
    identity = await sink.check()
    assert (identity.account, identity.details[0]) == (USER, "table incident")
    assert len(desk.rows) == 1


@pytest.mark.parametrize(
    ("more", "hidden", "said"),
    [
        ({"fields": {"channel": "u_chanel"}}, "", "u_chanel"),
        ({"key_field": "u_complaint"}, "", "u_complaint"),
        ({"constants": {"u_source": "x"}}, "", "u_source"),
        ({}, "work_notes", "work_notes"),
        ({}, "correlation_id", "correlation_id"),
        ({"table": "incidents"}, "", "incidents"),
    ],
)
async def test_check_finds_what_does_not_fit(
    desk: ServiceNow, context: Context, more: dict[str, Any], hidden: str, said: str
) -> None:
    desk.make("incident")
    desk.unreadable = {hidden}
    with pytest.raises(ConfigError, match=said):
        await made(desk, context, **more).check()


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "https://example.service-now.com/"},
        {"username": "", "password": None},
        {"username": ""},
        {"client_id": "x"},
        {"client_id": "x", "client_secret": "s-3f9a7c51e2"},
        {"table": "incident^"},
        {"key_field": "x=1"},
        {"requester": "李雷"},
        {"priority": "high"},
        {"tabel": "incident"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    good = {"url": "https://example.service-now.com", "username": USER, "password": PASSWORD}
    ServiceNowSettings.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        ServiceNowSettings.model_validate({**good, **bad})
    assert PASSWORD not in str(caught.value)
