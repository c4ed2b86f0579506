"""Exports of platforms without an API: whatever their columns are called, each review is heard once, with its edits."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import openpyxl
import pytest
from pydantic import ValidationError

from allears_sdk.connector import Batch, Cursor, Threading
from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.folder import FolderConnector, FolderSettings
from connectors.folder.mapping import NAMES, load
from connectors.folder.settings import ColumnField

STORES = ("xiaomi", "oppo", "vivo", "honor", "yingyongbao", "app_reviews")
SOCIAL = ("xiaohongshu", "douyin", "kuaishou", "bilibili", "comments")
CHINESE = (
    "评论ID",
    "用户昵称",
    "评分",
    "评论内容",
    "评论时间",
    "应用名称",
    "应用版本",
    "机型",
    "点赞数",
    "回复内容",
    "回复时间",
)
ENGLISH = (
    *("Comment ID", "Nickname", "Score", "Review content", "Review time", "App name", "App version", "Device"),
    *("Likes", "Developer reply", "Reply time"),
)
FIRST = (
    *(
        "A-1001",
        "山里的风",
        "1",
        "更新后一打开就闪退，要求退会员费😡",
        "2026/11/20 09:05",
        "示例商城",
        "4.2.1",
        "示例手机",
    ),
    *("7", "您好，请更新到 4.2.2。", "2026-11-20 18:00:00"),
)
SECOND = ("A-1002", "Zoë", "5星", "Great app", "2026-11-21 10:00", "示例商城", "4.2.1", "示例手机", "0", "未回复", "")
REVIEW = {
    "text": "更新后一打开就闪退，要求退会员费😡",
    "external_id": "A-1001",
    "author": {"name": "山里的风"},
    "posted_at": "2026-11-20T09:05:00+08:00",
    "rating": {"value": 1.0, "best": 5.0, "worst": 1.0},
    "product": "示例商城 4.2.1",
    "visibility": "public",
}
ANSWER = {
    "text": "您好，请更新到 4.2.2。",
    "external_id": "answer:A-1001",
    "thread": ["A-1001"],
    "author": {"role": "company"},
    "posted_at": "2026-11-20T18:00:00+08:00",
    "visibility": "public",
}


class Desk:
    """A watched folder, and a journal that remembers what came out of it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.inbox = folder / "in"
        self.inbox.mkdir(exist_ok=True)
        self.journal = MiniJournal()
        self.settings = {"path": self.inbox, "settle_file_seconds": 0, "mapping": "xiaomi", **settings}
        self.context = make_context("reviews", folder, clock=FakeClock(), known=self.journal.known)
        self.count = 0

    def connector(self, **settings: Any) -> FolderConnector:
        return FolderConnector(FolderSettings(**{**self.settings, **settings}), self.context)

    async def drop(self, content: bytes, suffix: str = ".csv") -> list[Raw]:
        """The raws that are new."""
        before = len(self.journal.raws)
        self.count += 1
        (self.inbox / f"导出 {self.count}{suffix}").write_bytes(content)
        await hear(self.connector(), self.journal)
        assert not list(self.inbox.glob("*.*"))
        return self.journal.raws[before:]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def csv(*rows: Sequence[str], header: Sequence[str] = CHINESE) -> str:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (header, *rows)]
    return "\r\n".join(quoted) + "\r\n"


def xlsx(*rows: Sequence[Any], header: Sequence[str] = CHINESE) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["2026 年 11 月 评论导出"], header, *rows):
        book.active.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def bodies(raws: Sequence[Raw]) -> list[dict[str, Any]]:
    return [json.loads(raw.body) for raw in raws]


