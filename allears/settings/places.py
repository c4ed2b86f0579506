"""In which line of a TOML file a key stands. `tomllib` parses it; this only remembers where."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Any

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_PATH = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]\]?")
_ROW = re.compile(r"\s*\[\[")
_ASSIGNMENT = re.compile(rf"\s*({_PATH})\s*=(.*)")
_ONE_KEY = re.compile(_KEY)
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#|[\[\]{}]')


def lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Key path → line, counted from 1. Keys inside inline tables and arrays have their own key's line; those of an
    array of tables stand below its number (`rule`, `0`, `id`)."""
    found: dict[tuple[str, ...], int] = {}
    rows: Counter[tuple[str, ...]] = Counter()
    table: tuple[str, ...] = ()
    value = _Value()
    for number, line in enumerate(text.splitlines(), start=1):
        if value.is_open:
            value.read(line)
        elif header := _HEADER.match(line):
            table = _split(header[1])
            if _ROW.match(line):
                rows[table] += 1
                table = (*table, str(rows[table] - 1))
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_split(assignment[1])), number)
            value.read(assignment[2])
    return found


def line_of(path: tuple[str, ...], known: Mapping[tuple[str, ...], int]) -> int | None:
    """The line of the key, or of the nearest table or key around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in known:
            return known[path[:length]]
    return None


def fragments(text: str) -> dict[str, dict[str, Any]]:
    """Of a file that is not valid TOML: what its [allears] section says in lines that are."""
    found: dict[str, Any] = {}
    inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            header = _HEADER.match(line)
            inside = header is not None and _split(header[1]) == ("allears",)
        elif inside:
            try:
                found |= tomllib.loads(line)
            except tomllib.TOMLDecodeError:
                continue
    return {"allears": found}


def _split(path: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in _ONE_KEY.findall(path))


class _Value:
    """Whether a value goes on in the next line: an open bracket or an open triple quote."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0

    @property
    def is_open(self) -> bool:
        return bool(self._quote) or self._depth > 0

    def read(self, line: str) -> None:
        at = 0
        while at < len(line):
            at = self._inside_quote(line, at) if self._quote else self._outside(line, at)

    def _inside_quote(self, line: str, at: int) -> int:
        end = line.find(self._quote, at)
        if end < 0:
            return len(line)
        self._quote = ""
        return end + 3

    def _outside(self, line: str, at: int) -> int:
        token = _TOKEN.search(line, at)
        if token is None or token[0] == "#":
            return len(line)
        if token[0] in ('"""', "'''"):
            self._quote = token[0]
        elif token[0] in "[{":
            self._depth += 1
        elif token[0] in "]}":
            self._depth -= 1
        return token.end()
