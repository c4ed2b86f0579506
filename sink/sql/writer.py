"""Writes events into the tables, several in one transaction, none twice.

The child table decides: what has a row there is known, and rows of both tables are committed together. So a write can
be repeated whenever it is not sure what became of it.

Methods block and may be called from any thread: one works at a time, so that a write waits for one that was given up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, Unavailable
from sink.sql.database import Column, Connection, Database, check_columns, quoted
from sink.sql.layout import ENTRY_KEY, EVENT, own_tables
from sink.sql.rows import Rows, Value
from sink.sql.settings import SqlSettings

_LOOKED_UP_AT_ONCE = 500
_FREED_WITHIN_SECONDS = 5.0
_KEY_CHARS = 40


class Writer:
    """One session with the database, begun when it is needed."""

    def __init__(self, database: Database, settings: SqlSettings) -> None:
        self._database = database
        self._settings = settings
        self._mutex = threading.Lock()
        self._connection: Connection | None = None
        self._columns: Mapping[str, Column] = {}
        self._kept = settings.kept

    def prepare(self) -> None:
        """Make what is missing, and look whether all that is written has a place. Raises ConfigError and others."""
        with self._alone():
            self._ready()

    def check(self) -> list[str]:
        """As `prepare`, but makes nothing; which tables are still to be made."""
        connection = self._database.connect(is_reading=True)
        try:
            missing = [table.name for table in own_tables(self._settings) if not self._there(connection, table.name)]
            self._examine(connection, missing)
        except self._database.errors as error:
            raise self._database.judge(error) from None
        finally:
            connection.close()
        return missing

    def write(self, items: Sequence[Rows]) -> list[AllearsError | None]:
        """For each, in order, None or why it is not there. Raises what concerns all: then none is there, or, as
        InDoubt says, perhaps all."""
        if not items:
            return []
        with self._alone():
            try:
                with self._transaction() as connection:
                    self._write(connection, items)
            except Rejected:
                return self._write_singly(items)
            return [None] * len(items)

    def close(self) -> None:
        """A write that still runs is left to its time-out."""
        if self._mutex.acquire(timeout=_FREED_WITHIN_SECONDS):
            try:
                self._drop()
            finally:
                self._mutex.release()

    # One after the other, each session checked

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._mutex.acquire(timeout=self._settings.timeout_seconds):
            raise Unavailable("an earlier write still waits for the database")
        try:
            yield
        finally:
            self._mutex.release()

    def _ready(self) -> Connection:
        if self._connection is None or not self._database.is_alive(self._connection):
            self._drop()
            connection = self._database.connect()
            try:
                self._prepare(connection)
            except BaseException as error:
                connection.close()
                if isinstance(error, self._database.errors):
                    raise self._database.judge(error) from None
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self._database.errors:
                return  # it was broken: that is why

    def _prepare(self, connection: Connection) -> None:
        if self._settings.create:
            for table in own_tables(self._settings):
                self._database.make(connection, table)
        self._columns = self._examine(connection, ())

    def _there(self, connection: Connection, table: str) -> bool:
        return bool(self._database.columns(connection, table))

    def _examine(self, connection: Connection, to_be_made: Sequence[str]) -> Mapping[str, Column]:
        """Columns of the main table; raises ConfigError where something has no place."""
        settings, database = self._settings, self._database
        if to_be_made and not settings.create:
            raise ConfigError(f'no table "{to_be_made[0]}", and create = false')
        for table, wanted in self._wanted().items():
            there = database.columns(connection, table)
            if table in to_be_made:
                continue
            if not there:
                raise ConfigError(f'no table "{table}" in {settings.database}, as far as this user can see')
            if settings.is_mapped or not settings.create:
                check_columns(table, there, wanted)
            database.examine(connection, table, wanted)
            self._check_key(connection, table, there[wanted[0]])
        return database.columns(connection, settings.table)

    def _wanted(self) -> dict[str, list[str]]:
        """Table → the columns we write, its key first."""
        settings = self._settings
        if settings.is_mapped:
            main = [settings.key_column, *settings.fields.values(), *settings.constants]
        else:
            main = [settings.key_column, *own_tables(settings)[0].columns]
        return {settings.table: main, settings.events_table: list(EVENT)}

    def _check_key(self, connection: Connection, table: str, column: Column) -> None:
        if column.name not in self._database.unique(connection, table):
            raise ConfigError(f'column "{table}.{column.name}" needs a unique index of its own: it names the ticket')
        if not column.is_text or 0 < column.max_chars < _KEY_CHARS:
            raise ConfigError(f'column "{table}.{column.name}" has no room for a key: text of {_KEY_CHARS} at least')

    # A transaction

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Committed at its end, or as if it had never been; InDoubt when the answer to the commit was lost."""
        database, connection = self._database, self._begin()
        try:
            yield connection
        except BaseException as error:
            self._take_back(connection)
            if isinstance(error, database.errors):
                raise database.judge(error) from None
            raise
        try:
            database.commit(connection)
        except database.errors as error:
            self._take_back(connection)
            if database.has_refused(error):
                raise database.judge(error) from None
            raise InDoubt(f"no answer to the commit: {database.judge(error)}") from None

    def _begin(self) -> Connection:
        """In a new session where the one we had turns out to be broken: it was idle, nothing is lost with it."""
        is_used = self._connection is not None
        connection = self._ready()
        try:
            self._database.begin(connection)
        except self._database.errors as error:
            self._drop()
            if not is_used:
                raise self._database.judge(error) from None
            return self._begin()
        return connection

    def _take_back(self, connection: Connection) -> None:
        """By ending the session where it cannot be said in it."""
        try:
            self._database.rollback(connection)
        except Exception:
            self._drop()

    def _write_singly(self, items: Sequence[Rows]) -> list[AllearsError | None]:
        """One of them is refused: each behind a savepoint of its own, and one commit."""
        with self._transaction() as connection:
            return [self._write_one(connection, item) for item in items]

    def _write_one(self, connection: Connection, item: Rows) -> Rejected | None:
        database = self._database
        database.execute(connection, "SAVEPOINT one")
        try:
            self._write(connection, [item])
        except database.errors as error:
            judged = database.judge(error)
            if not isinstance(judged, Rejected):
                raise
            database.execute(connection, "ROLLBACK TO SAVEPOINT one")
            return judged
        database.execute(connection, "RELEASE SAVEPOINT one")
        return None

    # Rows

    def _write(self, connection: Connection, items: Sequence[Rows]) -> None:
        """What is new of these. Inserts first: no ticket has two of them in one batch, or they are in order."""
        known = self._known(connection, items)
        new_entries: list[dict[str, Value]] = []
        new_items: list[Rows] = []
        for item in items:
            entries = [entry for entry in item.entries if entry[ENTRY_KEY] not in known]
            known.update(str(entry[ENTRY_KEY]) for entry in entries)
            new_entries += [{**entry, "ticket_key": item.ticket_key} for entry in entries]
            new_items += [item] if entries else []
        self._insert(connection, self._settings.events_table, new_entries)
        self._write_tickets(connection, new_items)

    def _known(self, connection: Connection, items: Sequence[Rows]) -> set[str]:
        keys = [str(entry[ENTRY_KEY]) for item in items for entry in item.entries]
        return self._present(connection, self._settings.events_table, ENTRY_KEY, keys)

    def _write_tickets(self, connection: Connection, items: Sequence[Rows]) -> None:
        settings = self._settings
        keys = [item.ticket_key for item in items]
        there = self._present(connection, settings.table, settings.key_column, keys)
        inserts, updates = [], []
        for item in items:
            row = {settings.key_column: item.ticket_key, **item.row}
            if item.ticket_key in there:
                updates.append({name: value for name, value in row.items() if name not in self._kept})
            else:
                inserts.append({**row, **item.first})
                there.add(item.ticket_key)
        self._insert(connection, settings.table, [self._fitted(row) for row in inserts])
        self._update(connection, [self._fitted(row) for row in updates])

    def _present(self, connection: Connection, table: str, column: str, keys: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(keys), _LOOKED_UP_AT_ONCE):
            part = keys[start : start + _LOOKED_UP_AT_ONCE]
            marks = ", ".join([self._database.mark] * len(part))
            statement = f"SELECT {quoted(column)} FROM {quoted(table)} WHERE {quoted(column)} IN ({marks})"  # noqa: S608 names are checked by the settings
            found.update(
                key.rstrip() for (key,) in self._database.execute(connection, statement, part)
            )  # CHAR is padded
        return found

    def _insert(self, connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for columns, alike in _by_columns(rows):
            names = ", ".join(quoted(name) for name in columns)
            marks = ", ".join([self._database.mark] * len(columns))
            statement = f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608 names are checked by the settings
            self._database.execute_many(connection, statement, [self._bound(row.values()) for row in alike])

    def _update(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        key, mark = self._settings.key_column, self._database.mark
        for columns, alike in _by_columns(rows):
            names = [name for name in columns if name != key]
            if not names:
                continue
            changes = ", ".join(f"{quoted(name)} = {mark}" for name in names)
            statement = f"UPDATE {quoted(self._settings.table)} SET {changes} WHERE {quoted(key)} = {mark}"  # noqa: S608 names are checked by the settings
            values = [self._bound([*(row[name] for name in names), row[key]]) for row in alike]
            self._database.execute_many(connection, statement, values)

    def _bound(self, values: Iterable[Value]) -> list[Any]:
        return [self._database.adapt(value) for value in values]

    def _fitted(self, row: Mapping[str, Value]) -> dict[str, Value]:
        """As the columns take it: no NULL where they refuse it, and no more characters than there is room for (the
        child table has them all)."""
        return {name: _fit(value, self._columns.get(name)) for name, value in row.items()}


def _fit(value: Value, column: Column | None) -> Value:
    if column is None:
        return value
    if value is None:
        return "" if column.is_needed and column.is_text else None
    if isinstance(value, str) and column.is_text and 0 < column.max_chars < len(value):
        return f"{value[: column.max_chars - 1]}…"
    return value


def _by_columns(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]]]]:
    """Rows in order, those after one another with the same columns together."""
    for columns, alike in groupby(rows, key=tuple):
        yield columns, list(alike)
