from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.message import Rating
from allears_sdk.sink import Sending, Sink, Ticket, marks_of
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.records import WORDS, make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from sink.csv import CsvSettings, CsvSink
from tests.sink.sheets import Rows, send, send_all, sending, whole

Make = Callable[..., CsvSink]


def read(path: Path, delimiter: str = ",") -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


class TestCsv(SinkContract):
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "out" / "投诉.csv"

    def make_sink(self, context: Context) -> Sink[Any]:
        return CsvSink(CsvSettings(sink="csv", path=self.path, language="en"), context)

    async def stored(self) -> list[Stored]:
        rows = read(self.path)
        keys = [row["Key"] for row in rows if row["Key"]]
        return [Stored(key, text) for key, text in zip(keys, whole(rows, "Said now"), strict=True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "complaints.csv"


@pytest.fixture
async def make(path: Path, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[CsvSink] = []

    def one(**settings: Any) -> CsvSink:
        given = CsvSettings(sink="csv", **{"path": path, "language": "en", **settings})
        made.append(CsvSink(given, make_context("sheet", tmp_path, clock=clock)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


def changed(event: Event, **fields: Any) -> Event:
    return replace(event, record=replace(event.record, **fields))


async def test_a_row_has_the_templates_fields_under_chinese_headings(make: Make, path: Path) -> None:
    sink = make(language="zh", timezone="Asia/Shanghai")
    await sink.start()
    await send_all(sink, make_event())
    assert path.read_bytes().startswith(b"\xef\xbb\xbf\xe9\x94\xae,"), "Excel needs the mark to know UTF-8"
    assert path.stat().st_mode & 0o777 == 0o600
    (row,) = read(path)
    assert row["键"] == sending(sink, make_event()).key
    assert (row["事件"], row["事件时间"], row["投诉时间"]) == ("新投诉", "2026-11-22 12:00:42", "2026-11-22 11:59:42")
    assert (row["客户标识"], row["渠道"], row["紧急程度"]) == ("lilei@mail.example.cn", "support-mail", "P2")
    assert (row["问题描述"], row["本次内容"], row["附件"]) == (WORDS, WORDS, "碎屏 照片.jpg")


async def test_a_follow_up_is_a_row_of_its_own(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send_all(sink, make_event(), make_event(2, text="还没有人联系我！\r\nStill “no” answer,\nat all"))
    first, second = read(path)
    assert (first["Event"], second["Event"]) == ("opened", "followed up")
    assert second["Said now"] == "还没有人联系我！\nStill “no” answer,\nat all"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+86 138", "-2", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\t=1", "\n=1", "＝1＋1", "＠x", "\r=1"],
)
async def test_words_are_never_a_formula(make: Make, path: Path, text: str) -> None:
    sink = make()
    await sink.start()
    await send_all(sink, changed(make_event(text=text), title=text, customer_id=text, product_or_order=text))
    (row,) = read(path)
    clean = text.replace("\r", "\n")
    for heading in ("Title", "Customer ID", "Product or order", "Description", "Said now"):
        assert row[heading] == f"'{clean}", f"{heading} is run as a formula"


async def test_programs_may_have_words_as_they_are(make: Make, path: Path) -> None:
    sink = make(guard_formulas=False, fields={"phone": "phone", "rating": "rating"})
    await sink.start()
    event = make_event()
    contact = replace(event.record.contact, phone="+8613800138000")
    await send_all(sink, changed(event, contact=contact, rating=Rating(value=-1.5)))
    (row,) = read(path)
    assert (row["phone"], row["rating"]) == ("+8613800138000", "-1.5")


async def test_columns_and_values_of_the_admins_choice_in_their_order(make: Make, path: Path) -> None:
    settings = {
        "fields": {"priority": "级别", "phone": "电话", "tags": "标签", "customer_level": "等级"},
        "values": {"priority": {"P1": "特急", "*": "一般"}, "tags": {"vip": "贵宾"}},
        "delimiter": ";",
    }
    sink = make(**settings)
    await sink.start()
    await send_all(sink, changed(make_event(), tags=("vip", "退款")))
    (row,) = read(path, ";")
    assert list(row) == ["Key", "Message keys", "Event", "Event time", "级别", "电话", "标签", "等级", "Said now"]
    assert (row["级别"], row["电话"], row["标签"], row["等级"]) == ("一般", "13800138000", "贵宾, 退款", "")


async def test_long_text_goes_on_below_and_nothing_is_lost(make: Make, path: Path) -> None:
    text = "投诉😡" * 30_000
    sink = make()
    await sink.start()
    await send_all(sink, make_event(text=text), make_event(who="mail-18"))
    rows = read(path)
    assert max(len(cell.encode("utf-16-le")) // 2 for row in rows for cell in row.values()) <= 32_000
    assert whole(rows, "Description") == [text, WORDS]
    assert {row["Event"] for row in rows if not row["Key"]} == {"(continued)"}


async def test_half_an_event_of_several_rows_is_set_aside_whole(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    long = make_event(text="长" * 100_000)
    await send_all(sink, make_event(who="mail-18"), long)
    await sink.stop()
    content = path.read_bytes()
    path.write_bytes(content[:-40_000])
    sink = make()
    await sink.start()
    assert await sink.find(sending(sink, long).key) is None
    assert len(read(path)) == 1
    await send_all(sink, long)
    assert path.read_bytes() == content


async def test_keys_and_marks_are_found_after_a_restart_and_in_rotated_files(
    make: Make, path: Path, clock: FakeClock
) -> None:
    sink = make(rotate_bytes=10)
    await sink.start()
    several = make_event(2, told=3)
    await send_all(sink, make_event())
    clock.advance(1)
    await send_all(sink, several)
    await sink.stop()
    sink = make(rotate_bytes=10)
    await sink.start()
    marks = marks_of(several, sending(sink, several).key, is_stream=True)
    found = await sink.find_follow_ups(Ticket(id="x"), [*marks, "ALE-7K3M-Q9TX-4RWD-AAAAAA"])
    assert set(found) == set(marks)
    assert await sink.find(sending(sink, make_event()).key) is not None
    assert list(path.parent.glob("complaints-*.csv"))


async def test_customers_words_cannot_pass_for_a_key(make: Make) -> None:
    sink = make()
    await sink.start()
    text = 'x\r\nALE-FORGED,,opened\n"\r\nALE-FORGED,"\n\nALE-FORGED,'
    await send_all(sink, changed(make_event(text=text), title=text))
    assert await sink.find("ALE-FORGED") is None
    assert await sink.find(sending(sink, make_event(text=text)).key) is not None


async def test_other_columns_begin_a_new_file(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send_all(sink, make_event())
    await sink.stop()
    sink = make(fields={"title": "Title"})
    await sink.start()
    await send_all(sink, make_event(2))
    (row,) = read(path)
    assert list(row) == ["Key", "Message keys", "Event", "Event time", "Title", "Said now"]
    (old,) = path.parent.glob("complaints-*.csv")
    assert read(old)[0]["Description"] == WORDS
    assert await sink.find(sending(sink, make_event()).key) is not None


async def test_a_head_that_was_half_written_is_written_again(make: Make, path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfKey,Mess")
    sink = make()
    await sink.start()
    await send_all(sink, make_event())
    assert len(read(path)) == 1


async def test_masks_hold_in_the_cells(make: Make, path: Path) -> None:
    sink = make(mask=["phone"], fields={"phone": "Phone"})
    await sink.start()
    await send_all(sink, make_event(text="请打 13800138000"))
    assert "13800138000" not in path.read_text("utf-8")
    assert read(path)[0]["Phone"] == "138****8000"


async def test_a_payload_that_is_not_ours_is_refused_alone(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    bad = Sending(payload=b'{"rows": 1}', key="ALE-BAD", ticket=None)
    refused, good = await sink.send_many([bad, sending(sink, make_event())])
    assert isinstance(refused, Rejected)
    assert isinstance(good, Ticket)
    assert len(read(path)) == 1


async def test_two_destinations_never_share_a_file(make: Make) -> None:
    first, second = make(), make()
    await first.start()
    with pytest.raises(ConfigError, match="another destination"):
        await second.start()
    assert len(await send(first, make_event())) == 1


@pytest.mark.parametrize(
    "settings",
    [{"fields": {"titel": "x"}}, {"timezone": "Asia/Peking"}, {"delimiter": "|"}, {"values": {"x": {"a": 1}}}],
    ids=str,
)
def test_settings_that_are_wrong_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CsvSettings.model_validate({"sink": "csv", "path": "x.csv", **settings})


def test_killed_while_writing_it_doubles_and_tears_nothing(path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from allears_sdk.testing import make_context
from allears_sdk.testing.records import make_event
from sink.csv import CsvSettings, CsvSink
from tests.sink.sheets import sending
async def main():
    path = Path(sys.argv[1])
    sink = CsvSink(CsvSettings(sink="csv", path=path, language="en"), make_context("x", path.parent))
    await sink.start()
    for number in range(int(sys.argv[2]), 100_000):
        one = sending(sink, make_event(text="长文本" * 20_000, who=f"mail-{number}"))
        if await sink.find(one.key) is None:
            await sink.send_many([one])
        print(number, flush=True)
asyncio.run(main())
"""
    done = 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(done)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            done = int(line)
            if done % 10 == 9:
                break
        child.kill()
        rest, _ = child.communicate()
        done = max([done, *map(int, rest.split())])
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"\r\n") + 2])
    rows = read(path)
    keys = [row["Key"] for row in rows if row["Key"]]
    assert len(keys) == len(set(keys)) >= done + 1
    assert whole(rows, "Said now") == ["长文本" * 20_000] * len(keys)
