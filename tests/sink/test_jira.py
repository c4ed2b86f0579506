"""The Jira sink against a simulated Jira: contract suite, and what is Jira's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, TicketGone, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Sink, Ticket
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.jira import Jira
from bench.servers.jira_site import EMAIL, TOKEN, Issue, plain
from sink.jira import JiraSettings, JiraSink
from tests.sink.storms import Storms

KEY = ticket_key(make_event().complaint_id, "destination")
HOURS = 3600.0
_MARK = re.compile(r"\[(ALE-[0-9A-Z -]+)\]\s*$")


async def _save(note: object) -> None: ...


PROGRESS = Progress(note={}, save=_save)


def settings_of(desk: Jira, **more: Any) -> JiraSettings:
    login = {"email": EMAIL} if desk.is_cloud else {"deployment": "data_center"}
    return JiraSettings.model_validate({"url": desk.url, "token": TOKEN, "project": "CMP", **login, **more})


def unmarked(text: str) -> str:
    """Data Center's markup as people read it."""
    return re.sub(r"\\([^\w\s])", r"\1", text).replace("&#92;", "\\")


def told(text: str) -> tuple[str, str]:
    """The operation's key and the words."""
    marks = _MARK.search(text)
    assert marks is not None, text[-200:]
    return marks[1].split()[0], text


class JiraStore:
    desk: Jira
    more: dict[str, Any] = {}  # noqa: RUF012 # overridden, never changed

    def make_desk(self, clock: FakeClock) -> Jira:
        return Jira(lambda: clock.now().timestamp())

    @pytest.fixture(autouse=True)
    async def store(self, clock: FakeClock) -> AsyncIterator[None]:
        self.desk = self.make_desk(clock)
        await self.desk.start()
        yield
        await self.desk.stop()

    def make_sink(self, context: Context) -> Sink[Any]:
        return JiraSink(settings_of(self.desk, **self.more), context)

    async def stored(self) -> list[Stored]:
        texts = [
            plain(one)
            for issue in self.desk.site.issues.values()
            for one in (issue.fields["description"], *(comment.body for comment in issue.comments))
        ]
        return [Stored(*told(text if self.desk.is_cloud else unmarked(text))) for text in texts]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [file for issue in self.desk.site.issues.values() for file in issue.files.items()]

    async def fail_next(self, fault: Fault) -> None:
        await self.desk.fail_next(fault)


class JiraContract(JiraStore, SinkContract):
    async def pass_lag(self, clock: FakeClock) -> None:
        clock.advance(300)


class TestJiraCloud(JiraContract):
    pass


class TestJiraCloudWithAnIndexThatLagsForHours(JiraContract):
    def make_desk(self, clock: FakeClock) -> Jira:
        desk = super().make_desk(clock)
        desk.lag_seconds = 12 * HOURS
        return desk


class TestJiraServiceManagement(JiraContract):
    more = {"service_desk": "4", "request_type": "25"}  # noqa: RUF012 # never changed


class TestJiraServiceManagementWithALaggingIndex(JiraContract):
    more = {"service_desk": "4", "request_type": "25"}  # noqa: RUF012 # never changed

    def make_desk(self, clock: FakeClock) -> Jira:
        desk = super().make_desk(clock)
        desk.lag_seconds = 12 * HOURS
        return desk


class TestJiraDataCenter(JiraContract):
    def make_desk(self, clock: FakeClock) -> Jira:
        return Jira(lambda: clock.now().timestamp(), is_cloud=False)


class TestJiraStorm(JiraStore, Storms):
    """With an index that lags for as long as Jira has been seen to."""

    def make_desk(self, clock: FakeClock) -> Jira:
        desk = super().make_desk(clock)
        desk.lag_seconds = 12 * HOURS
        return desk

    def faults(self) -> Jira:
        return self.desk


class TestJiraServiceManagementStorm(TestJiraStorm):
    more = {"service_desk": "4", "request_type": "25"}  # noqa: RUF012 # never changed


