"""The compound file that an Outlook message is: properties, recipients, attachments. Format: [MS-OXMSG].

Any bytes give a `Stored` or a BadMessage; what a hostile file can cost is bounded by its own size.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.errors import BadMessage
from normalizer.readers import charset

MAX_BYTES = 256 << 20
MAX_ITEMS = 1_000
"""Attachments, or recipients, of one message; more are not read."""

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROPERTIES = "__properties_version1.0"
_HEADER_BYTES = {"": 32, "message": 24, "item": 8}
_UNICODE, _STRING8, _BINARY, _TIME, _OBJECT = 0x001F, 0x001E, 0x0102, 0x0040, 0x000D
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NAMED_CODE_PAGES = {
    20127: "ascii",
    20866: "koi8-r",
    21866: "koi8-u",
    51949: "euc-kr",
    51932: "euc-jp",
    54936: "gb18030",
}


class _File:
    """An open file; counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        from olefile import OleFileIO

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.ole = OleFileIO(io.BytesIO(data))
        self._left = 2 * len(data) + (1 << 20)
        self.names = {
            tuple(part.lower() for part in path): path for path in self.ole.listdir(streams=True, storages=True)
        }

    def stream(self, *path: str) -> bytes | None:
        """None where there is none, or only a damaged one."""
        found = self.names.get(tuple(part.lower() for part in path))
        if found is None or self.ole.get_type(found) != 2:
            return None
        try:
            content: bytes = self.ole.openstream(found).read()
        except Exception:  # olefile raises whatever the damage leads to
            return None
        self._left -= len(content)
        if self._left < 0:
            raise BadMessage("this .msg claims to hold more than its own size")
        return content

    def children(self, *path: str) -> Iterator[str]:
        """Names of the storages and streams right below."""
        depth, folded = len(path), tuple(part.lower() for part in path)
        for key, name in self.names.items():
            if len(key) == depth + 1 and key[:depth] == folded:
                yield name[-1]


@dataclass(frozen=True, slots=True)
class Stored:
    """One object in the file: the message, a recipient, an attachment, a message inside an attachment."""

    file: _File
    path: tuple[str, ...]
    fixed: dict[int, tuple[int, bytes]]
    """Property id → (type, the eight bytes beside it)."""
    codepage: str

    def text(self, *ids: int) -> str:
        """The first of these properties that says something."""
        for id_ in ids:
            content = self.file.stream(*self.path, f"__substg1.0_{id_:04X}{_UNICODE:04X}")
            if content is not None:
                said = content.decode("utf-16-le", "replace")
            else:
                said = charset.decode(
                    self.file.stream(*self.path, f"__substg1.0_{id_:04X}{_STRING8:04X}") or b"", self.codepage
                )
            if said := said.replace("\0", ""):
                return said
        return ""

    def binary(self, id_: int) -> bytes | None:
        return self.file.stream(*self.path, f"__substg1.0_{id_:04X}{_BINARY:04X}")

    def number(self, id_: int) -> int | None:
        """An integer or a boolean."""
        found = self.fixed.get(id_)
        return struct.unpack_from("<i", found[1])[0] if found else None

    def time(self, *ids: int) -> datetime | None:
        """The first of these that is there, aware, UTC."""
        for id_ in ids:
            kind, value = self.fixed.get(id_, (0, b""))
            if kind == _TIME and (ticks := struct.unpack("<Q", value)[0]):
                try:
                    return _EPOCH + timedelta(microseconds=ticks // 10)
                except OverflowError:
                    continue
        return None

    def items(self, prefix: str) -> list[Stored]:
        """`__recip_version1.0_#…` or `__attach_version1.0_#…`, in their order."""
        names = sorted(name for name in self.file.children(*self.path) if name.lower().startswith(prefix))
        return [_stored(self.file, (*self.path, name), "item", self.codepage) for name in names[:MAX_ITEMS]]

    def inner_message(self, id_: int) -> Stored | None:
        """Of an attachment that is a message itself."""
        path = (*self.path, f"__substg1.0_{id_:04X}{_OBJECT:04X}")
        if (*(part.lower() for part in path), _PROPERTIES) not in self.file.names:
            return None
        return _stored(self.file, path, "message", self.codepage)


def open_msg(data: bytes) -> Stored:
    """Raises BadMessage for what is no Outlook message."""
    if not data.startswith(SIGNATURE):
        raise BadMessage("this is no Outlook .msg file: it does not begin like one")
    if len(data) > MAX_BYTES:
        raise BadMessage(f"this .msg file is larger than {MAX_BYTES} bytes")
    try:
        file = _File(data)
        if (_PROPERTIES,) not in file.names:
            raise BadMessage("this is an Office file, but no Outlook message")
        return _stored(file, (), "", "")
    except BadMessage:
        raise
    except Exception as error:  # olefile raises whatever the damage leads to
        raise BadMessage(f"this .msg file is damaged: {type(error).__name__}") from None


def _stored(file: _File, path: tuple[str, ...], kind: str, codepage: str) -> Stored:
    content = file.stream(*path, _PROPERTIES) or b""
    fixed: dict[int, tuple[int, bytes]] = {}
    for at in range(_HEADER_BYTES[kind], len(content) - 15, 16):
        type_, id_ = struct.unpack_from("<HH", content, at)
        fixed[id_] = (type_, content[at + 8 : at + 16])
    return Stored(file, path, fixed, code_page_name(fixed) or codepage)


def code_page_name(fixed: dict[int, Any]) -> str:
    """PidTagInternetCodepage is that of the text as it travelled, PidTagMessageCodepage that of the strings here."""
    for id_ in (0x3FFD, 0x3FDE):
        if id_ in fixed:
            number = struct.unpack_from("<I", fixed[id_][1])[0]
            if number not in (0, 1200, 65_001) or id_ == 0x3FDE:
                return name_of(number)
    return ""


def name_of(number: int) -> str:
    """A Windows code page's number → a charset name."""
    if 28_591 <= number <= 28_606:
        return f"iso-8859-{number - 28_590}"
    return _NAMED_CODE_PAGES.get(number, f"cp{number}" if number else "")
