"""Mail bytes → a tree of parts that are slices of those bytes, so that a nested mail keeps every byte.

Our own splitter instead of the standard library's: it searches for boundaries rather than walking lines, keeps
raw 8-bit headers, and bounds what a hostile mail can cost. What lies beyond a bound stays one opaque part.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from normalizer.readers import transfer
from normalizer.readers.mime_header import parameters

MAX_DEPTH = 32
MAX_PARTS = 1_000
MAX_HEADERS = 2_000
MAX_HEADER_BYTES = 65_536
"""Of one field's value; the rest of it is not looked at."""
_HEADER_BLOCK = 1_048_576

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*(?:\n[ \t].*)*)\n?")
_HEADER_LINE = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_LINE_BREAK = re.compile(rb"\r{0,2}\n|\r(?!\n)")
_BLANK = re.compile(rb"\n[ \t]*\r{0,2}\n")
_BLANK_WITHOUT_LINE_FEEDS = re.compile(rb"\r[ \t]*\r")
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*\r{0,2}[\r\n])*(?:>?From (?![ \t]*:)[^\r\n]*\r?\n)?")
_MEDIA_TYPE = re.compile(r"[\w.+*-]+/[\w.+*-]+")
_GUESSED_BOUNDARY = re.compile(
    rb"^--([^\r\n]{1,200}?)[ \t]{0,80}\r?\n(?=Content-[A-Za-z-]{1,40}:)", re.MULTILINE | re.IGNORECASE
)
_OPENERS_OF_PARTS = (b"--", b"\n--", b"\r\n--", b"This is a multi")
_PARTS_WITHOUT_TYPE = re.compile(
    rb"(?:This is a multi-?part message[^\n]{0,200}\n)?\s{0,4}--([!-~]{1,70}?)[ \t]{0,80}\r?\nContent-[A-Za-z-]{1,40}:",
    re.IGNORECASE,
)
_SECOND_HEADER = re.compile(
    rb"\r?\n(?=(?:Content-[A-Za-z-]{1,40}:[^\n]*\n(?:[ \t]+\S[^\n]*\n)*){1,8}\r?\n)", re.IGNORECASE
)
"""A blank line too much before the header of a part."""
_CLOSING_LINE = re.compile(rb"^--([^\s-][^\r\n]{0,200}?)--\s{0,100}\Z", re.MULTILINE)


@dataclass(slots=True)
class Part:
    """One node of the tree: headers by lower-case name, raw; the body as a slice; children of a multipart."""

    data: bytes
    headers: dict[str, list[bytes]]
    start: int
    end: int
    media_type: str = "text/plain"
    parameters: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    disposition_parameters: Mapping[str, str] = field(default_factory=dict)
    children: list[Part] = field(default_factory=list)
    overflow: bool = False
    """Stands for what lay beyond a bound: an opaque attachment."""

    @property
    def body(self) -> bytes:
        return self.data[self.start : self.end]

    def header(self, name: str) -> bytes:
        """The first non-empty value of that name, raw and still folded; empty when there is none."""
        for value in self.headers.get(name, ()):
            if value and not value.isspace():
                return value
        return b""


class _Budget:
    def __init__(self) -> None:
        self.parts = MAX_PARTS
        self.encoded_multiparts = 2