class TestJiraDataCenterStorm(JiraStore, Storms):
    def make_desk(self, clock: FakeClock) -> Jira:
        return Jira(lambda: clock.now().timestamp(), is_cloud=False)

    def faults(self) -> Jira:
        return self.desk


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Jira]:
    desk = Jira(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def data_center(clock: FakeClock) -> AsyncIterator[Jira]:
    desk = Jira(lambda: clock.now().timestamp(), is_cloud=False)
    await desk.start()
    yield desk
    await desk.stop()


class Maker:
    """Sinks that share a context; what they said is in `log`."""

    def __init__(self, context: Context, log: RecordingLog) -> None:
        self.context = context
        self.log = log

    def __call__(self, desk: Jira, **more: Any) -> JiraSink:
        return JiraSink(settings_of(desk, **more), self.context)


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
async def make(tmp_path: Path, clock: FakeClock, files: MemoryFiles) -> AsyncIterator[Maker]:
    log = RecordingLog()
    context = make_context("destination", tmp_path, clock=clock, log=log, files=files)
    yield Maker(context, log)
    await context.remote.aclose()


async def opened(sink: JiraSink, **more: Any) -> Ticket:
    return await sink.open(sink.render(make_event(**more), KEY), KEY, PROGRESS)


async def followed(sink: JiraSink, ticket: Ticket, sequence: int = 2) -> None:
    event = make_event(sequence)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


def only(desk: Jira) -> Issue:
    (issue,) = desk.site.issues.values()
    return issue


async def test_an_issue_as_it_is_made(desk: Jira, make: Maker) -> None:
    sink = make(
        desk,
        fields={"category_1": "customfield_10050", "product_or_order": "customfield_10051", "tags": "labels"},
        field_forms={"customfield_10050": "option"},
        values={"category_1": {"product": "产品质量", "*": "其他 Other"}, "priority": {"P2": "Highest"}},
        constants={"labels": ["投诉"]},
    )
    ticket = await opened(sink)
    fields = only(desk).fields
    assert ticket == Ticket(id=only(desk).id, url=f"{desk.url}/browse/CMP-1", facts={"key": "CMP-1"})
    assert fields["summary"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert fields["customfield_10050"] == {"value": "产品质量"}
    assert fields["customfield_10051"] == "2026112200017"
    assert fields["priority"] == {"name": "Highest"}
    assert fields["labels"] == ["投诉", KEY.lower()]
    assert only(desk).properties == {"allears": {"key": KEY, "complaint": make_event().complaint_id}}


async def test_a_request_as_it_is_made(desk: Jira, make: Maker) -> None:
    sink = make(desk, service_desk="4", request_type="25", raise_on_behalf_of="557058:customer")
    ticket = await opened(sink)
    assert "labels" not in desk.calls[-1].body.decode()
    await sink.complete(ticket, sink.render(make_event(), KEY), KEY, PROGRESS)
    assert only(desk).fields["labels"] == [KEY.lower()]
    assert only(desk).fields["reporter"] == {"accountId": "557058:customer"}
    assert plain(only(desk).fields["description"]).startswith(make_event().record.description)


async def test_a_label_that_cannot_be_set_holds_nothing_up(desk: Jira, make: Maker, files: MemoryFiles) -> None:
    sink = make(desk, service_desk="4", request_type="25")
    payload = sink.render(with_files(make_event(), files), KEY)
    ticket = await sink.open(payload, KEY, PROGRESS)
    desk.plan(Fault.REJECT)
    await sink.complete(ticket, payload, KEY, PROGRESS)
    assert len(only(desk).files) == 2
    assert [entry[1] for entry in make.log.entries] == ["label_not_set"]
    assert await sink.find(KEY) is not None


@pytest.mark.parametrize("is_public", [False, True])
async def test_a_comment_is_hidden_from_the_customer_unless_told_otherwise(
    desk: Jira, make: Maker, is_public: bool
) -> None:
    sink = make(desk, service_desk="4", request_type="25", public_notes=is_public)
    await followed(sink, await opened(sink))
    assert [comment.is_public for comment in only(desk).comments] == [is_public]
    assert not make.log.entries


@pytest.mark.parametrize("lag", [0.0, 12 * HOURS])
async def test_a_late_creation_is_found_among_gaps_and_others(
    desk: Jira, make: Maker, clock: FakeClock, lag: float
) -> None:
    """The request of a dead process arrives after the first look; meanwhile others go on, and some fail half-way."""
    desk.lag_seconds = lag
    for _ in range(150):
        desk.site.make("CMP", summary="another's")
    clock.advance(20 * HOURS)
    sink = make(desk)
    desk.plan(Fault.LATE)
    with pytest.raises(InDoubt):
        await opened(sink)
    assert await sink.find(KEY) is None
    desk.site.skip("CMP", 120)
    await desk.land()
    desk.site.skip("CMP", 60)
    desk.site.make("CMP", summary="another's")
    ticket = await sink.find(KEY)
    assert ticket is not None
    assert ticket.id == next(one.id for one in desk.site.issues.values() if one.properties)


async def test_a_moved_issue_is_found_by_its_former_number(desk: Jira, make: Maker) -> None:
    desk.lag_seconds = 12 * HOURS
    sink = make(desk)
    ticket = await opened(sink)
    desk.site.move("CMP-1", "OPS")
    found = await sink.find(KEY)
    assert found is not None
    assert (found.id, found.facts) == (ticket.id, {"key": "OPS-1"})
    await followed(sink, ticket)
    assert len(only(desk).comments) == 1


async def test_an_old_issue_is_found_by_the_index_alone(desk: Jira, make: Maker, clock: FakeClock) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    for _ in range(300):
        desk.site.make("CMP", summary="x")
    clock.advance(72 * HOURS)
    desk.calls.clear()
    found = await sink.find(KEY)
    assert found is not None
    assert found.id == ticket.id
    assert not [call for call in desk.calls if call.path.endswith("bulkfetch")]


async def test_the_walk_ends_at_yesterday(desk: Jira, make: Maker, clock: FakeClock) -> None:
    for _ in range(1000):
        desk.site.make("CMP", summary="x")
    clock.advance(30 * HOURS)
    assert await make(desk).find(KEY) is None
    assert len([call for call in desk.calls if call.path.endswith("bulkfetch")]) == 3


async def test_more_than_can_be_looked_at_stays_in_doubt(desk: Jira, make: Maker) -> None:
    desk.site.last_numbers["CMP"] = 10_000
    desk.site.make("CMP", summary="x")
    with pytest.raises(InDoubt, match="too many"):
        await make(desk).find(KEY)


async def test_labels_of_others_are_not_believed(desk: Jira, make: Maker) -> None:
    """A search that answers with anything finds nothing; two with the key give the older."""
    desk.site.make("CMP", summary=f"[{make_event().complaint_id}] somebody's copy", description="text")
    sink = make(desk)
    assert await sink.find(KEY) is None
    for _ in range(2):
        await opened(sink)
    found = await sink.find(KEY)
    assert found is not None
    assert found.facts == {"key": "CMP-2"}
    assert [entry[1] for entry in make.log.entries] == ["found_several"]


async def test_who_may_not_browse_does_not_take_nothing_for_an_answer(desk: Jira, make: Maker) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    desk.site.permissions.discard("BROWSE_PROJECTS")
    for call in (sink.find(KEY), followed(sink, ticket), sink.find_follow_ups(ticket, [KEY])):
        with pytest.raises(ConfigError):
            await call


@pytest.mark.parametrize("permission", ["ADD_COMMENTS", "BROWSE_PROJECTS"])
async def test_an_account_that_may_not_comment(desk: Jira, make: Maker, permission: str) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    desk.site.permissions.discard(permission)
    with pytest.raises(ConfigError, match=f"{permission}|may not see it"):
        await followed(sink, ticket)


async def test_an_archived_issue_takes_no_more(desk: Jira, make: Maker) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    only(desk).is_archived = True
    with pytest.raises(TicketGone):
        await followed(sink, ticket)


async def test_a_deleted_issue_is_gone(desk: Jira, make: Maker) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    desk.site.delete("CMP-1")
    with pytest.raises(TicketGone):
        await followed(sink, ticket)
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, [KEY])


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"project": "NONE"}, ConfigError),
        ({"issue_type": "Beschwerde"}, ConfigError),
        ({"constants": {"customfield_99999": "x"}}, ConfigError),
        ({"fields": {"category": "customfield_10050"}, "field_forms": {"customfield_10050": "option"}}, Rejected),
        ({"fields": {"title": "customfield_10052"}}, InDoubt),
    ],
)
async def test_what_a_refused_creation_comes_to(
    desk: Jira, make: Maker, more: dict[str, Any], error: type[Exception]
) -> None:
    """A value that this complaint alone has is a letter; what every complaint would meet stops the destination."""
    sink = make(desk, **more)
    if error is InDoubt:
        desk.plan(Mishap.BROKEN_AFTER)
    with pytest.raises(error) as caught:
        await opened(sink)
    assert type(caught.value) is error
    assert TOKEN not in repr(caught.value)


