"""Which encoding a CSV file is in, found by reading it once."""

from __future__ import annotations

import codecs
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def detect(path: Path) -> str:
    """The encoding, or "" when none fits. A mark decides; else UTF-8 if every byte of the file agrees, then
    UTF-16 without a mark, then GB18030 if what comes out is Chinese in common use, then Windows-1252."""
    with path.open("rb") as file:
        start = file.read(64 << 10)
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    if start.count(0) > len(start) // 8:
        return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    if decodes(path, "utf-8"):
        return "utf-8"
    if decodes(path, "gb18030") and _is_chinese(_foreign_part(path)):
        return "gb18030"
    return "cp1252" if decodes(path, "cp1252") else ""


def decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _foreign_part(path: Path) -> bytes:
    """The first chunk with bytes that are not ASCII, from the line in which they begin."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if not chunk.isascii():
                return chunk + file.readline(_CHUNK_BYTES)
    return b""


def _is_chinese(sample: bytes) -> bool:
    """Western text read as GB18030 gives rare characters; Chinese text gives those GB 2312 already had."""
    foreign = [character for character in sample.decode("gb18030", "ignore") if not character.isascii()]
    common = "".join(foreign).encode("gb2312", "ignore").decode("gb2312")
    return len(common) >= 0.7 * len(foreign)
