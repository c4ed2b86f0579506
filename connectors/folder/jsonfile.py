"""Files of messages as JSON: one a line (`.jsonl`), or one array or object a file (`.json`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from io import BufferedReader
from pathlib import Path

import msgspec

from allears_sdk.connector import Missing
from allears_sdk.message import MESSAGE_JSON, Raw
from connectors.folder.items import Item, Occurrences, Position, Reading, Reason, Unreadable, advance

MAX_LINE_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"


class _Glance(msgspec.Struct, gc=False):
    """All that is looked at here; a worker validates the whole message."""

    text: str
    external_id: str | int | None = ""
    thread: str | int | list[str | int] | None = ""

    def ids(self) -> tuple[str, str]:
        """External id, and the root of the thread it belongs to or opens."""
        own = "" if self.external_id is None else str(self.external_id)
        root = self.thread[-1:] if isinstance(self.thread, list) else [self.thread or ""]
        return own, str(root[0] if root else "") or own


def read_lines(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    """Seeks to where it stopped; only when rows without an id came before are those counted again."""
    with path.open("rb") as file, closing(Occurrences()) as occurrences:
        position = start
        if start.anonymous:
            position = Position()
        else:
            file.seek(start.offset)
        while line := file.readline(MAX_LINE_BYTES + 1):
            is_too_long = len(line) > MAX_LINE_BYTES and not line.endswith(b"\n")
            if is_too_long:
                _skip_line(file)
            content = line.removeprefix(_BOM).strip()
            item = _item(content if not is_too_long else b"", reading, position, file.tell(), occurrences)
            if is_too_long:
                item = _too_long(reading, item.position)
            position = item.position
            if position.offset > start.offset:
                yield item


def read_whole(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    """An array's elements, or the one message, each as it was written."""
    if path.stat().st_size > reading.max_file_bytes:
        raise Unreadable(
            f"larger than {reading.max_file_bytes} bytes; one message per line (.jsonl) may have any size",
            f"文件超过 {reading.max_file_bytes} 字节；请改用每行一条的 .jsonl，大小不限",
        )
    content = _as_utf8(path.read_bytes().removeprefix(_BOM)).strip()
    try:
        is_array = content[:1] == b"["
        pieces = msgspec.json.decode(content, type=list[msgspec.Raw]) if is_array else [_whole(content)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"not JSON: {error}", f"不是有效的 JSON：{error}") from None
    position = Position()
    with closing(Occurrences()) as occurrences:
        for piece in pieces:
            item = _item(bytes(piece), reading, position, 0, occurrences)
            position = item.position
            if position.row > start.row:
                yield item


def _whole(content: bytes) -> msgspec.Raw:
    return msgspec.json.decode(content, type=msgspec.Raw)


def _item(content: bytes, reading: Reading, before: Position, offset: int, occurrences: Occurrences) -> Item:
    if not content:
        return Item(position=advance(before, offset=offset))
    body = _as_utf8(content)
    external_id, thread, fault = _look(body)
    key = external_id or occurrences.key(body)
    position = advance(before, offset=offset, is_anonymous=not external_id)
    raw = Raw(
        key=key,
        body=body,
        media_type=MESSAGE_JSON,
        received_at=reading.received_at,
        digest=hashlib.sha256(body).hexdigest() if external_id else "",
        thread=thread,
        quarantine=fault,
        context=reading.facts(position.row, timezone=str(reading.zone)),
    )
    return Item(position=position, raw=raw)


def _look(body: bytes) -> tuple[str, str, str]:
    """External id, thread and fault, each "" where there is none. An array is one conversation and known by its
    content."""
    try:
        if body[:1] == b"[":
            msgspec.json.decode(body, type=list[_Glance])
            return "", "", ""
        return *msgspec.json.decode(body, type=_Glance).ids(), ""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return "", "", str(Reason(f"not a message: {error}", "这一行不是一条有效的消息"))


def _too_long(reading: Reading, position: Position) -> Item:
    reason = Reason(f"longer than {MAX_LINE_BYTES} bytes", f"这一行超过 {MAX_LINE_BYTES} 字节")
    name = f"{reading.name}\0{position.offset}"
    key = f"row:{hashlib.sha256(name.encode()).hexdigest()}"
    locator = reading.facts(position.row, offset=position.offset)
    return Item(position=position, missing=Missing(key=key, reason=str(reason), locator=locator))


def _skip_line(file: BufferedReader) -> None:
    while (piece := file.readline(1 << 20)) and not piece.endswith(b"\n"):
        pass


def _as_utf8(content: bytes) -> bytes:
    """JSON is UTF-8; what older Chinese systems write as GB18030 is turned into it."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return content.decode("gb18030").encode()
        except UnicodeDecodeError:
            return content
    return content