async def test_an_account_that_may_not_create(desk: Jira, make: Maker) -> None:
    sink = make(desk, service_desk="4", request_type="25")
    desk.site.permissions.discard("CREATE_ISSUES")
    with pytest.raises(ConfigError, match="CREATE_ISSUES"):
        await opened(sink)


async def test_a_page_of_comments_does_not_hide_the_next(desk: Jira, make: Maker) -> None:
    sink = make(desk)
    ticket = await opened(sink)
    await followed(sink, ticket)
    for number in range(250):
        desk.site.comment(only(desk), f"{number}", is_public=True)
    mark = event_key(KEY, make_event(2).id)
    assert await sink.find_follow_ups(ticket, [mark, f"{KEY}-0000000000"]) == {mark}


async def test_files_that_are_there_are_not_sent_again(desk: Jira, make: Maker, files: MemoryFiles) -> None:
    sink = make(desk)
    event = with_files(make_event(), files)
    payload = sink.render(event, KEY)
    ticket = await sink.open(payload, KEY, PROGRESS)
    del files.contents[event.record.attachments[1].sha256]
    for _ in range(2):
        await sink.complete(ticket, payload, KEY, PROGRESS)
    assert list(only(desk).files) == ["碎屏 照片.jpg"]
    assert len([call for call in desk.calls if call.path.endswith("/attachments")]) == 1
    assert {entry[1] for entry in make.log.entries} == {"file_refused"}


