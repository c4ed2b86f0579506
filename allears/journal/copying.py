"""Backup and restore: the database first, then every blob it names."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from allears.journal.blobs import Blobs, sync_folder
from allears.journal.opening import FILE, mark_restored
from allears.journal.sweeping import held
from allears.journal.writer import connect

_KEY = "tokens.key"
Report = Callable[[int, int], None]
"""Called with (done, total) while a long step goes on."""


def back_up(data_folder: Path, folder: Path, report: Report = lambda done, total: None) -> None:
    """Copy a journal, in use or not, into an empty or new folder. Raises FileExistsError when it is neither."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder for this backup")
    with held(data_folder):
        _copy(data_folder, folder, report)


def _copy(data_folder: Path, folder: Path, report: Report) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = folder / f".{FILE}"
    with closing(connect(data_folder / FILE)) as source, closing(sqlite3.connect(partial)) as target:
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM stamps").fetchone()  # one view of it all: else each commit starts us over
        source.backup(target, pages=2000, progress=lambda status, remaining, total: report(total - remaining, total))
        target.execute("PRAGMA journal_mode = DELETE")
        names = _names_in(target)
    _copy_blobs(Blobs(data_folder / "blobs"), Blobs(folder / "blobs"), names, report)
    if (data_folder / _KEY).exists():
        shutil.copy2(data_folder / _KEY, folder / _KEY)
    _sync_file(partial)
    partial.replace(folder / FILE)  # a backup without this name was not finished
    sync_folder(folder)


def restore(backup: Path, data_folder: Path, report: Report = lambda done, total: None) -> None:
    """Put a backup into an empty or new data folder and stamp it, so that nothing it files again is filed twice."""
    if not (backup / FILE).exists():
        raise FileNotFoundError(f"{backup} holds no finished backup: {FILE} is missing")
    if data_folder.exists() and any(data_folder.iterdir()):
        raise FileExistsError(f"{data_folder} is not empty: move it away first")
    data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(sqlite3.connect(backup / FILE)) as source:
        names = _names_in(source)
    _copy_blobs(Blobs(backup / "blobs"), Blobs(data_folder / "blobs"), names, report)
    if (backup / _KEY).exists():
        shutil.copy2(backup / _KEY, data_folder / _KEY)
        _sync_file(data_folder / _KEY)
    partial = data_folder / f".{FILE}"
    shutil.copy2(backup / FILE, partial)
    mark_restored(partial, datetime.now(UTC).timestamp())
    _sync_file(partial)
    partial.replace(data_folder / FILE)  # no daemon can run on it before it is stamped
    sync_folder(data_folder)


def _names_in(sql: sqlite3.Connection) -> list[str]:
    """A backup of an older journal has no fetched files yet."""
    is_old = sql.execute("SELECT 1 FROM sqlite_master WHERE name='fetches'").fetchone() is None
    fetched = "" if is_old else " UNION SELECT blob FROM fetches WHERE blob IS NOT NULL"
    return [row[0] for row in sql.execute(f"SELECT DISTINCT blob FROM raws WHERE blob IS NOT NULL{fetched}")]


def _copy_blobs(source: Blobs, target: Blobs, names: list[str], report: Report) -> None:
    for done, name in enumerate(names, start=1):
        target.write(source.read(name))
        report(done, len(names))


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
