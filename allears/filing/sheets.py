"""CSV files of the company: read whole, or refused with what is wrong and where."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from allears_sdk.errors import ConfigError
from normalizer.rules.fold import fold

_DELIMITERS = (",", ";", "\t", "|")
_ENCODINGS = ("utf-8-sig", "gb18030")
_TEXTS = {
    "en": {
        "unreadable": "{file} cannot be read: {reason}",
        "encoding": "{file} is neither UTF-8 nor GB18030",
        "empty": "{file} is empty: its first line names the columns",
        "csv": "{file}, line {line}: {reason}",
        "no_column": '{file} has no column "{column}"; it has: {columns}',
        "no_usual": "{file} has no column for {what}; it has: {columns}. Name it with {setting}",
    },
    "zh": {
        "unreadable": "无法读取 {file}：{reason}",
        "encoding": "{file} 既不是 UTF-8 也不是 GB18030",
        "empty": "{file} 是空的：第一行应为列名",
        "csv": "{file} 第 {line} 行：{reason}",
        "no_column": "{file} 没有名为“{column}”的列；现有：{columns}",
        "no_usual": "{file} 中找不到{what}列；现有：{columns}。请用 {setting} 指定",
    },
}
_WHAT = {
    "en": {"person": "phones, mails, WeChat ids or accounts", "known": "level, region or id",
           "line": "the product line", "names": "product names"},
    "zh": {"person": "电话、邮箱、微信号或账号", "known": "等级、地区或编号", "line": "产品线", "names": "产品名称"},
}  # fmt: skip


class SheetError(ConfigError):
    """A file of the company that cannot be used."""

    def __init__(self, key: str, **facts: object) -> None:
        self.key = key
        self.facts = facts
        super().__init__(self.say("en"))

    def __reduce__(self) -> tuple[object, ...]:
        return _remade, (self.key, self.facts)

    def say(self, language: str) -> str:
        """In the reader's language."""
        language = "zh" if language == "zh" else "en"
        what = _WHAT[language].get(str(self.facts.get("what", "")), "")
        return _TEXTS[language][self.key].format(**{**self.facts, "what": what})


def _remade(key: str, facts: dict[str, object]) -> SheetError:
    return SheetError(key, **facts)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file with its heading read."""

    path: Path
    heading: tuple[str, ...]
    rows: Iterator[Sequence[str]]

    def column(self, given: str, usual: Sequence[str]) -> int | None:
        """Its place: the one named, else the first with a usual name. Raises SheetError where the named one is not."""
        found = self.columns((given,) if given else (), usual)
        return found[0] if found else None

    def columns(self, given: Sequence[str], usual: Sequence[str]) -> list[int]:
        """Their places: those named, else all with a usual name."""
        names = [_plain(one) for one in self.heading]
        for one in given:
            if _plain(one) not in names:
                raise self.error("no_column", column=one)
        wanted = [_plain(one) for one in (given or usual)]
        return [names.index(one) for one in wanted if one in names]

    def error(self, key: str, **facts: object) -> SheetError:
        return SheetError(key, file=self.path, columns=", ".join(self.heading), **facts)


def open_sheet(path: Path) -> Sheet:
    """Raises SheetError, also while its rows are read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SheetError("unreadable", file=path, reason=error.strerror or str(error)) from None
    text = _decoded(path, content)
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(_DELIMITERS, key=head.count)
    rows = _rows(path, text, delimiter)
    heading = next(rows, None)
    if heading is None:
        raise SheetError("empty", file=path)
    return Sheet(path, tuple(one.strip() for one in heading), rows)


def _decoded(path: Path, content: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SheetError("encoding", file=path)


def _rows(path: Path, text: str, delimiter: str) -> Iterator[Sequence[str]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                yield row
    except csv.Error as error:
        raise SheetError("csv", file=path, line=reader.line_num, reason=error) from None


def _plain(name: str) -> str:
    return fold(name).strip().replace(" ", "_").replace("-", "_")
