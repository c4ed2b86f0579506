"""What stands inside an S/MIME envelope that is signed but not encrypted (RFC 5652). No signature is checked."""

from __future__ import annotations

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_EXPLICIT, _OCTETS, _CONSTRUCTED_OCTETS = 0xA0, 0x04, 0x24
_INDEFINITE = -1
_MAX_DEPTH = 8


def signed_content(envelope: bytes) -> bytes:
    """The MIME entity that was signed; empty when there is none to be had."""
    start = envelope.find(_SIGNED_DATA, 0, 64)
    inner = envelope.find(_DATA, start, start + 4096) if start >= 0 else -1
    if inner < 0:
        return b""
    try:
        kind, position, _ = _header(envelope, inner + len(_DATA))
        return _octets(envelope, position, _MAX_DEPTH)[0] if kind == _EXPLICIT else b""
    except (IndexError, ValueError):
        return b""


def _header(data: bytes, position: int) -> tuple[int, int, int]:
    """Tag, where the content begins, and its length in bytes (-1: until an end mark)."""
    kind, length = data[position], data[position + 1]
    position += 2
    if length == 0x80:
        return kind, position, _INDEFINITE
    if length < 0x80:
        return kind, position, length
    count = length & 0x7F
    return kind, position + count, int.from_bytes(data[position : position + count], "big")


def _octets(data: bytes, position: int, depth: int) -> tuple[bytes, int]:
    """An octet string, whole or in pieces, and where it ends. What was cut off is missing."""
    kind, start, length = _header(data, position)
    if kind == _OCTETS and length != _INDEFINITE:
        return data[start : start + length], start + length
    if kind != _CONSTRUCTED_OCTETS or not depth:
        raise ValueError("no octet string")
    end = len(data) if length == _INDEFINITE else min(start + length, len(data))
    pieces: list[bytes] = []
    while start < end and data[start : start + 2] != b"\0\0":
        piece, start = _octets(data, start, depth - 1)
        pieces.append(piece)
    return b"".join(pieces), start + 2 if length == _INDEFINITE else end