@pytest.mark.parametrize("header", [CHINESE, ENGLISH], ids=["zh", "en"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
async def test_an_export_is_read_exactly(desk: Desk, header: Sequence[str], encoding: str) -> None:
    raws = await desk.drop(csv(FIRST, SECOND, header=header).encode(encoding))
    review, answer, praise = bodies(raws)
    assert (review, answer) == (REVIEW, ANSWER)
    assert (praise["external_id"], praise["rating"]["value"]) == ("A-1002", 5.0)
    assert [raw.key for raw in raws] == ["A-1001", "answer:A-1001", "A-1002"]
    assert raws[0].context["columns"] == {header[7]: "示例手机", header[8]: "7"}


@pytest.mark.parametrize("name", STORES)
async def test_every_store_s_is_read_so(tmp_path: Path, name: str) -> None:
    assert bodies(await Desk(tmp_path, mapping=name).drop(csv(FIRST).encode())) == [REVIEW, ANSWER]


async def test_a_workbook_says_the_same_and_is_not_heard_twice(desk: Desk) -> None:
    assert len(await desk.drop(csv(FIRST, SECOND).encode())) == 3
    timed = [*FIRST[:4], datetime(2026, 11, 20, 9, 5), *FIRST[5:]]  # noqa: DTZ001 - a cell has no zone
    timed[2] = 1
    assert await desk.drop(xlsx(timed, SECOND), ".xlsx") == []


@pytest.mark.parametrize("name", SOCIAL)
async def test_comments_of_a_social_platform(tmp_path: Path, name: str) -> None:
    header = ("评论ID", "用户昵称", "用户ID", "评论内容", "评论时间", "笔记标题", "点赞数", "作者回复", "笔记链接")
    row = (
        "c1",
        "momo",
        "u9",
        "买了就坏，客服不理人",
        "2026-11-20 09:05:01",
        "新品开箱",
        "3",
        "",
        "https://example.com/n/1",
    )
    (raw,) = await Desk(tmp_path, mapping=name).drop(csv(row, header=header).encode())
    assert bodies([raw]) == [
        {
            "text": "买了就坏，客服不理人",
            "external_id": "c1",
            "author": {"id": "u9", "name": "momo"},
            "posted_at": "2026-11-20T09:05:01+08:00",
            "product": "新品开箱",
            "permalink": "https://example.com/n/1",
            "visibility": "public",
        }
    ]


async def test_an_edit_is_a_revision_and_what_is_volatile_is_none(desk: Desk) -> None:
    await desk.drop(csv(FIRST).encode())
    changed = list(FIRST)
    changed[8], changed[6], changed[7] = "99", "4.2.2", "另一部手机"
    assert await desk.drop(csv(changed).encode()) == []
    changed[2] = "5"
    (better,) = await desk.drop(csv(changed).encode())
    (worse,) = await desk.drop(csv(FIRST).encode())
    assert {better.key, worse.key} == {"A-1001"}
    changed[2], changed[9] = "1", "已为您退款。"
    (answer,) = await desk.drop(csv(changed).encode())
    assert (answer.key, json.loads(answer.body)["text"]) == ("answer:A-1001", "已为您退款。")


async def test_without_ids_rows_are_known_by_what_was_said(desk: Desk) -> None:
    header, first, second = CHINESE[1:], FIRST[1:], ("vivo用户", *FIRST[2:])
    raws = await desk.drop(csv(first, second, second, header=header).encode())
    assert len({raw.key for raw in raws}) == len(raws) == 6
    assert all(raw.key.startswith(("sha256:", "answer:sha256:")) for raw in raws)
    assert json.loads(raws[1].body)["thread"] == [raws[0].key]
    answered = [*second[:8], "好的，已退款", "2026-11-22"]
    assert [raw.key for raw in await desk.drop(csv(first, answered, second, header=header).encode())] == [raws[3].key]
    shuffled = [4, 3, 2, 1, 0, 5, 6, 7, 8, 9]
    rows = [[row[place] for place in shuffled] for row in (first, answered, second)]
    assert await desk.drop(csv(*rows, header=[header[place] for place in shuffled]).encode("gb18030")) == []


@pytest.mark.parametrize("damaged", ["7.30123E+18", "730123456789012000", 7301234567890123456.0])
async def test_ids_that_a_spreadsheet_has_rounded_are_no_ids(desk: Desk, damaged: Any) -> None:
    rows = [[damaged, *FIRST[1:9], "", ""], [damaged, *SECOND[1:]]]
    raws = await desk.drop(xlsx(*rows), ".xlsx")
    assert len({raw.key for raw in raws}) == len(raws) == 2
    assert all("external_id" not in body for body in bodies(raws))
    assert await desk.drop(xlsx(*rows), ".xlsx") == []


@pytest.mark.parametrize("guarded", ["'7301234567890123456", '="7301234567890123456"', "\t7301234567890123456"])
async def test_ids_that_are_guarded_against_it_are_bare(desk: Desk, guarded: str) -> None:
    (raw, _) = await desk.drop(csv([guarded, *FIRST[1:]]).encode())
    assert raw.key == "7301234567890123456"


@pytest.mark.parametrize("nothing", ["", " ", "-", "无", "未回复", "已回复", "N/A", "0"])
async def test_what_is_no_answer(desk: Desk, nothing: str) -> None:
    assert len(await desk.drop(csv([*FIRST[:9], nothing, ""]).encode())) == 1


async def test_older_ones_are_known_with_a_look_back_and_an_edit_is_heard(tmp_path: Path) -> None:
    desk = Desk(tmp_path, look_back=timedelta(days=30))
    old = ["A-900", *FIRST[1:4], f"{START - timedelta(days=60):%Y-%m-%d %H:%M}", *FIRST[5:]]
    raws = await desk.drop(csv(old, SECOND).encode())
    assert [(raw.key, raw.baseline) for raw in raws] == [("A-900", True), ("answer:A-900", True), ("A-1002", False)]
    old[3] = "还是闪退"
    assert [(raw.key, raw.baseline) for raw in await desk.drop(csv(old).encode())] == [("A-900", False)]


async def test_the_app_is_named_by_the_settings_where_no_column_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path, product="示例商家版")
    header, row = (*CHINESE[:5], *CHINESE[7:]), (*FIRST[:5], *FIRST[7:])
    review, _ = bodies(await desk.drop(csv(row, header=header).encode()))
    assert review["product"] == "示例商家版"
    (named, *_) = bodies(await desk.drop(csv(["A-2", *FIRST[1:]]).encode()))
    assert named["product"] == "示例商城 4.2.1"


async def test_columns_and_zone_of_the_settings_win(tmp_path: Path) -> None:
    desk = Desk(tmp_path, columns={"external_id": "机型", "reply": "备注"}, timezone="UTC")
    review, answer = bodies(await desk.drop(csv(FIRST, header=(*CHINESE[:9], "备注", "回复时间")).encode()))
    assert (review["external_id"], review["posted_at"]) == ("示例手机", "2026-11-20T09:05:00Z")
    assert answer["text"] == FIRST[9]


@pytest.mark.parametrize(
    "row",
    [
        ("", "", "", "", "", "", "", "", "", "只有回复", ""),
        ("A-7", "x", "6", "", "不是日期", "", "", "", "", "", ""),
        ("A-8", "x" * 70_000, "-1", "", "9999999999", "", "", "", "", "", ""),
    ],
)
async def test_a_row_that_says_nothing_is_kept_and_stops_no_other(desk: Desk, row: Sequence[str]) -> None:
    raws = await desk.drop(csv(row, FIRST).encode())
    assert raws[0].quarantine
    assert [raw.key for raw in raws if not raw.quarantine][-2:] == ["A-1001", "answer:A-1001"]
    assert await desk.drop(csv(row, FIRST).encode()) == []


async def test_a_sheet_is_read_anew_when_the_mapping_changes_within_it(desk: Desk) -> None:
    rows = [[f"B-{number}", *FIRST[1:]] for number in range(9)]
    (desk.inbox / "导出.csv").write_text(csv(*rows), "utf-8")
    first = await _first_batch(desk.connector(), None, 4)
    desk.journal.accept("s", first)
    for mapping, key in (("oppo", "B-0"), ("", "B-0"), ("xiaomi", "B-2")):
        again = await _first_batch(desk.connector(mapping=mapping), first.cursor, 1)
        assert again.raws[0].key == key


async def _first_batch(connector: FolderConnector, cursor: Cursor | None, limit: int) -> Batch:
    batches = connector.poll("s", cursor, {}, limit)
    try:
        return await anext(aiter(batches))
    finally:
        await batches.aclose()  # type: ignore[attr-defined] # it is an async generator


async def test_a_channel_of_reviews_has_a_spec_of_its_own(desk: Desk) -> None:
    reviews, desks = desk.connector().own_spec, desk.connector(mapping="").own_spec
    assert (reviews.threading, reviews.public) == (Threading.ITEM, True)
    assert desks == replace(reviews, threading=Threading.MAIL, public=False)
    assert "sheets of Xiaomi GetApps reviews" in (await desk.connector().check()).details


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_is_whole(name: str) -> None:
    export = load(name)
    assert export.title_en
    assert export.title_zh
    assert all(header.strip() for headers in export.aliases.values() for header in headers)
    assert {"text", "external_id", "posted_at", "reply", "replied_at", "name"} <= export.aliases.keys()
    assert export.aliases.keys() <= set(get_args(ColumnField))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"mapping": "xiomi"}, "xiaomi"),
        ({"mapping": "../x"}, "no mapping"),
        ({"columns": {"reply": "回复"}}, "app_reviews"),
    ],
)
def test_settings_that_cannot_work(fault: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FolderSettings(**fault)


class TestReviews(ConnectorContract):
    """The promises hold for exports too; half of the rows have an answer, which says nothing of its own here."""

    @pytest.fixture(autouse=True)
    def source(self, tmp_path: Path) -> None:
        self.inbox = tmp_path / "inbox"
        self.inbox.mkdir()
        self.count = 0

    def make_connector(self, context: Context) -> FolderConnector:
        settings = FolderSettings(path=self.inbox, settle_file_seconds=0, mapping="vivo", max_file_bytes=4096)
        return FolderConnector(settings, context)

    def _drop(self, row: Sequence[str]) -> None:
        self.count += 1
        (self.inbox / f"评论 {self.count}.csv").write_text(csv(row), "utf-8")

    async def put(self, text: str) -> None:
        self._drop((f"V-{self.count}", *FIRST[1:3], text, *FIRST[4:9], "", ""))

    async def put_malformed(self) -> None:
        self._drop(("V-bad", "x", "", "", "", "", "", "", "", "", ""))

    async def put_oversize(self) -> None:
        (self.inbox / "评论.xlsx").write_bytes(b"x" * 5000)

    async def rate(self, stars: int) -> None:
        self._drop(("V-1", "x", str(stars), *FIRST[3:9], "", ""))
