"""The directory itself: what lies there, what has settled, and moving what is done. All calls block."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from connectors.folder.items import Reason

DONE = "done"
FAILED = "failed"
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")
_LONG_AGO_SECONDS = 60
"""A file whose own times are this old is settled at first sight; more than clocks of file servers differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A regular file as it was when looked at."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int = 0

    @property
    def mark(self) -> tuple[str, int, int]:
        """Another file, or another state of it, has another mark."""
        return self.name, self.size, self.mtime_ns


class Inbox:
    """Remembers since when each file has not changed."""

    def __init__(self, path: Path, settle_seconds: float) -> None:
        self.path = path
        self._settle_seconds = settle_seconds
        self._since: dict[tuple[str, int, int], float] = {}

    def make(self) -> None:
        for folder in (self.path, self.path / DONE, self.path / FAILED):
            folder.mkdir(parents=True, exist_ok=True)

    def look(self, monotonic: float, now: float) -> list[Found]:
        """Files that have settled, oldest first. `now` is wall time in seconds. Raises OSError."""
        found = [file for entry in os.scandir(self.path) if (file := _find(entry))]
        self._since = {file.mark: self._since.get(file.mark, monotonic) for file in found}
        settled = [file for file in found if self._is_settled(file, monotonic, now)]
        return sorted(settled, key=lambda file: (file.mtime_ns, file.name))

    def _is_settled(self, file: Found, monotonic: float, now: float) -> bool:
        if monotonic - self._since[file.mark] >= self._settle_seconds:
            return True
        changed = max(file.mtime_ns, file.ctime_ns) / 1e9
        return now - changed >= max(self._settle_seconds, _LONG_AGO_SECONDS)

    def move(self, file: Found, failed: Reason | None) -> Path | None:
        """Into `done/`, or `failed/` with its reason beside it. None when it has changed meanwhile: then it stays
        and is read again. Raises OSError."""
        if not self.is_unchanged(file):
            return None
        folder = self.path / (FAILED if failed else DONE)
        folder.mkdir(exist_ok=True)
        target = _free_name(folder, file.name)
        if failed:
            _write(target.with_name(f"{target.name}.reason"), f"{failed.zh}\n{failed.en}\n")
        file.path.rename(target)
        return target

    def is_unchanged(self, file: Found) -> bool:
        with suppress(OSError):
            status = file.path.lstat()
            return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == file.mark[1:]
        return False

    def sync(self) -> None:
        """Makes moves durable. Where folders cannot be synced (Windows), the file system sees to it."""
        for folder in (self.path / DONE, self.path / FAILED, self.path):
            with suppress(OSError):
                handle = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def counts(self) -> Mapping[str, int]:
        """How many files lie where."""
        folders = {"waiting": self.path, DONE: self.path / DONE, FAILED: self.path / FAILED}
        return {
            name: sum(1 for entry in os.scandir(folder) if entry.is_file() and not entry.name.endswith(".reason"))
            for name, folder in folders.items()
        }


def _find(entry: os.DirEntry[str]) -> Found | None:
    """None for folders, links, devices, hidden and unfinished files."""
    if entry.name.startswith((".", "~$")) or entry.name.lower().endswith(_UNFINISHED):
        return None
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        status = Path(entry.path).lstat()
    except OSError:  # gone since it was listed
        return None
    return Found(
        name=entry.name,
        path=Path(entry.path),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
    )


def _free_name(folder: Path, name: str) -> Path:
    """ "a.csv", then "a.2.csv", "a.3.csv"…"""
    target, number = folder / name, 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
    return target


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
