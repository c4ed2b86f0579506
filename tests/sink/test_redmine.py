"""The Redmine sink on a real Redmine, through a proxy that spoils what passes; and what it relies on in Redmine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing.context import MemoryFiles, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.fault_proxy import FaultProxy
from bench.servers.redmine import MAX_FILE_KB, PROJECT, Redmine
from sink.redmine import RedmineSettings, RedmineSink
from tests.conftest import missing
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

WORK = r"(POST|PUT) /issues"
KEY = ticket_key(make_event().complaint_id, "destination")


@pytest.fixture(scope="module")
def server() -> Iterator[Redmine]:
    if what := Redmine.missing():
        missing(what)
    if not Redmine.may_run():
        pytest.skip("needs root, for Debian's Redmine")
    with Redmine() as server:
        yield server


@pytest.fixture
async def redmine(server: Redmine) -> AsyncIterator[Redmine]:
    server.clear()
    yield server


@pytest.fixture
async def proxy(redmine: Redmine) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(redmine.url) as proxy:
        yield proxy


def settings(redmine: Redmine, proxy: FaultProxy, **more: Any) -> RedmineSettings:
    key, channel, category = redmine.fields
    facts = {
        "url": proxy.url,
        "api_key": redmine.api_key,
        "project": PROJECT,
        "key_field": key,
        "fields": {"channel": str(channel), "category": str(category), "received_at": "start_date"},
        **more,
    }
    return RedmineSettings.model_validate(facts)


def value_of(issue: dict[str, Any], field: int) -> str:
    return next(str(one["value"]) for one in issue["custom_fields"] if one["id"] == field)


class RedmineStore:
    @pytest.fixture(autouse=True)
    def store(self, redmine: Redmine, proxy: FaultProxy) -> None:
        self.redmine, self.proxy = redmine, proxy

    def make_sink(self, context: Context) -> RedmineSink:
        return RedmineSink(settings(self.redmine, self.proxy), context)

    async def stored(self) -> list[Stored]:
        found = []
        for issue in await self.redmine.issues():
            found.append(Stored(value_of(issue, self.redmine.fields[0]), said(issue["description"])))
            notes = [said(journal["notes"]) for journal in issue["journals"] if journal["notes"]]
            found.extend(Stored(first_mark(note), note) for note in notes)
        return found

    async def stored_files(self) -> list[tuple[str, bytes]]:
        files = [file for issue in await self.redmine.issues() for file in issue["attachments"]]
        return [(file["filename"], await self.redmine.download(file)) for file in files]


class TestRedmine(RedmineStore, SinkContract):
    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            await self.proxy.unplug()
        else:
            self.proxy.plan(fault, on=WORK)


class TestRedmineStorm(RedmineStore, Storms):
    steps, share = 12, 1 / 3

    def faults(self) -> FaultProxy:
        return self.proxy


def said(text: str) -> str:
    """Redmine ends its lines as forms do."""
    return text.replace("\r\n", "\n")


@pytest.fixture
async def context(tmp_path: Path, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, files=files)
    yield context
    await context.remote.aclose()


@pytest.fixture
def sink(redmine: Redmine, proxy: FaultProxy, context: Context) -> RedmineSink:
    return RedmineSink(settings(redmine, proxy), context)


async def nothing(note: Any) -> None:
    """Notes that nobody keeps."""


PROGRESS = Progress(note={}, save=nothing)


async def open_one(sink: RedmineSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def follow_up(sink: RedmineSink, ticket: Ticket, event: Event | None = None) -> None:
    event = event or make_event(2)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


async def change(redmine: Redmine, ticket: Ticket, **fields: Any) -> None:
    await redmine.rest("PUT", f"issues/{ticket.id}.json", json={"issue": fields})


async def test_an_issue_holds_the_record(sink: RedmineSink, redmine: Redmine) -> None:
    ticket = await open_one(sink)
    (there,) = await redmine.issues()
    assert ticket == Ticket(id=str(there["id"]), url=f"{sink.settings.url}/issues/{there['id']}")
    assert there["subject"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert (there["priority"]["name"], there["start_date"]) == ("Urgent", "2026-11-22")
    values = [value_of(there, field) for field in redmine.fields]
    assert values == [KEY, "support-mail", "product.material_defect"]


@pytest.mark.parametrize("is_public", [False, True])
async def test_notes_are_private_unless_they_are_public(
    redmine: Redmine, proxy: FaultProxy, context: Context, is_public: bool
) -> None:
    sink = RedmineSink(settings(redmine, proxy, public_notes=is_public), context)
    await follow_up(sink, await open_one(sink))
    (there,) = await redmine.issues()
    assert [journal["private_notes"] for journal in there["journals"] if journal["notes"]] == [not is_public]


async def test_a_closed_issue_is_found_and_gone(
    sink: RedmineSink, redmine: Redmine, proxy: FaultProxy, context: Context
) -> None:
    ticket = await open_one(sink)
    await change(redmine, ticket, status_id=5)
    assert await sink.find(KEY) == ticket
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    await follow_up(RedmineSink(settings(redmine, proxy, follow_closed=True), context), ticket)
    (there,) = await redmine.issues()
    assert there["status"]["is_closed"], "a note reopens nothing"


async def test_a_deleted_or_moved_issue_is_gone(sink: RedmineSink, redmine: Redmine) -> None:
    ticket = await open_one(sink)
    await redmine.rest("DELETE", f"issues/{ticket.id}.json")
    for look in (follow_up(sink, ticket), sink.find_follow_ups(ticket, [KEY])):
        with pytest.raises(TicketGone):
            await look


async def test_an_issue_that_went_where_we_see_nothing_is_gone(sink: RedmineSink, redmine: Redmine) -> None:
    ticket = await open_one(sink)
    await change(redmine, ticket, project_id=redmine.hidden_project)
    for look in (follow_up(sink, ticket), sink.find_follow_ups(ticket, [KEY])):
        with pytest.raises(TicketGone):
            await look


@pytest.mark.parametrize("trouble", [Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER])
async def test_a_broken_answer_is_doubt_and_is_found(sink: RedmineSink, proxy: FaultProxy, trouble: Mishap) -> None:
    proxy.plan(trouble, on=WORK)
    with pytest.raises(InDoubt):
        await open_one(sink)
    assert await sink.find(KEY) is not None


async def test_of_two_that_share_a_key_the_older_is_adopted(sink: RedmineSink, proxy: FaultProxy) -> None:
    proxy.plan(Mishap.TWICE, on=WORK)
    newer = await open_one(sink)
    found = await sink.find(KEY)
    assert found is not None
    assert int(found.id) < int(newer.id)


async def test_a_repetition_uploads_again(
    sink: RedmineSink, redmine: Redmine, proxy: FaultProxy, files: MemoryFiles
) -> None:
    """A token serves once: what the first attempt used up is no good for the second."""
    ticket, event = await open_one(sink), with_files(make_event(2), files)
    proxy.plan(Fault.TOO_MANY, on="PUT ")
    for _ in range(2):
        try:
            await follow_up(sink, ticket, event)
        except Exception as error:  # the first one, refused
            assert type(error).__name__ == "RetryLater"
    (there,) = await redmine.issues()
    assert [file["filename"] for file in there["attachments"]] == ["碎屏 照片.jpg", "invoice 2026.pdf"]


async def test_a_file_that_is_not_taken_is_named(sink: RedmineSink, redmine: Redmine, files: MemoryFiles) -> None:
    event = with_files(make_event(), files)
    large = files.put("大.bin", b"x" * (MAX_FILE_KB + 1) * 1024, message=event.messages[0])
    attachments = (large, *event.record.attachments)
    event = replace(event, record=replace(event.record, attachments=attachments))
    del files.contents[event.record.attachments[1].sha256]
    await open_one(sink, event)
    (there,) = await redmine.issues()
    assert [file["filename"] for file in there["attachments"]] == ["invoice 2026.pdf"]
    assert "⚠ 大.bin: " in there["description"]
    assert "⚠ 碎屏 照片.jpg: " in there["description"]


@pytest.mark.parametrize("field", [1, 98])
async def test_a_field_that_is_no_filter_adopts_no_stranger(
    redmine: Redmine, proxy: FaultProxy, context: Context, field: int
) -> None:
    """Redmine then answers with every issue there is."""
    number = redmine.fields[field] if field < len(redmine.fields) else field
    sink = RedmineSink(settings(redmine, proxy, key_field=number), context)
    await redmine.rest("POST", "issues.json", json={"issue": {"project_id": PROJECT, "subject": "another"}})
    for look in (sink.find(KEY), sink.check()):
        with pytest.raises(ConfigError, match="used as a filter"):
            await look


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"project": "nowhere"}, "no such project"),
        ({"tracker": 99}, "no tracker 99"),
        ({"values": {"priority": {"P1": 77}}}, "it has: 1, 2, 3, 4, 5"),
        ({"fields": {"channel": "99"}}, "no such field"),
        ({"api_key": "stranger"}, "rights"),
        ({"url": "/nowhere"}, "check url"),
    ],
)
async def test_settings_that_do_not_fit_are_named(
    redmine: Redmine, proxy: FaultProxy, context: Context, wrong: dict[str, Any], words: str
) -> None:
    await redmine.rest("POST", "issues.json", json={"issue": {"project_id": PROJECT, "subject": "another"}})
    made = {"url": proxy.url + "/nowhere", "api_key": redmine.stranger_key}
    wrong = {name: made.get(name, value) for name, value in wrong.items()}
    with pytest.raises(ConfigError, match=words):
        await RedmineSink(settings(redmine, proxy, **wrong), context).check()


@pytest.mark.parametrize("wrong", [{"project": "nowhere"}, {"values": {"priority": {"P2": 77}}}])
async def test_a_refusal_that_is_the_settings_fault_stops_the_destination(
    redmine: Redmine, proxy: FaultProxy, context: Context, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        await open_one(RedmineSink(settings(redmine, proxy, **wrong), context))
    assert await redmine.issues() == []


async def test_a_refusal_of_one_complaint_is_its_own(redmine: Redmine, proxy: FaultProxy, context: Context) -> None:
    sink = RedmineSink(settings(redmine, proxy, fields={"customer_name": "assigned_to_id"}), context)
    with pytest.raises(Rejected, match="422"):
        await open_one(sink)


async def test_a_role_that_cannot_keep_notes_private_is_named(
    sink: RedmineSink, redmine: Redmine, proxy: FaultProxy, context: Context
) -> None:
    clerk = RedmineSink(settings(redmine, proxy, api_key=redmine.clerk_key), context)
    with pytest.raises(ConfigError, match="set_notes_private, view_private_notes"):
        await clerk.check()
    ticket = await open_one(sink)
    with pytest.raises(ConfigError, match="view_private_notes"):
        await clerk.find_follow_ups(ticket, [event_key(KEY, make_event(2).id)])
    public = RedmineSink(settings(redmine, proxy, api_key=redmine.clerk_key, public_notes=True), context)
    await public.check()


async def test_check_says_where_and_makes_nothing(sink: RedmineSink, proxy: FaultProxy) -> None:
    identity = await sink.check()
    assert identity.account == f"allears at {proxy.url}, 投诉"
    assert identity.details == ("there is no issue yet to verify the custom fields by",)
    assert {call.method for call in proxy.calls} == {"GET"}


@pytest.mark.parametrize("target", ["Category", "١٢", "-1", "custom"])
def test_fields_are_numbers_or_native(target: str) -> None:
    good = {"url": "https://redmine.example.com", "api_key": "k", "project": "p", "key_field": 1}
    with pytest.raises(ValidationError, match="not the number of a custom field"):
        RedmineSettings.model_validate({**good, "fields": {"category": target}})


async def test_in_redmine_a_look_up_sees_every_write_at_once(redmine: Redmine) -> None:
    for number in range(10):
        fields = [{"id": redmine.fields[0], "value": f"ALE-{number}"}]
        issue = {"project_id": PROJECT, "subject": "x", "custom_fields": fields}
        await redmine.rest("POST", "issues.json", json={"issue": issue})
        found = await redmine.rest("GET", f"issues.json?cf_{redmine.fields[0]}=ALE-{number}&status_id=*")
        assert found["total_count"] == 1


async def test_in_redmine_a_token_serves_once(redmine: Redmine) -> None:
    headers = {"X-Redmine-API-Key": redmine.api_key, "Content-Type": "application/octet-stream"}
    made = await redmine.ask("POST", "/uploads.json?filename=x.txt", content=b"x", headers=headers)
    upload = {"token": made.json()["upload"]["token"], "filename": "x.txt", "content_type": "text/plain"}
    issue = {"project_id": PROJECT, "subject": "x", "uploads": [upload]}
    assert "issue" in await redmine.rest("POST", "issues.json", json={"issue": issue})
    assert await redmine.rest("POST", "issues.json", json={"issue": issue}) == {
        "errors": ["1 file(s) could not be saved."]
    }