def parse(data: bytes) -> Part:
    """The whole mail. Any bytes give a tree."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode()
    leading = _LEADING.match(data, 0, 8192)
    start = leading.end() if leading else 0
    return _parse_part(data, start, len(data), depth=0, budget=_Budget(), default="text/plain")


def _parse_part(data: bytes, start: int, end: int, *, depth: int, budget: _Budget, default: str) -> Part:
    budget.parts -= 1
    headers, body = _parse_headers(data, start, end, is_top=depth == 0)
    part = Part(data=data, headers=headers, start=body, end=end)
    _read_types(part, default)
    if depth == 0 and part.media_type == "text/plain" and data.startswith(_OPENERS_OF_PARTS, body, end):
        _find_lost_type(part)
    if part.media_type.startswith("multipart/"):
        _split(part, depth, budget)
    return part


def _read_types(part: Part, default: str) -> None:
    raw_type = part.header("content-type")
    if raw_type and len(part.headers["content-type"]) > 1:
        raw_type = _type_among_several(part) or raw_type
    name, part.parameters = parameters(raw_type) if raw_type else ("", {})
    part.media_type = name if _MEDIA_TYPE.fullmatch(name) else _broken_type(name, default)
    raw_disposition = part.header("content-disposition")
    if raw_disposition:
        part.disposition, part.disposition_parameters = parameters(raw_disposition)


def _find_lost_type(part: Part) -> None:
    """Parts whose multipart header a gateway lost, or wrote for text."""
    found = _PARTS_WITHOUT_TYPE.match(part.data, part.start, part.end)
    if found and part.data.find(b"\n--" + found[1] + b"--", found.end(), part.end) >= 0:
        part.media_type, part.parameters = "multipart/mixed", {"boundary": found[1].decode("latin-1")}


def _type_among_several(part: Part) -> bytes:
    """The multipart one, when its boundary is in the body."""
    for value in part.headers["content-type"]:
        name, named = parameters(value)
        boundary = named.get("boundary", "").encode("utf-8", "replace")
        if name.startswith("multipart/") and boundary and part.data.find(b"--" + boundary, part.start, part.end) >= 0:
            return value
    return b""


def _broken_type(name: str, default: str) -> str:
    found = re.match(r"(text|multipart|image|application|audio|video|message)\s*/\s*([\w.+-]+)", name)
    if found:
        return f"{found[1]}/{found[2]}"
    return {"text": "text/plain", "html": "text/html", "multipart": "multipart/mixed"}.get(name, default)


def _parse_headers(data: bytes, start: int, end: int, *, is_top: bool) -> tuple[dict[str, list[bytes]], int]:
    if not is_top and data.startswith((b"\n", b"\r"), start, end):
        blank = _SECOND_HEADER.match(data, start, end) if b"C" in data[start + 1 : start + 3].upper() else None
        if blank is None:
            first = _LINE_BREAK.match(data, start, end)
            return {}, first.end() if first else start
        start = blank.end()
    limit = min(end, start + _HEADER_BLOCK)
    blank = _BLANK.search(data, start, limit)
    while blank and _continues(data, blank, end):
        blank = _BLANK.search(data, blank.end() - 1, limit)
    if blank is None and data.find(b"\n", start, limit) < 0:
        blank = _BLANK_WITHOUT_LINE_FEEDS.search(data, start, limit)
    stop = blank.start() + 1 if blank else limit
    headers = _read_sound_fields(data[start:stop])
    if headers is None:
        headers, bad = _read_fields(data, start, stop, is_top=is_top)
        if bad is not None:
            return headers, bad
    return headers, blank.end() if blank else stop


def _continues(data: bytes, blank: re.Match[bytes], end: int) -> bool:
    """A line of white space only, with more header after it, is a folded line, not the end of the header."""
    if b" " not in blank[0] and b"\t" not in blank[0]:
        return False
    return bool(_HEADER_LINE.match(data, blank.end(), end)) or data[blank.end() : blank.end() + 1] in (b" ", b"\t")


def _read_sound_fields(block: bytes) -> dict[str, list[bytes]] | None:
    """Fields by name; none when some line is neither a field nor a folded one."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            return None
    headers: dict[str, list[bytes]] = {}
    position, end = 0, len(block)
    while position < end and len(headers) < MAX_HEADERS:
        found = _FIELD.match(block, position)
        if found is None:
            return None
        name, value = found.groups()
        headers.setdefault(name.decode("ascii").lower(), []).append(value[:MAX_HEADER_BYTES])
        position = found.end()
    return headers


def _read_fields(data: bytes, start: int, stop: int, *, is_top: bool) -> tuple[dict[str, list[bytes]], int | None]:
    """Fields by name, and where the body begins when a line that cannot be header comes before a blank one."""
    headers: dict[str, list[bytes]] = {}
    current: list[bytes] | None = None
    position, count = start, 0
    while position < stop and count < MAX_HEADERS:
        line_break = _LINE_BREAK.search(data, position, stop)
        line_end = line_break.start() if line_break else stop
        if current is None and is_top:
            position = _past_blanks(data, position, line_end)
        found = _HEADER_LINE.match(data, position, line_end)
        if found:
            current = headers.setdefault(found[1].decode("ascii").lower(), [])
            current.append(data[found.end() : min(line_end, found.end() + MAX_HEADER_BYTES)])
            count += 1
        elif current is not None and (data.startswith((b" ", b"\t"), position) or _more_fields(data, line_end, stop)):
            if len(current[-1]) < MAX_HEADER_BYTES:
                current[-1] += b"\n" + data[position : min(line_end, position + MAX_HEADER_BYTES)]
        elif not (is_top and current is None and _more_fields(data, line_end, stop)):
            return headers, position
        position = line_break.end() if line_break else stop
    return headers, None


