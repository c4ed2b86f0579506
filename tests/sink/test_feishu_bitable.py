"""Records in a Bitable: the contract suite on the simulated one, and what is Feishu's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Rejected, RetryLater, TicketGone, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryFiles
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.feishu_bitable import APP_ID, APP_SECRET, APP_TOKEN, FOLLOW_UPS, TABLE, Bitable
from sink.feishu_bitable import FeishuBitableSettings, FeishuBitableSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

Make = Callable[..., FeishuBitableSink]
KEY = ticket_key(make_event().complaint_id, "destination")


def settings(desk: Bitable, **more: Any) -> FeishuBitableSettings:
    return FeishuBitableSettings.model_validate(
        {
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "url": desk.url,
            "app_token": APP_TOKEN,
            "table_id": TABLE,
            "follow_ups": {"table_id": FOLLOW_UPS, "link_column": "投诉"},
            "web_url": "https://acme.feishu.cn/base/bascn",
            **more,
        }
    )


class BitableStore:
    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[None]:
        self.store = Bitable(lambda: clock.now().timestamp())
        self.store.lag_seconds = 60
        await self.store.start()
        yield
        await self.store.stop()

    def make_sink(self, context: Context) -> FeishuBitableSink:
        return FeishuBitableSink(settings(self.store), context)

    async def stored(self) -> list[Stored]:
        openings = [Stored(one.fields["allears"], one.fields["问题描述"]) for one in self.store.created]
        notes = [(one.fields["跟进内容"]) for one in self.store.comments]
        return openings + [Stored(first_mark(text), text) for text in notes]

    async def stored_files(self) -> list[tuple[str, bytes]]:
        rows = [*self.store.created, *self.store.comments]
        return [self.store.media[one["file_token"]] for row in rows for one in row.fields.get("附件", [])]

    async def fail_next(self, fault: Fault) -> None:
        await self.store.fail_next(fault)


class TestFeishuBitable(BitableStore, SinkContract):
    pass


class TestFeishuBitableStorm(BitableStore, Storms):
    def faults(self) -> Bitable:
        return self.store


@pytest.fixture
async def desk() -> AsyncIterator[Bitable]:
    desk = Bitable()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def make(desk: Bitable, tmp_path: Path, files: MemoryFiles) -> AsyncIterator[Make]:
    context = make_context("destination", tmp_path, files=files)
    yield lambda **more: FeishuBitableSink(settings(desk, **more), context)
    await context.remote.aclose()


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


async def open_it(sink: FeishuBitableSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def follow_up(sink: FeishuBitableSink, ticket: Ticket, event: Event) -> None:
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


MAPPING = {
    "id": "投诉编号",
    "channel": "投诉渠道",
    "priority": "紧急程度",
    "expectation": "客户期望",
    "received_at": "投诉时间",
    "customer_name": "客户",
    "phone": "电话",
    "category": "问题分类",
}


async def test_each_value_has_the_form_of_its_column(make: Make, desk: Bitable) -> None:
    values = {"priority": {"P2": "高"}, "expectation": {"refund": "退款"}}
    ticket = await open_it(make(fields=MAPPING, values=values))
    (record,) = desk.created
    assert ticket.url == f"https://acme.feishu.cn/base/bascn?table={TABLE}&record={record.id}"
    event = make_event()
    assert record.fields["标题"].startswith(f"[{event.complaint_id}] 屏幕碎了😡")
    assert record.fields["投诉编号"] == event.complaint_id
    assert record.fields["allears"] == KEY
    assert record.fields["紧急程度"] == "高"
    assert record.fields["客户期望"] == ["退款"]
    assert record.fields["投诉时间"] == int(event.record.received_at.timestamp() * 1000)
    assert record.fields["电话"] == "13800138000"


async def test_what_is_empty_is_left_out(make: Make, desk: Bitable) -> None:
    event = make_event()
    bare = replace(event, record=replace(event.record, priority="", expectation=(), category=""))
    await open_it(make(fields=MAPPING), bare)
    assert {"紧急程度", "客户期望", "问题分类"}.isdisjoint(desk.created[0].fields)


async def test_a_follow_up_is_a_record_beside_the_complaint_and_changes_nothing_in_it(
    make: Make, desk: Bitable
) -> None:
    sink = make(fields=MAPPING)
    ticket = await open_it(sink)
    before = dict(desk.created[0].fields)
    await follow_up(sink, ticket, make_event(2))
    (note,) = desk.comments
    assert note.fields["投诉"] == [ticket.id]
    assert note.fields["allears"] == KEY
    assert desk.created[0].fields == before


async def test_the_same_key_makes_one_record_also_where_the_look_up_lags(make: Make, desk: Bitable) -> None:
    desk.lag_seconds = 3600
    desk.plan(Fault.LOSE_ANSWER)
    sink = make()
    with pytest.raises(InDoubt):
        await open_it(sink)
    assert await sink.find(KEY) is None
    await open_it(sink)
    assert len(desk.created) == 1


@pytest.mark.parametrize("trouble", [Mishap.CUT_BEFORE, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Fault.LATE])
async def test_a_broken_answer_is_doubt(make: Make, desk: Bitable, trouble: Fault | Mishap) -> None:
    desk.plan(trouble)
    with pytest.raises(InDoubt):
        await open_it(make())


@pytest.mark.parametrize("trouble", list(Mishap))
async def test_an_upload_that_breaks_makes_no_doubt(
    make: Make, desk: Bitable, files: MemoryFiles, trouble: Mishap
) -> None:
    desk.plan(trouble, on="POST /open-apis/drive")
    sink, event = make(), with_files(make_event(), files)
    with suppress(Unavailable, RetryLater):
        await open_it(sink, event)
    await open_it(sink, event)
    assert sorted(desk.media[one["file_token"]][0] for one in desk.created[0].fields["附件"]) == [
        "invoice 2026.pdf",
        "碎屏 照片.jpg",
    ]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (1254290, RetryLater),
        (1254291, RetryLater),
        (1254036, RetryLater),
        (1254607, InDoubt),
        (1254608, InDoubt),
        (1255001, InDoubt),
        (1255040, InDoubt),
        (1254040, ConfigError),
        (1254041, ConfigError),
        (1254045, ConfigError),
        (1254103, ConfigError),
        (1254302, ConfigError),
        (1254062, Rejected),
        (1254130, Rejected),
    ],
)
async def test_what_codes_ask_for(make: Make, desk: Bitable, code: int, error: type[Exception]) -> None:
    desk.next_codes = [code]
    with pytest.raises(error):
        await open_it(make())


async def test_a_token_that_ended_is_renewed(make: Make, desk: Bitable) -> None:
    sink = make()
    await open_it(sink)
    desk.expire_tokens()
    await open_it(sink, make_event(who="mail-18"))
    assert len(desk.created) == 1, "the same key: the same record"


async def test_a_record_that_was_deleted_is_gone_and_no_note_is_written(make: Make, desk: Bitable) -> None:
    sink = make()
    ticket = await open_it(sink)
    desk.delete(ticket.id)
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket, make_event(2))
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, ["x"])
    assert not desk.comments


async def test_records_of_others_are_not_adopted(make: Make, desk: Bitable) -> None:
    """Were the filter ignored, all records would come back: the key is compared."""
    sink = make()
    await open_it(sink)
    desk.created[0].fields["allears"] = "ALE-7K3M-Q9TX-4RWD-OTHERS"
    assert await sink.find(KEY) is None


async def test_a_file_that_is_refused_keeps_no_complaint_from_being_filed(
    make: Make, desk: Bitable, files: MemoryFiles
) -> None:
    event = with_files(make_event(), files)
    files.contents.pop(event.record.attachments[0].sha256)
    await open_it(make(), event)
    fields = desk.created[0].fields
    assert len(fields["附件"]) == 1
    assert "⚠ 碎屏 照片.jpg" in fields["问题描述"]
    assert fields["问题描述"].endswith("]"), "the marks close the text"


async def test_files_are_linked_without_a_column(make: Make, desk: Bitable, files: MemoryFiles) -> None:
    await open_it(make(files={"mode": "link"}), with_files(make_event(), files))
    assert "https://allears.example.com/files/" in desk.created[0].fields["问题描述"]
    assert not desk.media


async def test_check_says_where_records_go(make: Make) -> None:
    assert (await make(fields=MAPPING).check()).account == f"客诉台账 / {TABLE}"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"fields": {"id": "编号"}}, "编号"),
        ({"fields": {"id": "附件"}}, "cannot write"),
        ({"key_column": "投诉渠道"}, "投诉渠道"),
        ({"text_column": "描述"}, "问题描述"),
        ({"files_column": "标题"}, "attachment"),
        ({"app_token": "another"}, "app_token"),
        ({"table_id": "tblAnother"}, "table_id"),
        ({"follow_ups": {"table_id": FOLLOW_UPS, "text_column": "内容"}}, "内容"),
        ({"follow_ups": {"table_id": FOLLOW_UPS, "link_column": "附件"}}, "link column"),
    ],
)
async def test_check_finds_what_the_mapping_lacks(make: Make, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await make(**more).check()


async def test_check_says_that_the_app_is_no_collaborator(make: Make, desk: Bitable) -> None:
    desk.is_collaborator = False
    with pytest.raises(ConfigError, match="Add document app"):
        await make().check()


@pytest.mark.parametrize(
    "bad", [{"app_id": "abc"}, {"url": "http://open.feishu.cn"}, {"table_id": "x"}, {"fields": {"nobody": "标题"}}]
)
async def test_settings_refuse(desk: Bitable, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(desk, **bad)
