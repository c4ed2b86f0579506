"""The feedback report: a table separated by tabs, its titles in the shop's language."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import msgspec

from allears_sdk.codec import encode_stable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from allears_sdk.sweep import digest_of, raw_of
from connectors.amazon.settings import Part

ANSWER = "answer:"
"""Begins the keys of what the seller answered."""
MAX_TEXT_BYTES = 256 << 20
_ORDER = re.compile(r"\d{3}-\d{7}-\d{7}")
_BEGINS = re.compile(r"\"?\d{1,4}[-/. ]+\d{1,2}[-/. ]+\d{1,4}\"?\t")
_TITLES: Mapping[Part, tuple[str, ...]] = {
    "date": ("date",),
    "rating": ("rating",),
    "comments": ("comments",),
    "response": ("response", "your response"),
    "order": ("order id",),
    "email": ("rater email",),
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """As the report has it."""

    titles: list[str]
    cells: list[str]

    def parts(self, chosen: Mapping[Part, str]) -> dict[Part, str]:
        """What each cell is, by its title; where titles are in no language known here, by its place."""
        places: dict[str, int] = {}
        for place, title in enumerate(self.titles):
            places.setdefault(_fold(title), place)
        names = {part: (_fold(chosen[part]),) if part in chosen else known for part, known in _TITLES.items()}
        found = {part: places[name] for part, known in names.items() for name in known if name in places}
        if "rating" not in found:
            found = {part: place for place, part in enumerate(_TITLES)}
        parts = {part: self.cells[place].strip() for part, place in found.items() if place < len(self.cells)}
        if not _ORDER.fullmatch(parts.get("order", "")):
            parts["order"] = next((cell.strip() for cell in self.cells if _ORDER.fullmatch(cell.strip())), "")
        return parts


def unpack(content: bytes) -> bytes:
    """Of a GZIP document. Raises ValueError for what is none, or more than anybody wrote."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(content, MAX_TEXT_BYTES)
    except zlib.error as error:
        raise ValueError(f"not GZIP: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"cut off, or larger than {MAX_TEXT_BYTES} bytes")
    return text


def decode_text(content: bytes, charset: str) -> str:
    """By the document's own word, else what it can be: Amazon's clients fall back to Latin-1."""
    for name in (charset, "utf-8-sig", "cp1252"):
        try:
            return content.decode(name).removeprefix("\ufeff") if name else content.decode("utf-8-sig")
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("latin-1")


def read_rows(text: str) -> Iterator[Row]:
    """Without the title row and empty ones. A line that is too short goes on in the next, unless that begins with a
    date: people put line breaks into comments."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    titles, row = _cells(lines[0]), ""
    for line in lines[1:]:
        if row.count("\t") < len(titles) - 1 and row and line.strip() and not _BEGINS.match(line):
            row = f"{row}\n{line}"
            continue
        if row.strip():
            yield Row(titles=titles, cells=_cells(row))
        row = line
    if row.strip():
        yield Row(titles=titles, cells=_cells(row))


def read_raws(rows: Iterator[Row], marketplace: str, chosen: Mapping[Part, str], now: datetime) -> Iterator[Raw]:
    """Each feedback, and behind it the seller's answer. Two on one order and day are told apart by their words."""
    keys: set[str] = set()
    for row in rows:
        parts = row.parts(chosen)
        digest = digest_of(parts.get("rating", ""), parts.get("comments", ""))
        key = _key(parts, marketplace, row)
        key = f"{key}:{digest[:12]}" if key in keys else key
        keys.add(key)
        fault = "" if len(row.cells) >= len(row.titles) - 1 else "the row is shorter than its titles"
        raw = raw_of(key, row, now, digest, marketplace=marketplace, key=key)
        yield replace(raw, quarantine=fault)
        if parts.get("response") and not fault:
            yield replace(raw, key=f"{ANSWER}{key}", digest=digest_of(parts["response"]))


def _key(parts: Mapping[Part, str], marketplace: str, row: Row) -> str:
    """The order and the date's numbers: the year may be written with two digits or four."""
    if not parts.get("order"):
        return sha256_hex(encode_stable([marketplace, *row.cells]))
    numbers = "-".join(str(int(number) % 100) for number in re.findall(r"\d{1,4}", parts.get("date", ""))[:3])
    return f"{parts['order']}:{numbers}"


def _cells(line: str) -> list[str]:
    return [_bare(cell) for cell in line.split("\t")]


def _bare(cell: str) -> str:
    """Without the quotation marks around it."""
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if is_quoted else cell


def _fold(title: str) -> str:
    return " ".join(title.replace("_", " ").replace("-", " ").split()).casefold()
