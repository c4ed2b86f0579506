"""Opening a journal: the data folder's lock, migrations, and the stamp that betrays a restored file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

from filelock import FileLock, Timeout

from allears.journal.blobs import sync_folder
from allears.journal.errors import JournalBroken, JournalInUse, JournalUnavailable
from allears.journal.writer import connect, translated

FILE = "journal.sqlite3"
_BOOTS = "boots"


def lock_folder(folder: Path) -> FileLock:
    """One daemon per data folder. Raises JournalInUse."""
    _make(folder)
    lock = FileLock(folder / "daemon.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise JournalInUse(
            f"another allears runs on {folder}; stop it, or give this one a data folder of its own"
        ) from None
    return lock


def prepare(folder: Path) -> None:
    """Make the folder and bring the journal's tables up to this code's version."""
    _make(folder)
    with _connected(folder / FILE) as connection:
        _migrate(connection)


def boot(folder: Path, now: float) -> None:
    """Count this start, in the journal and beside it. A journal that counts fewer starts than the file beside it
    was rolled back, which counts as a restore."""
    beside = folder / _BOOTS
    counted = int(beside.read_text() or 0) if beside.exists() else 0
    with _connected(folder / FILE) as connection:
        boots = int(_stamp(connection, "boots") or 0)
        connection.execute("BEGIN IMMEDIATE")
        if counted > boots:
            _note_restored(connection, now)
        _set_stamp(connection, "born", _stamp(connection, "born") or repr(now))
        _set_stamp(connection, "boots", str(max(boots, counted) + 1))
        connection.execute("COMMIT")
    _write_durably(beside, str(max(boots, counted) + 1))


def mark_restored(file: Path, now: float) -> None:
    with _connected(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _note_restored(connection, now)
        connection.execute("COMMIT")


def _note_restored(connection: sqlite3.Connection, now: float) -> None:
    """What was not sent when the copy was made may have been sent since: look before sending it."""
    _set_stamp(connection, "restored", repr(now))
    connection.execute("UPDATE deliveries SET doubtful=1 WHERE state='letter'")
    connection.execute("UPDATE deliveries SET state='doubt', doubtful=1 WHERE state IN ('pending', 'sending')")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise JournalUnavailable(f"cannot make the data folder {folder}: {error}") from error


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    """Raises JournalBroken or JournalUnavailable."""
    try:
        with closing(connect(file)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise translated(error) from error


def _migrate(connection: sqlite3.Connection) -> None:
    scripts = sorted(
        (entry.name, entry.read_text("utf-8"))
        for entry in resources.files("allears.journal").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    version = _version(connection)
    if version > len(scripts):
        raise JournalBroken(
            f"the journal is of version {version}, this allears knows up to {len(scripts)}: use the newer allears"
        )
    for number, (_, script) in enumerate(scripts[version:], start=version + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.OperationalError:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if _version(connection) < number:
                raise  # else another process has done it meanwhile


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _stamp(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM stamps WHERE name=?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _set_stamp(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO stamps VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
    )


def _write_durably(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.new")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)
