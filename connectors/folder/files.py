"""Which reader takes which file, and taking from it page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from allears_sdk.message import RFC822, Raw
from connectors.folder import jsonfile
from connectors.folder.items import Item, Position, Reading, Reason, Unreadable, advance

Reader = Callable[[Path, Reading, Position], Iterator[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A stretch of a file."""

    items: list[Item]
    is_end: bool
    fault: Reason | None = None
    """Why the file, or the rest of it, cannot be read."""


def reader_for(name: str) -> Reader | None:
    return _READERS.get(Path(name).suffix.lower())


def take(items: Iterator[Item], room: int, max_bytes: int) -> Taken:
    """The next items, up to `room` raws or about `max_bytes`. Raises OSError where the disk or share fails."""
    taken: list[Item] = []
    size = 0
    try:
        while len(taken) < room and size < max_bytes:
            item = next(items, None)
            if item is None:
                return Taken(items=taken, is_end=True)
            taken.append(item)
            size += len(item.raw.body) if item.raw else 0
    except Unreadable as error:
        return Taken(items=taken, is_end=True, fault=error.reason)
    except PermissionError:
        reason = Reason("no permission to read the file", "没有读取这个文件的权限")
        return Taken(items=taken, is_end=True, fault=reason)
    return Taken(items=taken, is_end=False)


def read_mail(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("the file is empty", "文件是空的")
    if size > reading.max_file_bytes:
        raise Unreadable(f"larger than {reading.max_file_bytes} bytes", f"文件超过 {reading.max_file_bytes} 字节")
    content = path.read_bytes()
    raw = Raw(
        key=f"sha256:{hashlib.sha256(content).hexdigest()}",
        body=content,
        media_type=RFC822,
        received_at=reading.received_at,
        context={"file": reading.name},
    )
    if not start.row:
        yield Item(position=advance(start), raw=raw)


def _read_csv(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    from connectors.folder import sheet

    return sheet.read_csv(path, reading, start)


def _read_xlsx(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    from connectors.folder import sheet

    return sheet.read_xlsx(path, reading, start)


_READERS: dict[str, Reader] = {
    ".eml": read_mail,
    ".jsonl": jsonfile.read_lines,
    ".ndjson": jsonfile.read_lines,
    ".json": jsonfile.read_whole,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".xlsx": _read_xlsx,
    ".xlsm": _read_xlsx,
}
