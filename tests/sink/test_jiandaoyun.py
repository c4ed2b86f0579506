"""Data in 简道云: the contract suite on the simulated one, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryFiles
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.jiandaoyun import API_KEY, APP, FOLLOW_UPS, FORM, TRANSACTION_SECONDS, Jiandaoyun
from sink.jiandaoyun import JiandaoyunSettings, JiandaoyunSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

Make = Callable[..., JiandaoyunSink]
KEY = ticket_key(make_event().complaint_id, "destination")
NOTES = {"entry_id": FOLLOW_UPS, "key_field": "allears_key", "text_field": "_widget_2", "files_field": "_widget_3"}


def settings(desk: Jiandaoyun, **more: Any) -> JiandaoyunSettings:
    return JiandaoyunSettings.model_validate(
        {
            "api_key": API_KEY,
            "app_id": APP,
            "entry_id": FORM,
            "key_field": "allears_key",
            "title_field": "_widget_2",
            "text_field": "_widget_3",
            "files_field": "_widget_9",
            "follow_ups": NOTES,
            "url": f"{desk.url}/api/v5",
            **more,
        }
    )


class JiandaoyunStore:
    automations = False

    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[None]:
        self.store = Jiandaoyun(lambda: clock.now().timestamp())
        self.store.lag_seconds = 60
        await self.store.start()
        yield
        await self.store.stop()

    def make_sink(self, context: Context) -> JiandaoyunSink:
        return JiandaoyunSink(settings(self.store, automations=self.automations), context)

    async def stored(self) -> list[Stored]:
        openings = [Stored(one["allears_key"], one["_widget_3"]) for one in self.store.created]
        notes = [str(one["_widget_2"]) for one in self.store.comments]
        return openings + [Stored(first_mark(text), text) for text in notes]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        files = [file for one in self.store.created for file in one.get("_widget_9", [])]
        files += [file for one in self.store.comments for file in one.get("_widget_3", [])]
        return [(file["name"], self.store.files[file["name"]]) for file in files]

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.GONE:
            self.store.forms[FORM].data.clear()
        else:
            await self.store.fail_next(fault)


class TestJiandaoyun(JiandaoyunStore, SinkContract):
    pass


class TestJiandaoyunOneByOne(TestJiandaoyun):
    automations = True


class TestJiandaoyunStorm(JiandaoyunStore, Storms):
    def faults(self) -> Jiandaoyun:
        return self.store


class TestJiandaoyunOneByOneStorm(TestJiandaoyunStorm):
    automations = True


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Jiandaoyun]:
    desk = Jiandaoyun(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def make(desk: Jiandaoyun, clock: FakeClock, tmp_path: Path, files: MemoryFiles) -> AsyncIterator[Make]:
    context = make_context("destination", tmp_path, clock=clock, files=files)
    yield lambda **more: JiandaoyunSink(settings(desk, **more), context)
    await context.remote.aclose()


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


async def open_it(sink: JiandaoyunSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def follow_up(sink: JiandaoyunSink, ticket: Ticket, event: Event) -> None:
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


MAPPING = {
    "id": "_widget_1",
    "channel": "_widget_4",
    "priority": "_widget_5",
    "received_at": "_widget_6",
    "expectation": "_widget_7",
    "phone": "_widget_8",
}


async def test_each_value_has_the_form_of_its_field(make: Make, desk: Jiandaoyun) -> None:
    values = {"priority": {"P2": "高"}, "expectation": {"refund": "退款"}}
    await open_it(make(fields=MAPPING, values=values))
    (row,) = desk.created
    assert row["_widget_2"].startswith(f"[{row['_widget_1']}] 屏幕碎了😡")
    assert row["_widget_4"] == "support-mail"
    assert row["_widget_5"] == "高"
    assert row["_widget_6"] == "2026-11-22T03:59:42.000Z"
    assert row["_widget_7"] == ["退款"]
    assert row["_widget_8"] == {"phone": "13800138000"}
    assert row["allears_key"] == KEY


async def test_what_is_empty_is_left_out(make: Make, desk: Jiandaoyun) -> None:
    event = make_event()
    await open_it(make(fields=MAPPING), replace(event, record=replace(event.record, priority="", expectation=())))
    assert {"_widget_5", "_widget_7"}.isdisjoint(desk.created[0])


async def test_a_follow_up_is_an_entry_beside_the_complaint_and_changes_nothing_in_it(
    make: Make, desk: Jiandaoyun
) -> None:
    sink = make()
    ticket = await open_it(sink)
    before = dict(desk.created[0])
    await follow_up(sink, ticket, make_event(2))
    assert [note["allears_key"] for note in desk.comments] == [KEY]
    assert desk.created == [before]


async def test_the_same_key_makes_one_entry_within_the_hour_also_where_the_look_up_lags(
    make: Make, desk: Jiandaoyun, clock: FakeClock
) -> None:
    desk.lag_seconds = 3 * TRANSACTION_SECONDS
    desk.plan(Fault.LOSE_ANSWER)
    sink = make()
    with pytest.raises(InDoubt):
        await open_it(sink)
    assert await sink.find(KEY) is None
    await open_it(sink)
    assert len(desk.created) == 1


async def test_automations_are_started_only_where_that_was_asked_for(make: Make, desk: Jiandaoyun) -> None:
    await open_it(make())
    assert not desk.started
    ticket = await open_it(make(automations=True), make_event(who="mail-18"))
    assert desk.started == [ticket.id]


@pytest.mark.parametrize("trouble", [Mishap.CUT_BEFORE, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Fault.LATE])
@pytest.mark.parametrize("automations", [False, True])
async def test_a_broken_answer_is_doubt(
    make: Make, desk: Jiandaoyun, trouble: Fault | Mishap, automations: bool
) -> None:
    desk.plan(trouble)
    with pytest.raises(InDoubt):
        await open_it(make(automations=automations))


@pytest.mark.parametrize("trouble", [Mishap.CUT_BEFORE, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Mishap.TWICE])
async def test_an_upload_that_breaks_makes_nothing_and_is_no_doubt(
    make: Make, desk: Jiandaoyun, files: MemoryFiles, trouble: Mishap
) -> None:
    desk.plan(trouble, on="POST /upload")
    sink, event = make(), with_files(make_event(), files)
    with pytest.raises(RetryLater):
        await open_it(sink, event)
    assert not desk.created
    await open_it(sink, event)
    assert sorted(file["name"] for file in desk.created[0]["_widget_9"]) == ["invoice 2026.pdf", "碎屏 照片.jpg"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (8303, RetryLater),
        (8304, RetryLater),
        (4012, RetryLater),
        (9004, InDoubt),
        (17026, InDoubt),
        (17018, AuthError),
        (8301, AuthError),
        (17052, ConfigError),
        (17053, ConfigError),
        (7212, ConfigError),
        (3000, ConfigError),
        (4000, Rejected),
        (4402, Rejected),
        (1, Rejected),
    ],
)
async def test_what_codes_ask_for(make: Make, desk: Jiandaoyun, code: int, error: type[Exception]) -> None:
    sink = make(files={"mode": "link"})
    await open_it(sink, make_event(who="mail-18"))
    desk.next_codes = [code]
    with pytest.raises(error) as caught:
        await open_it(sink)
    assert str(code) in str(caught.value)


async def test_data_that_were_deleted_are_gone_and_no_note_is_written(make: Make, desk: Jiandaoyun) -> None:
    sink = make()
    ticket = await open_it(sink)
    desk.forms[FORM].data.clear()
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket, make_event(2))
    assert not desk.comments


async def test_a_filter_that_is_ignored_adopts_nothing_and_is_told_to_the_admin(make: Make, desk: Jiandaoyun) -> None:
    for number in range(3):
        await open_it(make(), make_event(who=f"mail-{number}"))
    desk.forms[FORM].widgets["allears_key"] = ("allears 编号", "textarea")
    for row in desk.created:
        row["allears_key"] = "ALE-7K3M-Q9TX-4RWD-OTHERS"
    assert await make().find(KEY) is None
    form = desk.forms[FORM]
    for number in range(120):
        id_ = f"f{number:023x}"
        form.data[id_] = {"_id": id_, "allears_key": "another"}
        form.written_at[id_] = 0.0
    with pytest.raises(ConfigError, match="单行文本"):
        await make().find(KEY)


async def test_many_follow_ups_are_read_page_by_page(make: Make, desk: Jiandaoyun) -> None:
    sink = make(requests_per_minute=3000)
    ticket = await open_it(sink)
    form = desk.forms[FOLLOW_UPS]
    for number in range(250):
        id_ = f"{number + 100:024x}"
        form.data[id_] = {"_id": id_, "allears_key": KEY, "_widget_2": f"text\n\n[{KEY}-{number:010X}]"}
        form.written_at[id_] = 0.0
    marks = [f"{KEY}-{number:010X}" for number in (0, 249, 250)]
    assert await sink.find_follow_ups(ticket, marks) == set(marks[:2])


async def test_check_says_where_data_go(make: Make) -> None:
    assert (await make(fields=MAPPING).check()).account == f"{APP} / {FORM}"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"fields": {"id": "_widget_99"}}, "_widget_99"),
        ({"fields": {"id": "_widget_9"}}, "_widget_9"),
        ({"key_field": "_widget_3"}, "_widget_3"),
        ({"text_field": "_widget_2"}, "_widget_2"),
        ({"files_field": ""}, "files.mode"),
        ({"entry_id": "0" * 24}, "entry_id"),
        ({"app_id": "0" * 24}, "app_id"),
        ({"follow_ups": {**NOTES, "text_field": "_widget_1"}}, "_widget_1"),
        ({"follow_ups": {**NOTES, "ticket_field": "_widget_1"}}, "lookup"),
    ],
)
async def test_check_finds_what_the_mapping_lacks(make: Make, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await make(**more).check()


@pytest.mark.parametrize("bad", [{"app_id": "abc"}, {"url": "http://api.jiandaoyun.com"}, {"entry_id": "../x"}])
async def test_settings_refuse(desk: Jiandaoyun, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(desk, **bad)
