"""Files of the data folder that nobody names: looked for now and then, and removed when they are a day old."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from allears.journal import bulk
from allears.journal.blobs import Blobs

DAY_SECONDS = 86_400.0
YOUNG_SECONDS = 60.0
"""A file may be written a while before the row that names it."""
_LOCK = "blobs.lock"
_NAMED = "SELECT EXISTS (SELECT 1 FROM raws WHERE blob=:name) OR EXISTS (SELECT 1 FROM fetches WHERE blob=:name)"


class HeldByBackup(Exception):
    """A backup copies the files that its database names: none goes meanwhile."""


@contextmanager
def removal(data_folder: Path) -> Iterator[None]:
    """Raises HeldByBackup."""
    try:
        with FileLock(data_folder / _LOCK, timeout=0, mode=0o600):
            yield
    except Timeout:
        raise HeldByBackup("a backup is being made") from None


@contextmanager
def held(data_folder: Path) -> Iterator[None]:
    """While a backup is made; a removal in hand ends first."""
    with FileLock(data_folder / _LOCK, mode=0o600):
        yield


def unnamed(sql: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Those of these files that no row names."""
    found = {
        name
        for table in ("raws", "fetches")
        for (name,) in bulk.select(sql, f"SELECT blob FROM {table} WHERE blob IN", names)
    }
    return [name for name in names if name not in found]


def remove(sql: sqlite3.Connection, blobs: Blobs, name: str, *, age_seconds: float) -> bool:
    """Remove a file in a transaction of its own kind: no row that names it can be written meanwhile. False: it is too
    young, whoever wrote it may be about to name it."""
    if sql.execute(_NAMED, {"name": name}).fetchone()[0]:
        return True
    path = blobs.path(name)
    aside = path.with_name(f".{name}.gone")
    try:
        path.replace(aside)  # first out of reach, then looked at: nobody can refresh it in between
    except FileNotFoundError:
        aside.unlink(missing_ok=True)
        return True
    if time.time() - aside.stat().st_mtime < age_seconds:
        aside.replace(path)
        return False
    aside.unlink()
    return True


def shelves(blobs: Blobs) -> list[Path]:
    """The folders in which files lie."""
    return sorted(path for path in blobs.folder.iterdir() if path.is_dir())


def old_files(shelf: Path) -> tuple[list[str], int]:
    """(Names of files that are a day old, how many halves of files were removed.)"""
    before = time.time() - DAY_SECONDS
    names: list[str] = []
    halves = 0
    for path in shelf.iterdir():
        try:
            if path.stat().st_mtime >= before:
                continue
        except FileNotFoundError:
            continue
        if path.name.startswith("."):
            path.unlink(missing_ok=True)
            halves += 1
        else:
            names.append(path.name)
    return names, halves
