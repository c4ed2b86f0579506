"""Content-Transfer-Encoding undone: base64, quoted-printable, uuencode and yEnc as they really arrive. Never raises."""

from __future__ import annotations

import binascii
import re
from string import ascii_letters, digits

_BASE64 = (ascii_letters + digits + "+/").encode()
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BASE64_LINES = re.compile(rb"\s*((?:[A-Za-z0-9+/]{16,76}[ \t]*\r?\n)*[A-Za-z0-9+/]{2,76}={0,2})[ \t]*(?:\r?\n|\Z)")
_LONG_LINE = re.compile(rb"^[A-Za-z0-9+/]{40}", re.MULTILINE)
_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_NAME = re.compile(r"[\w-]+")
_UU_BEGIN = re.compile(rb"^begin[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{1,255})\r?\n", re.MULTILINE)
_UU_LINES = re.compile(rb"(?:[ -`]{2,90}+\r?\n)++[` ]?(?:\r?\n)?\Z")
_YENC = re.compile(
    rb"^=ybegin [^\r\n]{0,300}?\bname=([^\r\n]{1,255})\r?\n(?:=ypart [^\r\n]{0,200}\r?\n)?"
    rb"((?:(?!=y(?:end|begin) )[^\n]*\n)*)=yend [^\r\n]{0,300}",
    re.MULTILINE,
)
_YENC_ESCAPE = re.compile(rb"=(.)", re.DOTALL)
_YENC_SHIFT = bytes((byte - 42) & 0xFF for byte in range(256))


def decode(data: bytes, encoding: str) -> bytes:
    """`data` as it was before the encoding named in the header; an unknown name, or content that visibly is
    not so encoded, leaves it as it is."""
    found = _NAME.search(encoding)
    name = found[0].lower() if found else ""
    if name == "base64":
        return decode_base64(data)
    if name.startswith("quoted"):
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", data) if b"= " in data or b"=\t" in data else data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return decode_uu(data)
    return data


def decode_base64(data: bytes) -> bytes:
    """Truncated, unpadded, URL-safe, interrupted by padding or by foreign characters: what can be had."""
    try:
        return binascii.a2b_base64(data.translate(None, b"\r\n"), strict_mode=True)
    except binascii.Error:
        return _decode_broken_base64(data)


def _decode_broken_base64(data: bytes) -> bytes:
    try:
        if b"=" not in data.rstrip(b"= \t\r\n") and not _is_plain(data):
            return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    lines = _BASE64_LINES.match(data)
    if lines and _is_footer(data[lines.end() :]) and len(b"".join(lines[1].split())) % 4 == 0:
        return binascii.a2b_base64(lines[1]) + b"\n" + data[lines.end() :]
    return data if _is_plain(data) else b"".join(map(_decode_segment, _segments(data)))


def _is_plain(data: bytes) -> bool:
    """Text that was never encoded: spaces inside its first lines, or many characters base64 does not have."""
    head = data[:1024].strip()
    if not head:
        return False
    foreign = len(head.translate(None, _BASE64 + b"=-_\r\n\t "))
    words = sum(1 for line in head.splitlines()[:12] if line.strip().count(b" ") > 1)
    return foreign > 0.1 * len(head) + 2 or words > 1 or (words == 1 and foreign > 0)


def _is_footer(data: bytes) -> bool:
    """Text that a mailing list wrote below what is encoded."""
    return _is_plain(data) or (b" " in data.strip() and not _LONG_LINE.search(data))


def _segments(data: bytes) -> list[bytes]:
    if b"-" in data or b"_" in data:
        data = data.translate(_URL_SAFE)
    return data.split(b"=")


def _decode_segment(segment: bytes) -> bytes:
    clean = segment.translate(None, _NOT_BASE64)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def decode_uu(data: bytes) -> bytes:
    """The first file in uuencoded `data`; without a `begin` line nothing is decoded."""
    begin = _UU_BEGIN.search(data)
    return _uu_lines(data[begin.end() :]) if begin else data


def uu_name(data: bytes, encoding: bytes) -> bytes:
    """What the `begin` line calls a part that is uuencoded as a whole; empty for every other part."""
    begin = _UU_BEGIN.search(data) if b"uu" in encoding.lower() else None
    return begin[1].strip() if begin else b""


def find_files(data: bytes, most: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Text with uuencoded or yEnc files in it → the text without them, and (raw name, content) of each."""
    files: list[tuple[bytes, bytes]] = []
    if b"=ybegin " in data:
        data = _YENC.sub(lambda found: _take_yenc(found, files, most), data)
    begins = list(_UU_BEGIN.finditer(data)) if b"begin" in data else []
    text: list[bytes] = []
    position = 0
    for begin, following in zip(begins, [*begins[1:], None], strict=False):
        end = _uu_end(data, begin.end(), following.start() if following else len(data))
        encoded = data[begin.end() : end] if end >= 0 and len(files) < most else b""
        content = _uu_lines(encoded)
        if content or (encoded and not encoded.strip(b" `\r\n")):
            text.append(data[position : begin.start()])
            files.append((begin[1].strip(), content))
            position = min(end + 4, len(data))
    text.append(data[position:])
    return b"".join(text), files


def _uu_end(data: bytes, start: int, limit: int) -> int:
    """Before the line `end`, or where the data ends when all up to there looks encoded; -1 where neither is so."""
    end = data.find(b"\nend", start - 1, limit)
    return limit if end < 0 and limit == len(data) and _UU_LINES.match(data, start) else end


def _take_yenc(found: re.Match[bytes], files: list[tuple[bytes, bytes]], most: int) -> bytes:
    if len(files) >= most:
        return found[0]
    lines = found[2].translate(None, b"\r\n")
    plain = _YENC_ESCAPE.sub(lambda escape: bytes(((escape[1][0] - 64) & 0xFF,)), lines)
    files.append((found[1].strip(), plain.translate(_YENC_SHIFT)))
    return b""


def _uu_lines(data: bytes) -> bytes:
    out = bytearray()
    for line in data.splitlines():
        if line.strip() == b"end":
            break
        out += _uu_line(line)
    return bytes(out)


def _uu_line(line: bytes) -> bytes:
    if not line or line[0] < 0x20:
        return b""
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        needed = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:needed])
        except binascii.Error:
            return b""