async def test_hostile_words_stay_words(desk: Jira, data_center: Jira, make: Maker) -> None:
    hostile = "{code}[~admin] !https://evil.example/x.png! |a|b|\n* one\n- two\nh1. big\n\x00\x0b\\\\ {noformat}"
    for there in (desk, data_center):
        await opened(make(there), text=hostile)
    text = only(desk).text
    assert text.startswith(hostile.replace("\x00\x0b", ""))
    marked = only(data_center).fields["description"]
    assert marked.startswith(r"\{code\}\[\~admin\] \!https://evil.example/x.png\! \|a\|b\|")
    assert "\n\\h1. big\n&#92;&#92; \\{noformat\\}" in marked
    assert only(data_center).properties


async def test_a_login_that_wants_a_person(desk: Jira, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = desk.refusal

    def captcha(status: int, request: Any) -> Any:
        response = refusal(403, request)
        response.headers["X-Seraph-LoginReason"] = "AUTHENTICATION_DENIED"
        return response

    monkeypatch.setattr(desk, "refusal", captcha)
    desk.plan(Fault.EXPIRED)
    with pytest.raises(AuthError, match="CAPTCHA"):
        await opened(make(desk))


async def test_issues_that_cannot_be_read_now_are_not_absent(
    desk: Jira, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.plan(Mishap.BROKEN_AFTER, Mishap.BROKEN_AFTER, Mishap.BROKEN_AFTER, on="POST .*/bulkfetch")
    with pytest.raises(Unavailable):
        await make(desk).find(KEY)


async def test_check_says_who_and_where(desk: Jira, data_center: Jira, make: Maker) -> None:
    for there, more, where in (
        (desk, {}, "CMP, Task"),
        (desk, {"service_desk": "4", "request_type": "25"}, "CMP, request type 25"),
        (data_center, {}, "CMP, Task"),
    ):
        before = len(there.site.issues)
        identity = await make(there, **more).check()
        assert (identity.account, identity.details[0]) == ("allears", where)
        assert len(there.site.issues) == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"fields": {"category": "customfield_1005"}}, 'did you mean "customfield_1005'),
        ({"fields": {"category": "customfield_10050"}}, 'field_forms.customfield_10050 = "option"'),
        ({"fields": {"description": "customfield_10052"}}, 'field_forms.customfield_10052 = "document"'),
        (
            {
                "fields": {"category": "customfield_10050"},
                "field_forms": {"customfield_10050": "option"},
                "values": {"category": {"other": "Sonstiges"}},
            },
            "Sonstiges",
        ),
        ({"values": {"priority": {"P1": "P1"}}}, "Highest"),
        ({"issue_type": "Beschwerde"}, "Task"),
        ({"constants": {"components": []}}, "components"),
        ({"project": "NONE"}, "NONE"),
        ({"service_desk": "4", "request_type": "25", "project": "OPS"}, "CMP"),
        ({"files": {"max_mb": 1024}}, None),
    ],
)
async def test_check_finds_what_does_not_fit(desk: Jira, make: Maker, more: dict[str, Any], said: str | None) -> None:
    desk.site.upload_limit = 60 << 20
    with pytest.raises(ConfigError, match=said and re.escape(said)):
        await make(desk, **more).check()


@pytest.mark.parametrize("name", ["labels", "priority"])
async def test_check_knows_what_the_screen_lacks(desk: Jira, make: Maker, name: str) -> None:
    del desk.site.screen[name]
    with pytest.raises(ConfigError, match=name):
        await make(desk).check()
    sink = make(desk, **{"label" if name == "labels" else name: False})
    await sink.check()
    await opened(sink)
    assert await sink.find(KEY) is not None


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "ftp://example.com"},
        {"url": "https://example.atlassian.net/"},
        {"project": "cmp"},
        {"service_desk": "4"},
        {"request_type": "25"},
        {"raise_on_behalf_of": "557058:x"},
        {"email": ""},
        {"field_forms": {"customfield_1": "select"}},
        {"statuses": {"Done": "gone"}},
        {"tokn": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    good = {"url": "https://example.atlassian.net", "token": TOKEN, "project": "CMP", "email": EMAIL}
    JiraSettings.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        JiraSettings.model_validate({**good, **bad})
    assert TOKEN not in str(caught.value)
