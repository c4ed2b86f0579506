"""Keeps an XLSX workbook with a row for each event.

A workbook cannot be appended to. So the rows lie, as the XML they are in it, in a file beside it that can (`.rows`);
after each batch the workbook is made anew of that file and put in the old one's place, in one step.
Source: ECMA-376, "SpreadsheetML": inline strings, `quotePrefix`, ST_Xstring.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar
from xml.sax.saxutils import escape

from pydantic import Field, field_validator

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Unavailable
from allears_sdk.sink import Certainty, SinkSpec
from sink._keys import Content
from sink._line_sink import LineSink
from sink._lines import Form, LineFile
from sink._sheet import KEYS, Cell, SheetSettings, read_rows, render_rows

_KEYS = re.compile(
    rb'<row><c t="inlineStr"><is><t>([A-Z0-9-]+)</t></is></c>(?:<c t="inlineStr"><is><t>([A-Z0-9 -]+)<)?'
)
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_CHUNK = 1 << 20
_LEVEL = 1
"""Of compression: three times as fast as the usual one, for a file that is written often."""


class XlsxSettings(SheetSettings):
    """Which workbook, and which columns."""

    path: Path = Field(
        description="The workbook; its folder is made on demand. Its rows lie in a file beside it, PATH.rows, which "
        "stays there. Both are readable by their owner only.",
        examples=["complaints.xlsx"],
    )
    rotate_bytes: int = Field(
        default=16 << 20,
        ge=1 << 16,
        le=256 << 20,
        description="When its rows have this size (before compression; about 8,000 events) the workbook is renamed to "
        "NAME-YYYYMMDDTHHMMSSZ.xlsx and a new one begun: all of it is written again with every batch.",
    )

    @field_validator("path")
    @classmethod
    def _is_a_workbook(cls, path: Path) -> Path:
        if path.suffix.lower() != ".xlsx":
            raise ValueError("its name does not end in .xlsx")
        return path


class XlsxSink(LineSink[XlsxSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="xlsx",
        title_en="Excel workbook",
        title_zh="Excel 工作簿",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        wait_seconds=0,
        batches=True,
        is_stream=True,
        verified="ext4 and overlayfs on Linux; openpyxl",
        verified_zh="Linux 上的 ext4 与 overlayfs；openpyxl",
    )
    Settings: ClassVar[type[XlsxSettings]] = XlsxSettings

    def __init__(self, settings: XlsxSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._mutex = threading.Lock()
        """Of those that write the rows and those that read them for the workbook."""
        self._is_behind = True
        """Whether there may be rows that the workbook does not show."""

    def make_file(self) -> LineFile:
        path = _rows_of(self.settings.path)
        head = _HEAD + _row([], self.settings.headings, style=2) + b"\n"
        form = Form(keys_in=keys_in_xml, head=head)
        return LineFile(path, self.settings.rotation, self.context.clock, form)

    def render(self, event: Event, key: str) -> bytes:
        return render_rows(event, key, self.settings)

    def line(self, payload: bytes) -> bytes:
        made = read_rows(payload)
        first = _row([made.key, " ".join(made.marks)], made.rows[0])
        return first + b"".join(_row([""] * KEYS, row) for row in made.rows[1:])

    def write(self, file: LineFile, lines: Sequence[bytes]) -> None:
        """Raises InDoubt where the rows are safe and the workbook could not be made of them: a look-up tries again."""
        with self._mutex:
            self._is_behind = True
            file.append(lines)
        try:
            self._publish(file)
        except Unavailable as error:
            raise InDoubt(f"the rows are safe, but {error}") from None

    async def start(self) -> None:
        await super().start()
        await self._do(self._publish)

    async def _has(self, key: str) -> bool:
        if not await super()._has(key):
            return False
        if self._is_behind:
            await self._do(self._publish)
        return True

    def _publish(self, file: LineFile) -> None:
        """The workbook as its rows are now, and those of rotated rows that have none. Raises Unavailable."""
        path = self.settings.path.resolve()
        with self._mutex:
            try:
                for rotated in file.rotated():
                    if not (old := _workbook_of(rotated, path)).exists():
                        _replace(old, rotated)
                _replace(path, _rows_of(path))
            except OSError as error:
                raise Unavailable(f"{path} cannot be written: {error.strerror}") from None
            self._is_behind = False


def keys_in_xml(content: Content) -> Iterator[bytes]:
    """Customers' words cannot pass for one: inside XML text their `<` is escaped."""
    for key, marks in _KEYS.findall(content):
        yield key
        yield from marks.split()


def _rows_of(workbook: Path) -> Path:
    return workbook.with_name(f"{workbook.name}.rows")


def _workbook_of(rotated: Path, workbook: Path) -> Path:
    """`a.xlsx-20261122T040000Z.rows` → `a-20261122T040000Z.xlsx`."""
    stamp = rotated.name.removeprefix(workbook.name).removesuffix(".rows")
    return workbook.with_name(f"{workbook.stem}{stamp}{workbook.suffix}")


def _row(keys: Sequence[Cell], cells: Sequence[Cell], *, style: int = 1) -> bytes:
    made = [*(_cell(cell, 0) for cell in keys), *(_cell(cell, style) for cell in cells)]
    return f"<row>{''.join(made)}</row>".encode()


def _cell(cell: Cell, style: int) -> str:
    """Text is never a formula: it is typed, and its style says so to whoever edits it."""
    if not isinstance(cell, str):
        return f"<c><v>{cell}</v></c>"
    if not cell:
        return "<c/>"
    styled, space = (f' s="{style}"', ' xml:space="preserve"') if style else ("", "")
    text = escape(_ESCAPED.sub("_x005F_", cell), {"\n": "&#10;", "\t": "&#9;"})
    return f'<c{styled} t="inlineStr"><is><t{space}>{text}</t></is></c>'


def _replace(workbook: Path, rows: Path) -> None:
    """Made beside it, on disk, then put in its place."""
    if workbook.is_dir():
        raise ConfigError(f"{workbook} is a folder")
    made = workbook.with_name(f".{workbook.name}.new")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for name, part in _PARTS.items():
                archive.writestr(name, part)
            with archive.open("xl/worksheets/sheet1.xml", "w") as sheet, rows.open("rb") as source:
                shutil.copyfileobj(source, sheet, _CHUNK)
                sheet.write(b"</sheetData></worksheet>")
        file.flush()
        os.fsync(file.fileno())
    made.replace(workbook)


_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = (
    f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" '
    'topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<cols><col min="1" max="2" width="12" customWidth="1"/><col min="3" max="60" width="18" customWidth="1"/></cols>'
    "<sheetData>"
).encode()
_PARTS = {
    "[Content_Types].xml": f'{_DECLARED}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>',
    "_rels/.rels": f'{_DECLARED}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{_DECLARED}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
    '<bookViews><workbookView/></bookViews><sheets><sheet name="allears" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{_DECLARED}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{_OFFICE}/styles" '
    'Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'{_DECLARED}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name '
    'val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill>'
    '<patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders '
    'count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf '
    'numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" '
    'fillId="0" borderId="0" xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" '
    'applyNumberFormat="1" quotePrefix="1"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" '
    'applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
}
"""All of a workbook but its one sheet. Styles: 0 plain, 1 text that stays text, 2 headings."""
