"""RTF as Outlook keeps it: unpacked, and read as the HTML it wraps or as plain text. Never raises.

Formats: [MS-OXRTFCP] (compression) and [MS-OXRTFEX] (HTML inside RTF).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace

from normalizer.readers import charset

MAX_BYTES = 8 << 20
"""Of unpacked RTF; what lies beyond is not read."""

_PRIMER = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor "
    rb"MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
_MAX_DEPTH = 1_000
_COMPRESSED, _STORED = b"LZFu", b"MELA"

_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)|.", re.DOTALL
)
_HTML_INSIDE = re.compile(rb"\\fromhtml1\b")
_SILENT = re.compile(
    "fonttbl|colortbl|stylesheet|info|pict|object|(?:header|footer)[lrf]?|footnote|fldinst|listtable"
    "|listoverridetable|revtbl|rsidtbl|generator|themedata|colorschememapping|datastore|mhtmltag|bkmkstart|bkmkend"
    "|xmlnstbl|latentstyles"
)
"""Destinations that hold no text of the message."""
_CHARACTERS = {
    "tab": "\t", "line": "\n", "par": "\n", "row": "\n", "page": "\n", "sect": "\n", "cell": "\t",
    "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "endash": "–", "emdash": "—", "bullet": "•", "emspace": " ", "enspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n", b"-": ""}
_CODE_PAGES = {
    0: 1252, 77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250,
}  # fmt: skip
"""By `\\fcharset`."""


def unpack(data: bytes) -> bytes:
    """PidTagRtfCompressed → RTF; nothing where it is not that."""
    if len(data) < 16:
        return b""
    size = min(struct.unpack_from("<I", data, 4)[0], MAX_BYTES)
    if data[8:12] == _STORED:
        return data[16 : 16 + size]
    return _inflate(data, size) if data[8:12] == _COMPRESSED else b""


def _inflate(data: bytes, size: int) -> bytes:
    out = bytearray(_PRIMER)
    position, end, most = 16, len(data), len(_PRIMER) + size
    while position < end and len(out) < most:
        flags = data[position]
        position += 1
        for bit in range(8):
            if flags >> bit & 1:
                if position + 2 > end:
                    return bytes(out[len(_PRIMER) : most])
                word = data[position] << 8 | data[position + 1]
                position += 2
                back = (len(out) - (word >> 4)) % _WINDOW
                if not back:
                    return bytes(out[len(_PRIMER) : most])
                _repeat(out, back, (word & 15) + 2)
            elif position < end:
                out.append(data[position])
                position += 1
    return bytes(out[len(_PRIMER) : most])


def _repeat(out: bytearray, back: int, count: int) -> None:
    start = len(out) - back
    if start < 0:
        out += bytes(count)  # points before the primer: nobody writes that
        return
    for at in range(start, start + count):
        out.append(out[at])


@dataclass(slots=True)
class _Group:
    """What a `{` saves and a `}` restores."""

    is_silent: bool = False
    in_tag: bool = False
    """Inside `\\htmltag`: HTML itself."""
    is_rtf_only: bool = False
    """Between `\\htmlrtf` and `\\htmlrtf0`: meant for readers that know no HTML."""
    codepage: int = 0
    skip: int = 1
    """How many characters stand in for one `\\u`, for readers that know no Unicode."""
    in_fonts: bool = False


@dataclass(slots=True)
class _Reader:
    wraps_html: bool
    group: _Group = field(default_factory=_Group)
    stack: list[_Group] = field(default_factory=list)
    too_deep: int = 0
    """Groups that are open beyond the deepest one we tell apart."""
    out: list[str] = field(default_factory=list)
    pending: bytearray = field(default_factory=bytearray)
    codepage: int = 1252
    fonts: dict[int, int] = field(default_factory=dict)
    font: int = 0
    to_skip: int = 0
    high: int = 0
    """The first half of a surrogate pair."""

    def read(self, data: bytes) -> str:
        for token in _TOKEN.finditer(data):
            if token[1]:
                self._control(token[1].decode("ascii"), int(token[2]) if token[2] else None)
            elif token[3]:
                self._bytes(bytes.fromhex(token[3].decode("ascii")))
            elif token[4]:
                self._symbol(token[4])
            elif token[5]:
                self._brace(token[5] == b"{")
            elif token[6]:
                self._bytes(token[6])
        self._flush()
        return "".join(self.out)

    @property
    def _is_heard(self) -> bool:
        return not self.group.is_silent and (self.group.in_tag or not self.group.is_rtf_only)

    def _brace(self, opens: bool) -> None:
        self._flush()
        self.to_skip = 0
        if opens and len(self.stack) < _MAX_DEPTH:
            self.stack.append(self.group)
            self.group = replace(self.group)
        elif opens:
            self.too_deep += 1
        elif self.too_deep:
            self.too_deep -= 1
        elif self.stack:
            self.group = self.stack.pop()

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":  # a destination; only those we name below are heard
            self.group.is_silent = True
        elif symbol in _SYMBOLS and not self._skipped():
            self._say(_SYMBOLS[symbol])

    def _control(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._unicode(number)
        elif word in _CHARACTERS:
            if not self._skipped():
                self._say(_CHARACTERS[word])
        elif word in ("htmltag", "htmlrtf"):
            self._html_word(word, number)
        elif _SILENT.fullmatch(word):
            self.group.is_silent = True
            self.group.in_fonts = word == "fonttbl"
        else:
            self._setting(word, number or 0)

    def _html_word(self, word: str, number: int | None) -> None:
        self._flush()
        if word == "htmltag":
            self.group.is_silent, self.group.in_tag = not self.wraps_html, True
        elif self.wraps_html:
            self.group.is_rtf_only = number != 0

    def _setting(self, word: str, number: int) -> None:
        if word == "f":
            self._flush()
            self.font = number
            self.group.codepage = 0 if self.group.in_fonts else self.fonts.get(number, 0)
        elif word == "fcharset" and self.group.in_fonts:
            self.fonts[self.font] = _CODE_PAGES.get(number, 0)
        elif word == "ansicpg":
            self.codepage = number
        elif word == "uc":
            self.group.skip = min(max(number, 0), 16)
        elif word == "plain":
            self._flush()
            self.group.codepage = 0

    def _unicode(self, number: int) -> None:
        self._flush()
        unit = number % 65_536
        self.to_skip = self.group.skip
        if 0xD800 <= unit < 0xDC00:
            self.high = unit
        elif 0xDC00 <= unit < 0xE000:
            if self.high:
                self._say(chr(0x10000 + ((self.high - 0xD800) << 10) + unit - 0xDC00))
            self.high = 0
        else:
            self._say(chr(unit) if unit else "")

    def _skipped(self) -> bool:
        if self.to_skip:
            self.to_skip -= 1
            return True
        return False

    def _bytes(self, data: bytes) -> None:
        """Kept as bytes until something else comes: a character's second byte may be a plain letter."""
        if self.to_skip:
            data, self.to_skip = data[self.to_skip :], max(self.to_skip - len(data), 0)
        if data and self._is_heard:
            self.pending += data

    def _flush(self) -> None:
        if self.pending:
            codepage = self.group.codepage or self.codepage
            data, self.pending = bytes(self.pending), bytearray()
            self.out.append(data.decode("ascii") if data.isascii() else charset.decode(data, f"cp{codepage}"))

    def _say(self, text: str) -> None:
        self._flush()
        if self._is_heard:
            self.out.append(text)


def read(rtf: bytes) -> tuple[str, str]:
    """(plain text, HTML): one of them is what the RTF says, the other empty."""
    wraps_html = bool(_HTML_INSIDE.search(rtf, 0, 2_048))
    said = _Reader(wraps_html=wraps_html).read(rtf[:MAX_BYTES])
    return ("", said) if wraps_html else (said.strip("\n"), "")
