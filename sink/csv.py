"""Appends each event as a row to a CSV file that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

from pydantic import Field

from allears_sdk.complaint import Event
from allears_sdk.sink import Certainty, SinkSpec
from sink._keys import Content
from sink._line_sink import LineSink
from sink._lines import Form, LineFile
from sink._sheet import KEYS, Cell, SheetSettings, read_rows, render_rows

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Without it Excel takes the file for one in the system's own encoding."""
END = b"\r\n"
"""Of an event. No cell holds a carriage return: what follows one of these begins the next."""
WITHIN = b"\n"
"""Between a row and those that go on with it: half an event is taken for half a line."""
_KEYS = re.compile(rb"(?<=\r\n)([A-Z0-9-]+)[,;\t]([A-Z0-9 -]*)")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\n]")
"""What makes a cell a formula, full width too: an input method's `＝` is one in Excel."""


class CsvSettings(SheetSettings):
    """Which file, which columns, and how it is written."""

    delimiter: Literal[",", ";", "\t"] = Field(
        default=",", description='What stands between cells; Excel wants ";" where the comma is the decimal mark.'
    )
    guard_formulas: bool = Field(
        default=True,
        description="True puts ' before text that a spreadsheet would run as a formula, phone numbers with + too. "
        "False only where programs alone read the file.",
    )


class CsvSink(LineSink[CsvSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="csv",
        title_en="CSV file",
        title_zh="CSV 文件",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        wait_seconds=0,
        batches=True,
        is_stream=True,
        verified="ext4 and overlayfs on Linux; Python's csv module, openpyxl",
        verified_zh="Linux 上的 ext4 与 overlayfs；Python 的 csv 模块、openpyxl",
    )
    Settings: ClassVar[type[CsvSettings]] = CsvSettings

    def make_file(self) -> LineFile:
        head = BYTE_ORDER_MARK + self._written(self.settings.headings) + END
        form = Form(keys_in=keys_in_csv, end=END, head=head)
        return LineFile(self.settings.path, self.settings.rotation, self.context.clock, form)

    def render(self, event: Event, key: str) -> bytes:
        return render_rows(event, key, self.settings)

    def line(self, payload: bytes) -> bytes:
        made = read_rows(payload)
        keys = [[made.key, " ".join(made.marks)], *([""] * KEYS for _ in made.rows[1:])]
        return WITHIN.join(
            self._written([*first, *map(self._guarded, row)]) for first, row in zip(keys, made.rows, strict=True)
        )

    def _guarded(self, cell: Cell) -> Cell:
        is_formula = self.settings.guard_formulas and isinstance(cell, str) and _FORMULA.match(cell)
        return f"'{cell}" if is_formula else cell

    def _written(self, cells: Iterable[Cell]) -> bytes:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.settings.delimiter, lineterminator="\r\n").writerow(cells)
        return buffer.getvalue().removesuffix("\r\n").encode()


def keys_in_csv(content: Content) -> Iterator[bytes]:
    """Those of rows with a key, and of one row alone."""
    if isinstance(content, bytes):
        content = END + content
    for key, marks in _KEYS.findall(content):
        yield key
        yield from marks.split()
