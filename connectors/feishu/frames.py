"""Frames of the long connection: protocol buffers (`pbbp2.Frame` in Feishu's own SDKs), written by hand since it is
nine fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CONTROL = 0
DATA = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


class BadFrame(ValueError):
    """The bytes are no frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    method: int
    """CONTROL or DATA."""
    service: int = 0
    seq_id: int = 0
    log_id: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    payload_encoding: str = ""
    payload_type: str = ""
    payload: bytes = b""
    log_id_new: str = ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def encode(frame: Frame) -> bytes:
    """The first four fields are required ones, so they are written also when they are zero."""
    numbers = (frame.seq_id, frame.log_id, frame.service, frame.method)
    parts = [_tag(field, _VARINT) + _varint(number) for field, number in enumerate(numbers, 1)]
    parts += [_block(5, _block(1, key.encode()) + _block(2, value.encode())) for key, value in frame.headers]
    texts = ((6, frame.payload_encoding.encode()), (7, frame.payload_type.encode()), (8, frame.payload))
    parts += [_block(field, data) for field, data in (*texts, (9, frame.log_id_new.encode())) if data]
    return b"".join(parts)


def decode(data: bytes) -> Frame:
    """Fields nobody knows are passed over. Raises BadFrame."""
    numbers: dict[int, int] = {}
    blocks: dict[int, bytes] = {}
    headers = []
    for field, value in _fields(data):
        if isinstance(value, int):
            numbers[field] = value
        elif field == 5:
            headers.append(_header(value))
        else:
            blocks[field] = value
    return Frame(
        seq_id=numbers.get(1, 0),
        log_id=numbers.get(2, 0),
        service=numbers.get(3, 0),
        method=numbers.get(4, 0),
        headers=tuple(headers),
        payload_encoding=_text(blocks.get(6, b"")),
        payload_type=_text(blocks.get(7, b"")),
        payload=blocks.get(8, b""),
        log_id_new=_text(blocks.get(9, b"")),
    )


def _header(data: bytes) -> tuple[str, str]:
    found = {field: value for field, value in _fields(data) if isinstance(value, bytes)}
    return _text(found.get(1, b"")), _text(found.get(2, b""))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        wire, field = tag & 7, tag >> 3
        if wire == _VARINT:
            number, at = _read_varint(data, at)
            yield field, number
            continue
        length = 8 if wire == _FIXED64 else 4
        if wire == _BYTES:
            length, at = _read_varint(data, at)
        elif wire not in (_FIXED64, _FIXED32):
            raise BadFrame("a wire type that does not exist")
        if at + length > len(data):
            raise BadFrame("it ends too early")
        if wire == _BYTES:
            yield field, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise BadFrame("a number without end")


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _tag(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _block(field: int, data: bytes) -> bytes:
    return _tag(field, _BYTES) + _varint(len(data)) + data


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
