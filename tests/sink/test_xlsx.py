from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Unavailable
from allears_sdk.message import Rating
from allears_sdk.sink import Sink, Ticket, marks_of
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.records import WORDS, make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from sink.xlsx import XlsxSettings, XlsxSink
from tests.sink.sheets import Rows, send, send_all, sending, whole

Make = Callable[..., XlsxSink]


def read(path: Path) -> Rows:
    """As openpyxl reads it; fails where it finds a formula."""
    book = load_workbook(path)
    assert book.active is not None
    head, *rows = list(book.active.iter_rows())
    assert all(cell.data_type != "f" for row in rows for cell in row), "a cell is run as a formula"
    headings = [str(cell.value) for cell in head]
    return [{name: cell.value for name, cell in zip(headings, row, strict=False)} for row in rows]


class TestXlsx(SinkContract):
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "out" / "投诉.xlsx"

    def make_sink(self, context: Context) -> Sink[Any]:
        return XlsxSink(XlsxSettings(sink="xlsx", path=self.path, language="en"), context)

    async def stored(self) -> list[Stored]:
        rows = read(self.path)
        keys = [row["Key"] for row in rows if row["Key"]]
        return [Stored(key, text) for key, text in zip(keys, whole(rows, "Said now"), strict=True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "complaints.xlsx"


@pytest.fixture
async def make(path: Path, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[XlsxSink] = []

    def one(**settings: Any) -> XlsxSink:
        given = XlsxSettings(sink="xlsx", **{"path": path, "language": "en", **settings})
        made.append(XlsxSink(given, make_context("sheet", tmp_path, clock=clock)))
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


def changed(event: Event, **fields: Any) -> Event:
    return replace(event, record=replace(event.record, **fields))


async def test_rows_under_chinese_headings_numbers_as_numbers(make: Make, path: Path) -> None:
    sink = make(language="zh", timezone="Asia/Shanghai", fields={"title": "标题", "rating": "评分", "phone": "电话"})
    await sink.start()
    await send_all(sink, changed(make_event(), rating=Rating(value=1)), make_event(2))
    first, second = read(path)
    assert (first["键"], first["事件"]) == (sending(sink, make_event()).key, "新投诉")
    assert (first["评分"], first["电话"], first["本次内容"]) == (1.0, "13800138000", WORDS)
    assert (second["事件"], second["事件时间"], second["评分"]) == ("补充", "2026-11-22 12:01:42", None)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["=1+1", '=HYPERLINK("http://x","y")', "+86 138", "-2", "@SUM(A1)", "＝1"])
async def test_words_are_text_whatever_they_begin_with(make: Make, path: Path, text: str) -> None:
    sink = make()
    await sink.start()
    await send_all(sink, changed(make_event(text=text), title=text))
    (row,) = read(path)
    assert (row["Title"], row["Said now"]) == (text, text)
    sheet = load_workbook(path).active
    assert sheet is not None
    assert sheet["I2"].quotePrefix, "edited in Excel it would become a formula"


async def test_hostile_words(make: Make, path: Path) -> None:
    text = "</t></is></c></row> <row><c> ]]> &amp; &#10; \x00\x1b\x0b \ufffe 𠮷 \"'  two  spaces\n\tend "
    sink = make()
    await sink.start()
    await send_all(sink, changed(make_event(text=text), title=text))
    (row,) = read(path)
    seen = text.replace("\x00\x1b\x0b", "\ufffd" * 3).replace("\ufffe", "\ufffd")
    assert (row["Said now"], row["Title"]) == (seen, seen)


async def test_what_looks_like_an_escape_of_excels_is_escaped(make: Make, path: Path) -> None:
    """`_x0041_` in a workbook is read as A."""
    sink = make()
    await sink.start()
    await send_all(sink, make_event(text="file_x0041_final"))
    with zipfile.ZipFile(path) as archive:
        assert b"file_x005F_x0041_final" in archive.read("xl/worksheets/sheet1.xml")


async def test_long_text_goes_on_below_and_nothing_is_lost(make: Make, path: Path) -> None:
    text = "投诉😡" * 30_000
    sink = make(max_cell_chars=32_767)
    await sink.start()
    await send_all(sink, make_event(text=text), make_event(who="mail-18"))
    rows = read(path)
    assert max(len(str(cell).encode("utf-16-le")) // 2 for row in rows for cell in row.values()) <= 32_767
    assert whole(rows, "Description") == [text, WORDS]


async def test_rotation_leaves_whole_workbooks(make: Make, path: Path, clock: FakeClock) -> None:
    sink = make(rotate_bytes=1 << 16)
    await sink.start()
    for number in range(6):
        await send_all(sink, make_event(text="长" * 10_000, who=f"mail-{number}"))
        clock.advance(1)
    old = sorted(path.parent.glob("complaints-*Z.xlsx"))
    assert old
    keys = [row["Key"] for file in [*old, path] for row in read(file)]
    assert len(set(keys)) == len(keys) == 6
    await sink.stop()
    sink = make(rotate_bytes=1 << 16)
    await sink.start()
    several = [make_event(text="长" * 10_000, who=f"mail-{number}") for number in range(6)]
    assert all([await sink.find(sending(sink, event).key) for event in several])


async def test_marks_of_several_messages_are_found(make: Make) -> None:
    sink = make()
    await sink.start()
    several = make_event(2, told=3)
    await send_all(sink, several)
    marks = marks_of(several, sending(sink, several).key, is_stream=True)
    assert set(await sink.find_follow_ups(Ticket(id="x"), [*marks, "ALE-AAAA"])) == set(marks)
    await sink.stop()
    sink = make()
    await sink.start()
    assert set(await sink.find_follow_ups(Ticket(id="x"), [*marks, "ALE-AAAA"])) == set(marks)


async def test_customers_words_cannot_pass_for_a_key(make: Make) -> None:
    sink = make()
    await sink.start()
    text = '<row><c t="inlineStr"><is><t>ALE-FORGED</t></is></c>\n<row><c t="inlineStr"><is><t>ALE-FORGED</t></is></c>'
    await send_all(sink, changed(make_event(text=text), title=text))
    await sink.stop()
    sink = make()
    await sink.start()
    assert await sink.find("ALE-FORGED") is None


async def test_a_workbook_that_was_not_finished_is_made_of_its_rows_at_the_start(make: Make, path: Path) -> None:
    sink = make()
    await sink.start()
    await send_all(sink, make_event())
    await sink.stop()
    path.unlink()
    path.with_name(".complaints.xlsx.new").write_bytes(b"PK half")
    sink = make()
    await sink.start()
    assert len(read(path)) == 1


async def test_rows_are_safe_when_the_workbook_cannot_be_written(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make()
    await sink.start()
    real = Path.replace

    def held(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", held)
    (result,) = await send(sink, make_event())
    assert isinstance(result, InDoubt)
    with pytest.raises(Unavailable):
        await sink.find(sending(sink, make_event()).key)
    monkeypatch.setattr(Path, "replace", real)
    assert await sink.find(sending(sink, make_event()).key) is not None
    assert len(read(path)) == 1


async def test_two_destinations_never_share_a_workbook(make: Make) -> None:
    first, second = make(), make()
    await first.start()
    with pytest.raises(ConfigError, match="another destination"):
        await second.start()


def test_settings_that_are_wrong_are_refused() -> None:
    with pytest.raises(ValidationError, match="xlsx"):
        XlsxSettings.model_validate({"sink": "xlsx", "path": "complaints.xls"})


def test_killed_while_writing_the_workbook_is_always_whole(path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from allears_sdk.testing import make_context
from allears_sdk.testing.records import make_event
from sink.xlsx import XlsxSettings, XlsxSink
from tests.sink.sheets import sending
async def main():
    path = Path(sys.argv[1])
    sink = XlsxSink(XlsxSettings(sink="xlsx", path=path, language="en"), make_context("x", path.parent))
    await sink.start()
    for number in range(int(sys.argv[2]), 100_000):
        one = sending(sink, make_event(text="长文本" * 5_000, who=f"mail-{number}"))
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
            if done % 7 == 6:
                break
        child.kill()
        rest, _ = child.communicate()
        done = max([done, *map(int, rest.split())])
        keys = [row["Key"] for row in read(path) if row["Key"]]
        assert len(keys) == len(set(keys)) >= done + 1
