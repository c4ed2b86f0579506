"""What the writer needs of a database, whichever it is. Methods block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from allears_sdk.errors import AllearsError, ConfigError
from allears_sdk.settings import nearest
from sink.sql.layout import Kind, Table

Connection = Any
"""One of DB-API 2.0 that commits nothing by itself: transactions are begun and ended by statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Of a table that is there."""

    name: str
    is_text: bool
    is_needed: bool
    """Refuses NULL, and has no default."""
    max_chars: int = 0
    """0: no limit that matters."""


class Database(ABC):
    """One kind of database at one place, as one user."""

    mark: ClassVar[str] = "%s"
    """Stands for a bound value."""
    types: ClassVar[Mapping[Kind, str]]
    errors: tuple[type[Exception], ...] = ()
    """What its driver raises; known once `connect` has been called."""

    @abstractmethod
    def connect(self, *, is_reading: bool = False) -> Connection:
        """A new session; `is_reading` makes nothing. Raises one of ours."""

    @abstractmethod
    def begin(self, connection: Connection) -> None:
        """A transaction in which nothing waits for ever."""

    @abstractmethod
    def columns(self, connection: Connection, table: str) -> dict[str, Column]:
        """Of that table, by name; none when it is not there."""

    @abstractmethod
    def unique(self, connection: Connection, table: str) -> frozenset[str]:
        """Columns that are alone in a unique index."""

    @abstractmethod
    def judge(self, error: Exception) -> AllearsError:
        """What its error asks for while nothing is committed: Rejected where the values are at fault."""

    @abstractmethod
    def has_refused(self, error: Exception) -> bool:
        """Whether the database itself said that a commit failed."""

    @abstractmethod
    def is_alive(self, connection: Connection) -> bool:
        """False where it is known to be of no use any more."""

    def examine(self, connection: Connection, table: str, columns: Iterable[str]) -> None:  # noqa: B027  # most can
        """Raises ConfigError where a table cannot hold what it is to hold."""

    def instant(self, at: datetime) -> str:
        """As its columns take it, in UTC."""
        return at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")

    def adapt(self, value: Any) -> Any:
        """A value as its driver is to bind it."""
        return value

    def commit(self, connection: Connection) -> None:
        self.execute(connection, "COMMIT")

    def rollback(self, connection: Connection) -> None:
        self.execute(connection, "ROLLBACK")

    # What is the same everywhere

    def execute(self, connection: Connection, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        try:
            cursor.execute(statement, values) if values else cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def execute_many(self, connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = connection.cursor()
        try:
            cursor.executemany(statement, rows)
        finally:
            cursor.close()

    def make(self, connection: Connection, table: Table) -> None:
        """The table, its columns and indexes, as far as they are missing."""
        there = self.columns(connection, table.name)
        if not there:
            self.execute(connection, self.create_statement(table))
            for column in table.indexes:
                index = quoted(f"{table.name.rpartition('.')[2]}_{column}")
                self.execute(connection, f"CREATE INDEX {index} ON {quoted(table.name)} ({quoted(column)})")
            return
        for name, kind in table.columns.items():
            if name not in there:
                added = f"{quoted(name)} {self.types[kind]}"
                self.execute(connection, f"ALTER TABLE {quoted(table.name)} ADD COLUMN {added}")

    def create_statement(self, table: Table) -> str:
        columns = [f"{quoted(name)} {self.types[kind]}" for name, kind in table.columns.items() if name != table.key]
        key = f"{quoted(table.key)} {self.types[Kind.KEY]} NOT NULL PRIMARY KEY"
        return f"CREATE TABLE IF NOT EXISTS {quoted(table.name)} ({', '.join([key, *columns])})"


def quoted(name: str) -> str:
    """An identifier, SCHEMA.TABLE too; settings let no quote through."""
    return ".".join(f'"{part}"' for part in name.split("."))


def check_columns(table: str, there: Mapping[str, Column], wanted: Iterable[str]) -> None:
    """Raises ConfigError for the first column that is wanted and not there."""
    for name in wanted:
        if name not in there:
            raise ConfigError(f'table "{table}" has no column "{name}"{nearest(name, sorted(there))}')
