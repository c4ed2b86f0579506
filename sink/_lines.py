"""A file of lines that is appended to whole lines at a time, and knows which keys it holds.

Methods block, unless they say otherwise, and may be called from any thread: one works at a time, so that `has` waits
for an `append` whose caller has given up.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from allears_sdk.context import Clock
from allears_sdk.errors import ConfigError, InDoubt, Unavailable
from sink._keys import KeyIndex, Reader, keys_in_json

_CHUNK = 1 << 16
_HOPELESS = (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a new file begins; 0 and False: never."""

    max_bytes: int = 0
    daily: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the file looks like."""

    keys_in: Reader = keys_in_json
    end: bytes = b"\n"
    """Stands nowhere but at the end of a line."""
    head: bytes = b""
    """The first line, with its end. A file that begins otherwise is rotated away."""


class LineFile:
    """The file at `path`, held alone from `open` to `close`."""

    def __init__(self, path: Path, rotation: Rotation, clock: Clock, form: Form | None = None) -> None:
        self._form = form or Form()
        self._path = path.resolve()
        self._rotation = rotation
        self._clock = clock
        self._mutex = threading.Lock()
        self._lock = FileLock(f"{self._path}.lock", mode=0o600, thread_local=False)
        self._descriptor = -1
        self._day = date.min
        self._damaged = False
        self._index: KeyIndex | None = None

    @staticmethod
    def check(path: Path) -> None:
        """Raises ConfigError where the file cannot be written. Creates nothing."""
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is not a file")
        place = path if path.exists() else next(parent for parent in path.absolute().parents if parent.exists())
        if not os.access(place, os.W_OK):
            raise ConfigError(f"{place} is not writable")

    def open(self) -> int:
        """Take the file, and set a half line at its end aside; how many bytes that was.

        Raises ConfigError when another destination or daemon holds it, Unavailable when it cannot be opened.
        """
        with self._mutex:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(blocking=False)
                return self._take()
            except Timeout:
                raise ConfigError(f"{self._path} is written by another destination or daemon") from None
            except OSError as error:
                self._drop()
                self._lock.release()
                kind = ConfigError if isinstance(error, _HOPELESS) else Unavailable
                raise kind(f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            self._drop()
            self._lock.release()

    def append(self, lines: Sequence[bytes]) -> None:
        """Put lines on disk, all or none. Raises Unavailable (none), InDoubt (perhaps some)."""
        if not lines:
            return
        with self._mutex:
            self._make_ready()
            self._write(b"".join(line + self._form.end for line in lines))
            if self._index is not None:
                self._index.add(lines)

    def has(self, key: str) -> bool:
        """Whether a line with this key stands in the file, or in one that was rotated away. Raises Unavailable."""
        with self._mutex:
            self._make_ready()
            try:
                if self._index is None:
                    self._index = KeyIndex([*self.rotated(), self._path], self._form.keys_in)
            except OSError as error:
                raise Unavailable(f"{self._path}: {error.strerror}") from None
            return key in self._index

    def has_at_once(self, key: str) -> bool | None:
        """`has` without waiting: None while the file is written, or before its keys have been read."""
        if self._index is None or not self._mutex.acquire(blocking=False):
            return None
        try:
            self._make_ready()
            return None if self._index is None else key in self._index
        finally:
            self._mutex.release()

    def _make_ready(self) -> None:
        """Open, at its path, undamaged, and rotated when that is due."""
        try:
            if self._damaged or self._is_moved():
                self._drop()
                self._take()
            if self._is_due():
                self._rotate()
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from None

    def _take(self) -> int:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        torn = _cut_half_line(self._descriptor, self._path, self._form.end)
        if head := self._form.head:
            self._begin_with(head)
        _sync_folder(self._path)
        state = os.fstat(self._descriptor)
        self._day = datetime.fromtimestamp(state.st_mtime, UTC).date() if state.st_size else self._today()
        self._damaged = False
        return torn

    def _begin_with(self, head: bytes) -> None:
        """A new file has its head before anything else; one with another head makes room."""
        if os.fstat(self._descriptor).st_size and os.pread(self._descriptor, len(head), 0) != head:
            os.close(self._descriptor)
            self._path.rename(self._rotated_name())
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not os.fstat(self._descriptor).st_size:
            os.write(self._descriptor, head)
            os.fsync(self._descriptor)

    def _drop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._index = None

    def _is_moved(self) -> bool:
        """Somebody else's rotation took the file away."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        return self._descriptor < 0 or not os.path.samestat(there, os.fstat(self._descriptor))

    def _is_due(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        is_large = bool(self._rotation.max_bytes) and size >= self._rotation.max_bytes
        return size > len(self._form.head) and (is_large or (self._rotation.daily and self._day != self._today()))

    def _rotate(self) -> None:
        self._path.rename(self._rotated_name())
        index = self._index
        self._drop()
        self._take()
        self._index = index

    def _rotated_name(self) -> Path:
        stamp = self._clock.now().strftime(_STAMP)
        names = (
            f"{self._path.stem}-{stamp}{count}{self._path.suffix}" for count in ("", *map("-{}".format, range(2, 1000)))
        )
        return next(target for name in names if not (target := self._path.with_name(name)).exists())

    def rotated(self) -> list[Path]:
        """Those that were this file once."""
        name = re.compile(rf"{re.escape(self._path.stem)}-\d{{8}}T\d{{6}}Z(-\d+)?{re.escape(self._path.suffix)}")
        return [path for path in self._path.parent.iterdir() if name.fullmatch(path.name)]

    def _today(self) -> date:
        return self._clock.now().astimezone(UTC).date()

    def _write(self, data: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError as error:
            self._undo(before, error)
        self._day = self._today()

    def _undo(self, size: int, error: OSError) -> None:
        try:
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        except OSError:
            self._damaged = True
            raise InDoubt(f"{self._path}: {error.strerror}, and what was written could not be taken back") from None
        raise Unavailable(f"{self._path}: {error.strerror}") from None


def _cut_half_line(descriptor: int, path: Path, mark: bytes) -> int:
    """Move what follows the last line end into a `.torn` file; how many bytes that was."""
    size = os.fstat(descriptor).st_size
    keep = _end_of_lines(descriptor, size, mark)
    if keep == size:
        return 0
    aside = os.open(f"{path}.torn", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(aside, "ab") as file:
        for start in range(keep, size, _CHUNK):
            file.write(os.pread(descriptor, min(_CHUNK, size - start), start))
        file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.ftruncate(descriptor, keep)
    os.fsync(descriptor)
    return size - keep


def _end_of_lines(descriptor: int, size: int, mark: bytes) -> int:
    """Where the last whole line ends."""
    for end in range(size, 0, -_CHUNK):
        start = max(0, end - _CHUNK)
        place = os.pread(descriptor, end - start + len(mark) - 1, start).rfind(mark)
        if place >= 0:
            return start + place + len(mark)
    return 0


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
