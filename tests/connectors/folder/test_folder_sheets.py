"""Sheets as store desks export them: headers, encodings, dates, ratings, duplicated and broken rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from allears_sdk.connector import Missing
from allears_sdk.message import Raw
from allears_sdk.testing import make_context
from connectors.folder import FolderConnector, FolderSettings
from connectors.folder.cells import read_rating, read_time

SHANGHAI = ZoneInfo("Asia/Shanghai")


async def read(
    folder: Path, name: str, content: bytes | None = None, **settings: Any
) -> tuple[list[Raw], list[Missing]]:
    inbox = folder / "in"
    inbox.mkdir(exist_ok=True)
    if content is not None:
        (inbox / name).write_bytes(content)
    chosen = FolderSettings(**{"path": inbox, "settle_file_seconds": 0, "timezone": "Asia/Shanghai", **settings})
    connector = FolderConnector(chosen, make_context("desk", folder))
    batches = [batch async for batch in connector.poll(str(inbox), None, {}, 100)]
    return [raw for batch in batches for raw in batch.raws], [one for batch in batches for one in batch.missing]


async def messages(folder: Path, name: str, content: bytes | None = None, **settings: Any) -> list[dict[str, Any]]:
    raws, missing = await read(folder, name, content, **settings)
    assert not missing
    return [json.loads(raw.body) for raw in raws if not raw.quarantine]


FULL = """序号,评价编号,姓名,手机号,订单号,商品名称,投诉内容（必填）,投诉时间,评分,门店
1,R-100,李雷,13800138000,SO20260301001,电饭煲,"用了两天就坏了，
客服不理😡",2026/3/1 14:05,1星,徐汇店
"""
EXPECTED = {
    "text": "用了两天就坏了，\n客服不理😡",
    "external_id": "R-100",
    "product": "电饭煲",
    "order": "SO20260301001",
    "author": {"id": "13800138000", "name": "李雷", "phone": "13800138000"},
    "posted_at": "2026-03-01T14:05:00+08:00",
    "rating": {"value": 1.0, "best": 5.0, "worst": 1.0},
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
async def test_a_row_becomes_a_message(tmp_path: Path, encoding: str, delimiter: str) -> None:
    content = FULL.replace(",", delimiter).encode(encoding)
    (raw,), _ = await read(tmp_path, "三月 徐汇.csv", content)
    assert json.loads(raw.body) == EXPECTED
    assert raw.key == raw.thread == "R-100"
    assert raw.context == {"file": "三月 徐汇.csv", "row": 2, "columns": {"门店": "徐汇店"}}


async def test_english_exports(tmp_path: Path) -> None:
    content = (
        "Review ID,Customer Name,Email,Stars,Comment,Created At\n"
        '77,Zoë Müller,Zoe@Example.com,2,"Café staff said ""wait"", nothing came",2026-03-01T09:30:00Z\n'
    )
    expected = {
        "text": 'Café staff said "wait", nothing came',
        "external_id": "77",
        "author": {"id": "zoe@example.com", "name": "Zoë Müller", "email": "zoe@example.com"},
        "posted_at": "2026-03-01T09:30:00Z",
        "rating": {"value": 2.0, "best": 5.0, "worst": 1.0},
    }
    for encoding in ("utf-8", "cp1252"):
        assert await messages(tmp_path, f"{encoding}.csv", content.encode(encoding)) == [expected]


async def test_an_admin_names_the_columns_that_differ(tmp_path: Path) -> None:
    content = "流水,顾客说,内容\nX-1,等了两小时,无关\n".encode()
    mapped = await messages(tmp_path, "a.csv", content, columns={"text": "顾客说", "external_id": "流水"})
    assert mapped == [{"text": "等了两小时", "external_id": "X-1"}]


async def test_titles_above_the_header_and_blank_rows_are_skipped(tmp_path: Path) -> None:
    content = "2026年3月投诉汇总,,\n,,\n姓名,内容,日期\n,,\n李雷,太慢,2026年3月5日\n , ,\n".encode()
    (raw,), _ = await read(tmp_path, "a.csv", content)
    assert json.loads(raw.body)["posted_at"] == "2026-03-05T00:00:00+08:00"
    assert raw.context["row"] == 5


async def test_rows_are_known_again_whatever_their_order_and_number(tmp_path: Path) -> None:
    first, _ = await read(tmp_path, "a.csv", "序号,姓名,内容\n1,李雷,太慢\n2,,态度差\n3,,态度差\n".encode())
    again, _ = await read(tmp_path, "b.csv", "内容,序号,姓名\n新的,1,\n态度差,2,\n太慢,3,李雷\n态度差,4,\n".encode())
    keys = [raw.key for raw in first]
    assert len(set(keys)) == 3
    assert [raw.key for raw in again][1:] == [keys[1], keys[0], keys[2]]


async def test_rows_with_an_id_are_revised_only_by_what_is_said(tmp_path: Path) -> None:
    first, _ = await read(tmp_path, "a.csv", "工单号,内容,处理状态\nT-1,太慢,待处理\n".encode())
    closed, _ = await read(tmp_path, "b.csv", "工单号,内容,处理状态\nT-1,太慢,已关闭\n".encode())
    edited, _ = await read(tmp_path, "c.csv", "工单号,内容,处理状态\nT-1,太慢了，退款,待处理\n".encode())
    assert {raw.key for raw in (*first, *closed, *edited)} == {"T-1"}
    assert first[0].digest == closed[0].digest != edited[0].digest


async def test_a_row_without_text_is_a_letter_and_a_bare_rating_is_not(tmp_path: Path) -> None:
    raws, _ = await read(tmp_path, "a.csv", "姓名,内容,评分\n李雷,,\n韩梅梅,,1\n王芳,太慢,2\n".encode())
    assert [bool(raw.quarantine) for raw in raws] == [True, False, False]
    assert "没有内容" in raws[0].quarantine
    assert json.loads(raws[1].body)["rating"]["value"] == 1


async def test_an_open_quotation_mark_is_named_and_hides_no_good_row_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.folder import sheet

    monkeypatch.setattr(sheet, "_MAX_FIELD_CHARS", 1000)
    content = '内容,姓名\n太慢,李雷\n"没关上,韩梅梅\n' + "很长的一行,王芳\n" * 200
    raws, missing = await read(tmp_path, "a.csv", content.encode())
    assert json.loads(raws[0].body)["text"] == "太慢"
    assert missing
    assert missing[0].locator["row"] == 3


async def test_what_cannot_be_read_stays_with_the_row(tmp_path: Path) -> None:
    (raw,), _ = await read(tmp_path, "a.csv", "内容,时间,评分\n太慢,上周三,还行\n".encode())
    assert json.loads(raw.body)["text"] == "太慢"
    assert raw.context["columns"] == {"时间": "上周三", "评分": "还行"}


async def test_a_workbook_with_dates_numbers_formulas_and_two_sheets(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "说明"
    first.append(["本表由门店填写"])
    second = book.create_sheet("三月")
    second.append(["投诉内容", "电话", "订单号", "时间", "评分"])
    second.append(["锅坏了", 13800138000, 20260301001.0, datetime(2026, 3, 1, 14, 5), 1])  # noqa: DTZ001 - as in a sheet
    second.append([None, None, None, None, None])
    second.append(["漏发", "=1+1", None, datetime(2026, 3, 2).date(), "★★☆☆☆"])  # noqa: DTZ001 - as in a sheet
    third = book.create_sheet("April")
    third.append(["Comment", "Name"])
    third.append(["Late again", "Li"])
    (tmp_path / "in").mkdir()
    book.save(tmp_path / "in" / "门店.xlsx")
    raws, missing = await read(tmp_path, "门店.xlsx")
    assert not missing
    found = [json.loads(raw.body) for raw in raws]
    assert [one["text"] for one in found] == ["锅坏了", "漏发", "Late again"]
    assert found[0]["author"] == {"id": "13800138000", "phone": "13800138000"}
    assert found[0]["order"] == "20260301001"
    assert found[0]["posted_at"] == "2026-03-01T14:05:00+08:00"
    assert found[1]["posted_at"] == "2026-03-02T00:00:00+08:00"
    assert found[1]["rating"]["value"] == 2
    assert [raw.context["sheet"] for raw in raws] == ["三月", "三月", "April"]
    assert [raw.context["row"] for raw in raws] == [2, 4, 2]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-03-01", "2026-03-01T00:00:00+08:00"),
        ("2026/3/1 9:05", "2026-03-01T09:05:00+08:00"),
        ("2026.03.01 09:05:07", "2026-03-01T09:05:07+08:00"),
        ("2026年3月1日9时5分", "2026-03-01T09:05:00+08:00"),
        ("２０２６－０３－０１ ０９：０５", "2026-03-01T09:05:00+08:00"),
        ("2026-03-01T09:05:07.25Z", "2026-03-01T09:05:07.250000+00:00"),
        ("2026-03-01T09:05:07+09:00", "2026-03-01T09:05:07+09:00"),
        (datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T09:00:00+00:00"),
        ("03/04/2026", None),
        ("2026-13-01", None),
        ("昨天", None),
        ("", None),
        (45356.5, None),
        (None, None),
    ],
)
def test_times(cell: Any, expected: str | None) -> None:
    found = read_time(cell, SHANGHAI)
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize(
    ("cell", "best", "expected"),
    [
        ("4", 5, (4, 5, 1)),
        (4.5, 5, (4.5, 5, 1)),
        ("1星", 5, (1, 5, 1)),
        ("3 stars", 5, (3, 5, 1)),
        ("★★☆☆☆", 5, (2, 5, 1)),
        ("⭐", 5, (1, 5, 1)),
        ("8/10", 5, (8, 10, 1)),
        ("差评", 5, (1, 5, 1)),
        ("好评", 10, (10, 10, 1)),
        ("0", 10, (0, 10, 0)),
        ("7", 5, None),
        ("一般", 5, None),
        ("", 5, None),
        (None, 5, None),
    ],
)
def test_ratings(cell: Any, best: float, expected: tuple[float, float, float] | None) -> None:
    found = read_rating(cell, best)
    assert (tuple(found[name] for name in ("value", "best", "worst")) if found else None) == expected
