"""Databases for the tests of the SQL sink: a new, empty one for each test, behind connections that can be cut."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from bench.servers import mariadb, postgres
from bench.servers.commit_cutter import CommitCutter, Cut
from bench.servers.mariadb import MariaDb
from bench.servers.postgres import Postgres
from sink.sql import SqlSettings
from sink.sql.sqlite import Sqlite
from tests.conftest import missing

KINDS = ["sqlite", "postgresql", pytest.param("mysql", marks=pytest.mark.services)]
CUTS = {Fault.LOSE_ANSWER: Cut.AFTER, Fault.GARBAGE: Cut.GARBAGE}


class Place(ABC):
    """One database; the test looks into it through a connection of its own."""

    kind: str
    url: str
    password = ""

    def settings(self, **more: Any) -> SqlSettings:
        given = {"sink": "sql", "url": self.url, "password": self.password or None, "timeout_seconds": 5, **more}
        return SqlSettings.model_validate(given)

    @abstractmethod
    def ask(self, statement: str) -> list[dict[str, Any]]:
        """Rows of a statement; each is committed by itself. Identifiers in double quotes on all of them."""

    @abstractmethod
    async def fail_next(self, fault: Fault) -> None: ...


class SqlitePlace(Place):
    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "投诉 complaints.db"
        self.url = f"sqlite:{self.path}"
        self._locks: list[sqlite3.Connection] = []
        self._patches: list[Any] = []

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            self._locks.append(sqlite3.connect(self.path, isolation_level=None))
            self._locks[-1].execute("BEGIN EXCLUSIVE")
        elif fault is Fault.LOSE_ANSWER:
            self._lose_next_commit()
        elif fault is Fault.REJECT:
            self.ask("CREATE TRIGGER no BEFORE INSERT ON complaint BEGIN SELECT RAISE(ABORT, '不行'); END")
        else:
            absent(f'fault "{fault}"')

    def _lose_next_commit(self) -> None:
        real, patches = Sqlite.commit, self._patches

        def commit(self: Sqlite, connection: Any) -> None:
            real(self, connection)
            patches.pop().stop()
            raise sqlite3.OperationalError("disk I/O error")

        patches.append(patch.object(Sqlite, "commit", commit))
        patches[-1].start()

    def close(self) -> None:
        for lock in self._locks:
            lock.close()
        for one in self._patches:
            one.stop()


class PostgresPlace(Place):
    kind = "postgresql"
    password = postgres.PASSWORD

    def __init__(self, server: Postgres, cutter: CommitCutter) -> None:
        self.server, self.cutter = server, cutter
        server.database("crm")
        self.ask("DROP ROLE IF EXISTS intake")
        self.ask(f"CREATE ROLE intake LOGIN PASSWORD '{self.password}'")
        self.ask("GRANT ALL ON SCHEMA public TO intake")
        self.url = f"postgresql://intake@127.0.0.1:{cutter.port}/crm"

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with self.server.connect("crm") as connection:
            cursor = connection.execute(statement.encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor] if names else []

    async def fail_next(self, fault: Fault) -> None:
        if fault in CUTS:
            self.cutter.cuts.append(CUTS[fault])
        elif fault is Fault.UNREACHABLE:
            await self.cutter.stop()
        elif fault is Fault.EXPIRED:
            self.ask("ALTER ROLE intake PASSWORD 'another'")
            self.cutter.drop()
        elif fault is Fault.REJECT:
            self.ask("ALTER TABLE complaint ADD CONSTRAINT no CHECK (title = '')")
        else:
            absent(f'fault "{fault}"')


class MysqlPlace(Place):
    kind = "mysql"
    password = mariadb.PASSWORD

    def __init__(self, server: MariaDb, cutter: CommitCutter) -> None:
        self.server, self.cutter = server, cutter
        server.database("crm")
        server.execute(f"CREATE OR REPLACE USER intake@'%' IDENTIFIED BY '{self.password}'")
        server.execute("GRANT ALL ON crm.* TO intake@'%'")
        self.url = f"mysql://intake@127.0.0.1:{cutter.port}/crm"

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with self.server.connect("crm") as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
            cursor.execute(statement)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    async def fail_next(self, fault: Fault) -> None:
        if fault in CUTS:
            self.cutter.cuts.append(CUTS[fault])
        elif fault is Fault.UNREACHABLE:
            await self.cutter.stop()
        elif fault is Fault.EXPIRED:
            self.server.execute("ALTER USER intake@'%' IDENTIFIED BY 'another'")
            self.cutter.drop()
        elif fault is Fault.REJECT:
            self.ask("ALTER TABLE complaint ADD CONSTRAINT no CHECK (title = '')")
        else:
            absent(f'fault "{fault}"')


class Servers:
    """Started when they are first needed, all stopped at the end."""

    def __init__(self) -> None:
        self._started: dict[str, Any] = {}

    def get(self, kind: str) -> Any:
        if kind not in self._started:
            if kind == "mysql" and MariaDb.program() is None:
                missing("mariadb-server")
            server = Postgres() if kind == "postgresql" else MariaDb()
            server.start()
            self._started[kind] = server
        return self._started[kind]

    def stop(self) -> None:
        for server in self._started.values():
            server.stop()


def running() -> Iterator[Servers]:
    """For a fixture of a module."""
    servers = Servers()
    yield servers
    servers.stop()


async def opened(kind: str, servers: Servers, folder: Path) -> AsyncIterator[Place]:
    """For a fixture of a test."""
    if kind == "sqlite":
        place = SqlitePlace(folder)
        yield place
        place.close()
        return
    server = servers.get(kind)
    cutter = CommitCutter(server.port)
    await cutter.start()
    try:
        yield PostgresPlace(server, cutter) if kind == "postgresql" else MysqlPlace(server, cutter)
    finally:
        await cutter.stop()