def _past_blanks(data: bytes, position: int, end: int) -> int:
    while position < end and data[position] in b" \t":
        position += 1
    return position


def _more_fields(data: bytes, position: int, stop: int) -> bool:
    """Whether one of the next two lines is a header field: then the line before was a badly folded one."""
    for _ in range(2):
        line_break = _LINE_BREAK.match(data, position, stop) or _LINE_BREAK.search(data, position + 1, stop)
        if not line_break:
            return False
        position = line_break.end()
        if _HEADER_LINE.match(data, position, stop):
            return True
    return False


def _split(part: Part, depth: int, budget: _Budget) -> None:
    data = part.data
    spans = boundary_spans(data, part.start, part.end, part.parameters.get("boundary", ""))
    encoding = part.header("content-transfer-encoding")
    if not spans and encoding and budget.encoded_multiparts:
        budget.encoded_multiparts -= 1
        data = transfer.decode(part.body, encoding.decode("latin-1"))
        spans = boundary_spans(data, 0, len(data), part.parameters.get("boundary", ""))
    default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for start, end in spans:
        if budget.parts <= 0 or depth >= MAX_DEPTH:
            whole = part.end if data is part.data else len(data)
            rest = Part(data=data, headers={}, start=start, end=whole, overflow=True)
            rest.media_type = "application/octet-stream"
            part.children.append(rest)
            return
        part.children.append(_parse_part(data, start, end, depth=depth + 1, budget=budget, default=default))


def boundary_spans(data: bytes, start: int, end: int, boundary: str) -> list[tuple[int, int]]:
    """(start, end) of each body part between the boundary's lines. Where the boundary is missing or matches
    nothing, the first line that looks like one is taken for it."""
    raw = boundary.encode("utf-8", "surrogateescape").rstrip()
    spans = exact_spans(data, start, end, raw) if raw else []
    if spans:
        return spans
    guessed = _GUESSED_BOUNDARY.search(data, start, end) or _CLOSING_LINE.search(data, max(start, end - 1000), end)
    return exact_spans(data, start, end, guessed[1]) if guessed else []


def exact_spans(data: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """(start, end) of each body part, for a boundary that is known to be the right one."""
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    position = data.find(delimiter, start, end)
    while position >= 0:
        after = position + len(delimiter)
        line = _delimiter_end(data, after, end) if _at_line_start(data, position, start) else None
        if line is not None:
            if opened is not None:
                spans.append((opened, _before_break(data, opened, position)))
            closes = data[after:line].lstrip().startswith(b"-")
            opened = None if closes else line
            after = line
        position = data.find(delimiter, after, end)
    if opened is not None:
        spans.append((opened, end))
    return spans


def _at_line_start(data: bytes, position: int, start: int) -> bool:
    return position == start or data[position - 1] in b"\r\n"


def _delimiter_end(data: bytes, after: int, end: int) -> int | None:
    """Where the part begins behind a delimiter line; none when the line only starts like the boundary."""
    found = _DELIMITER_TAIL.match(data, after, end)
    return found.end() if found else None


_DELIMITER_TAIL = re.compile(
    rb"[ \t]*+(?:-{1,4})?[ \t]*+(?:\r{0,2}\n|\r|\Z)|--[^\w\r\n][^\r\n]{0,80}(?:\r{0,2}\n|\r|\Z)"
)


def _before_break(data: bytes, start: int, position: int) -> int:
    """The line break before a delimiter belongs to it."""
    if position > start and data[position - 1] == 0x0A:
        position -= 1
    if position > start and data[position - 1] == 0x0D:
        position -= 1
    return position


def without_delimiters(content: bytes, boundary: str) -> bytes:
    """What stands in a multipart that has no parts, but for its boundary's lines."""
    delimiter = b"--" + boundary.encode("utf-8", "replace")
    if not boundary or delimiter not in content:
        return content
    return re.sub(rb"^" + re.escape(delimiter) + rb"(?:--)?[ \t]*\r?$", b"", content, flags=re.MULTILINE)


def parse_header_block(data: bytes) -> dict[str, list[bytes]]:
    """Only the header fields of a mail, by lower-case name, raw."""
    leading = _LEADING.match(data, 0, 8192)
    return _parse_headers(data, leading.end() if leading else 0, len(data), is_top=True)[0]
