"""Which reader takes which file, and taking from it page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from allears_sdk.message import OUTLOOK_MSG, RFC822, Raw
from connectors.folder import jsonfile
from connectors.folder.items import Item, Position, Reading, Reason, Unreadable, advance

Reader = Callable[[Path, Reading, Position], Iterator[Item]]

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A stretch of a file."""

    items: list[Item]
    is_end: bool
    fault: Reason | None = None
    """Why the file, or the rest of it, cannot be read."""


class Source:
    """An open file, read a stretch at a time. All calls block; none overlap."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._ahead: Item | None = None

    def take(self, room: int, max_bytes: int) -> Taken:
        """The next items, up to `room` of them or about `max_bytes`. Raises OSError where disk or share fail."""
        taken: list[Item] = []
        size = 0
        try:
            while item := self._ahead or next(self._items, None):
                self._ahead = item
                if len(taken) >= room or size >= max_bytes:
                    return Taken(items=taken, is_end=False)
                taken.append(item)
                self._ahead = None
                size += len(item.raw.body) if item.raw else 0
        except Unreadable as error:
            return Taken(items=taken, is_end=True, fault=error.reason)
        except PermissionError:
            reason = Reason("no permission to read the file", "没有读取这个文件的权限")
            return Taken(items=taken, is_end=True, fault=reason)
        return Taken(items=taken, is_end=True)

    def close(self) -> None:
        """A reader that a cancelled call is still busy with closes when that call ends."""
        if isinstance(self._items, Generator):
            with suppress(ValueError):
                self._items.close()


def open_source(path: Path, reading: Reading, start: Position) -> Source:
    """Opens nothing yet; the file's name must be one `can_read` knows."""
    return Source(_READERS[path.suffix.lower()](path, reading, start))


def can_read(name: str) -> bool:
    return Path(name).suffix.lower() in _READERS


def read_mail(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    return _read_file(path, reading, start, RFC822)


def read_msg(path: Path, reading: Reading, start: Position) -> Iterator[Item]:
    """What only begins like one is found out by its reader: then it is a letter."""
    with path.open("rb") as file:
        beginning = file.read(len(_COMPOUND_FILE))
    if beginning and beginning != _COMPOUND_FILE:
        raise Unreadable("this is no Outlook message", "这不是 Outlook 邮件文件")
    yield from _read_file(path, reading, start, OUTLOOK_MSG)


def _read_file(path: Path, reading: Reading, start: Position, media_type: str) -> Iterator[Item]:
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("the file is empty", "文件是空的")
    if size > reading.max_file_bytes:
        raise Unreadable(f"larger than {reading.max_file_bytes} bytes", f"文件超过 {reading.max_file_bytes} 字节")
    content = path.read_bytes()
    raw = Raw(
        key=f"sha256:{hashlib.sha256(content).hexdigest()}",
        body=content,
        media_type=media_type,
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
    ".msg": read_msg,
    ".jsonl": jsonfile.read_lines,
    ".ndjson": jsonfile.read_lines,
    ".json": jsonfile.read_whole,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".xlsx": _read_xlsx,
    ".xlsm": _read_xlsx,
}
