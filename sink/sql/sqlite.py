"""SQLite: a file that other programs read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from allears_sdk.errors import AllearsError, ConfigError, Rejected, Unavailable
from sink._lines import LineFile
from sink.sql.database import Column, Connection, Database, quoted
from sink.sql.layout import Kind
from sink.sql.settings import SqlSettings

_REFUSED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_CONSTRAINT", "SQLITE_READONLY"})
_HOPELESS = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN"})
_VALUES = frozenset({"SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH"})


class Sqlite(Database):
    mark: ClassVar[str] = "?"
    types: ClassVar[Mapping[Kind, str]] = {
        Kind.KEY: "TEXT",
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "INTEGER",
        Kind.NUMBER: "REAL",
        Kind.INSTANT: "TEXT",
        Kind.JSON: "TEXT",
    }
    errors = (sqlite3.Error, UnicodeEncodeError, OverflowError)

    def __init__(self, settings: SqlSettings) -> None:
        self._path = Path(settings.database)
        self._wait_seconds = settings.timeout_seconds / 2

    def connect(self, *, is_reading: bool = False) -> Connection:
        if is_reading and not self._path.exists():
            LineFile.check(self._path)
            return sqlite3.connect(":memory:")
        try:
            is_new = not is_reading and self._make_file()
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'ro' if is_reading else 'rw'}",
                uri=True,
                timeout=self._wait_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
            if is_new:  # of somebody else's file we leave it as it is
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error as error:
            raise self.judge(error) from None
        except OSError as error:
            raise ConfigError(f"{self._path}: {error.strerror}") from None
        return connection

    def begin(self, connection: Connection) -> None:
        self.execute(connection, "BEGIN IMMEDIATE")

    def columns(self, connection: Connection, table: str) -> dict[str, Column]:
        rows = self.execute(connection, f"PRAGMA table_info({quoted(table)})")
        return {
            name: Column(name=name, is_text=_is_text(type_), is_needed=bool(needed) and default is None)
            for _, name, type_, needed, default, _ in rows
        }

    def unique(self, connection: Connection, table: str) -> frozenset[str]:
        keys = [
            name for _, name, _, _, _, key in self.execute(connection, f"PRAGMA table_info({quoted(table)})") if key
        ]
        found = {*keys} if len(keys) == 1 else set()
        for _, index, is_unique, _, is_partial in self.execute(connection, f"PRAGMA index_list({quoted(table)})"):
            columns = [name for _, _, name in self.execute(connection, f"PRAGMA index_info({quoted(index)})")]
            if is_unique and not is_partial and len(columns) == 1:
                found.add(columns[0])
        return frozenset(found)

    def judge(self, error: Exception) -> AllearsError:
        code, words = _code(error), f"{self._path}: {error}"
        if code in _HOPELESS:
            return ConfigError(words)
        if code in _VALUES or not isinstance(error, sqlite3.Error):
            return Rejected(words)
        if "no such table" in words or "no such column" in words or "has no column" in words:
            return ConfigError(words)
        return Unavailable(words)

    def has_refused(self, error: Exception) -> bool:
        return _code(error) in _REFUSED

    def is_alive(self, connection: Connection) -> bool:
        return True

    def _make_file(self) -> bool:
        """Whether it had to be made. It is readable by its owner only."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return self._path.stat().st_size == 0
        return True


def _code(error: Exception) -> str:
    """`SQLITE_CONSTRAINT` of `SQLITE_CONSTRAINT_UNIQUE`."""
    return "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])


def _is_text(declared: str) -> bool:
    return not declared or any(part in declared.upper() for part in ("CHAR", "CLOB", "TEXT"))
