"""CSV and XLSX: rows of cells → messages."""

from __future__ import annotations

import csv
import hashlib
import itertools
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from allears_sdk.codec import encode, encode_stable
from allears_sdk.connector import Missing
from allears_sdk.message import MESSAGE_JSON, Raw
from connectors.folder.cells import read_others, read_row, show
from connectors.folder.columns import Header, find_header, fold, is_counter
from connectors.folder.encoding import decodes, detect
from connectors.folder.items import Item, Occurrences, Position, Reading, Reason, Unreadable, advance
from connectors.folder.reviews import make_public, matters_of, read_answer

Row = Sequence[Any]
_BROKEN: Row = ("\0broken row",)
_DELIMITERS = ",;\t|"
_MAX_FIELD_CHARS = 1 << 20
_MAX_UNPACKED_BYTES = 256 << 20
_HEADER_ROWS = 10


def read_csv(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    encoding = reading.encoding or detect(path)
    if not encoding or not decodes(path, encoding):
        raise Unreadable(
            f"the text is not {encoding or 'in an encoding that is known here'}; set `encoding`",
            f"文字编码{'不是 ' + encoding if encoding else '无法识别'}，请设置 encoding",
        )
    delimiter = _delimiter(path, encoding, reading)
    with closing(_csv_rows(path, encoding, delimiter)) as rows, closing(_Sheet(reading, start)) as sheet:
        yield from sheet.read(rows, "")
        sheet.finish()


def read_xlsx(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    """All worksheets that have a column for the text. Formulas are read as their values."""
    _check_archive(path, reading.max_file_bytes)
    from openpyxl import load_workbook

    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever a damaged file makes it stumble over
        raise Unreadable(f"not a workbook that can be read: {error}", f"无法读取的工作簿：{error}") from None
    with closing(book), closing(_Sheet(reading, start)) as sheet:
        for page in book.worksheets:
            page.reset_dimensions()  # some exporters write wrong ones
            yield from sheet.read(_guarded(page.iter_rows(values_only=True)), str(page.title))
        sheet.finish()


class _Sheet:
    """Turns rows into items; one for all worksheets of a file."""

    def __init__(self, reading: Reading, start: Position) -> None:
        self._reading = reading
        self._start = start
        self._position = Position()
        self._occurrences = Occurrences()
        self._seen: list[str] = []
        self._is_found = False

    def read(self, rows: Iterator[Row], title: str) -> Iterator[Item]:
        first = list(itertools.islice(rows, _HEADER_ROWS))
        shown = [[show(cell) for cell in row] for row in first]
        found = find_header(shown, self._reading.columns, self._reading.aliases)
        if not found:
            self._seen += [cell for row in shown[:1] for cell in row if cell][:20]
            return
        self._is_found = True
        index, header = found
        for number, row in enumerate(itertools.chain(first[index + 1 :], rows), start=index + 2):
            for item in self._items(row, header, number, title):
                self._position = item.position
                if item.position.row > self._start.row:
                    yield item

    def finish(self) -> None:
        """Raises Unreadable when no worksheet said where its text is."""
        if not self._is_found:
            seen = ", ".join(self._seen) or "-"
            raise Unreadable(
                f"no column for the text; columns seen: {seen}. Map one with `columns.text`",
                f"找不到内容列；看到的表头：{seen}。请用 columns.text 指定",
            )

    def close(self) -> None:
        self._occurrences.close()

    def _items(self, row: Row, header: Header, number: int, title: str) -> Iterator[Item]:
        """One, and behind it the company's answer, where the row holds one."""
        if row is _BROKEN:
            yield self._broken(number)
            return
        content = _content(row, header)
        if not content:
            yield Item(position=advance(self._position))
            return
        reading = self._reading
        message = read_row(row, header, reading.zone, reading.rating_best, reading.product)
        known = make_public(message) if reading.export else content
        raw = self._raw(message, known, reading.facts(number, sheet=title, columns=read_others(row, header, message)))
        yield Item(position=advance(self._position, is_anonymous=not message.get("external_id")), raw=raw)
        if reading.export and (answer := read_answer(row, header, reading, raw)):
            yield Item(position=advance(self._position), raw=answer)

    def _raw(self, message: Mapping[str, Any], known: Any, facts: dict[str, Any]) -> Raw:
        """`known`: what makes a row without an id this row."""
        external_id = message.get("external_id", "")
        matters = matters_of(message) if self._reading.export else message
        says_nothing = not message["text"] and "rating" not in message
        return Raw(
            key=external_id or self._occurrences.key(encode_stable(known)),
            body=encode(message),
            media_type=MESSAGE_JSON,
            received_at=self._reading.received_at,
            digest=hashlib.sha256(encode_stable(matters)).hexdigest() if external_id else "",
            thread=external_id,
            quarantine=str(Reason("the row has no text", "这一行没有内容")) if says_nothing else "",
            baseline=self._reading.is_old(message.get("posted_at")),
            context=facts,
        )

    def _broken(self, number: int) -> Item:
        reason = Reason("the row cannot be read: is a quotation mark left open?", "这一行无法读取：引号没有成对？")
        name = f"{self._reading.name}\0{number}"
        key = f"row:{hashlib.sha256(name.encode()).hexdigest()}"
        missing = Missing(key=key, reason=str(reason), locator=self._reading.facts(number))
        return Item(position=advance(self._position), missing=missing)


def _content(row: Row, header: Header) -> list[tuple[str, str]]:
    """What makes a row this row: its cells by header, whatever the order of columns; no row counters."""
    named = itertools.zip_longest(header.names, row, fillvalue=None)
    cells = [(name or "", show(cell)) for name, cell in named if not is_counter(name or "")]
    return sorted((fold(name), value) for name, value in cells if value)


def _delimiter(path: Path, encoding: str, reading: Reading) -> str:
    """The one under which a header is found, with the most columns; a comma when there is none."""
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        with closing(_csv_rows(path, encoding, delimiter)) as rows:
            first = [[show(cell) for cell in row] for row in itertools.islice(rows, _HEADER_ROWS)]
        found = find_header(first, reading.columns, reading.aliases)
        if found and len(found[1].names) > most:
            best, most = delimiter, len(found[1].names)
    return best


def _csv_rows(path: Path, encoding: str, delimiter: str) -> Generator[Row]:
    csv.field_size_limit(_MAX_FIELD_CHARS)  # the module's own limit, for the whole process, is 131,072
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        while True:
            try:
                yield next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield _BROKEN


def _check_archive(path: Path, max_file_bytes: int) -> None:
    if path.stat().st_size > max_file_bytes:
        raise Unreadable(f"larger than {max_file_bytes} bytes: save it as CSV", "文件太大，请另存为 CSV")
    try:
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise Unreadable(
            f"not a workbook, or one with a password: {error}", "不是 Excel 工作簿，或者设有密码"
        ) from None
    if unpacked > _MAX_UNPACKED_BYTES:
        raise Unreadable("too large once unpacked: save it as CSV", "展开后太大，请另存为 CSV")


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    """A damaged worksheet fails where it is damaged, whatever openpyxl raises."""
    try:
        yield from rows
    except Exception as error:
        raise Unreadable(f"the workbook is damaged: {error}", f"工作簿已损坏：{error}") from None
