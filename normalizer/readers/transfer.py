"""Content-Transfer-Encoding undone: base64, quoted-printable and uuencode as they really arrive. Never raises."""

from __future__ import annotations

import binascii
import re
from string import ascii_letters, digits

_BASE64 = (ascii_letters + digits + "+/").encode()
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PADDING_INSIDE = re.compile(rb"=[=\s]*[A-Za-z0-9+/]")
_SEGMENT = re.compile(rb"[A-Za-z0-9+/\s]+")
_UU_BEGIN = re.compile(rb"^begin[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{1,255})\r?\n", re.MULTILINE)


def decode(data: bytes, encoding: str) -> bytes:
    """`data` as it was before the encoding named in the header; an unknown name, or content that visibly is
    not so encoded, leaves it as it is."""
    name = encoding.strip(" \t\r\n;\"'").lower()
    if name == "base64":
        return decode_base64(data)
    if name.startswith("quoted"):
        return binascii.a2b_qp(data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return decode_uu(data)
    return data


def decode_base64(data: bytes) -> bytes:
    """Truncated, unpadded, URL-safe, interrupted by padding or by foreign characters: what can be had."""
    try:
        if not _PADDING_INSIDE.search(data) and not _is_plain(data):
            return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    return data if _is_plain(data) else b"".join(map(_decode_segment, _segments(data)))


def _is_plain(data: bytes) -> bool:
    """Text that was never encoded: spaces inside its first lines, or many characters base64 does not have."""
    head = data[:1024].strip()
    if not head:
        return False
    foreign = len(head.translate(None, _BASE64 + b"=-_\r\n\t "))
    words = sum(1 for line in head.splitlines()[:12] if line.strip().count(b" ") > 1)
    return foreign > 0.1 * len(head) + 2 or words > 1 or (words == 1 and foreign > 0)


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


def find_uu_files(data: bytes, most: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Text with uuencoded files in it → the text without them, and (raw name, content) of each."""
    begins = list(_UU_BEGIN.finditer(data)) if b"\nend" in data else []
    if not begins:
        return data, []
    text: list[bytes] = []
    files: list[tuple[bytes, bytes]] = []
    position = 0
    for begin, following in zip(begins, [*begins[1:], None], strict=True):
        end = data.find(b"\nend", begin.end() - 1, following.start() if following else len(data))
        content = _uu_lines(data[begin.end() : end]) if end >= 0 and len(files) < most else b""
        if content:
            text.append(data[position : begin.start()])
            files.append((begin[1].strip(), content))
            position = end + 4
    text.append(data[position:])
    return b"".join(text), files


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
