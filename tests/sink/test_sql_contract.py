"""The SQL sink under the contract suite, on SQLite, PostgreSQL and MariaDB that really run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.sink import Sink
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.sinks import SinkContract, Stored
from sink.sql import SqlSink
from tests.sink.sql_places import KINDS, Place, Servers, opened, running
from tests.sink.storms import Storms
from tests.sink.weather import Spoiler


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    yield from running()


class SqlStore:
    place: Place

    def make_sink(self, context: Context) -> Sink[Any]:
        return SqlSink(self.place.settings(), context)

    async def stored(self) -> list[Stored]:
        entries = self.place.ask("SELECT entry_key, text FROM complaint_event")
        tickets = self.place.ask("SELECT ticket_key FROM complaint")
        assert {row["entry_key"].rpartition("-")[0] for row in entries} == {row["ticket_key"] for row in tickets}
        return [Stored(row["entry_key"], row["text"]) for row in entries]


@pytest.mark.parametrize("kind", KINDS)
class TestSql(SqlStore, SinkContract):
    @pytest.fixture(autouse=True)
    async def store(self, kind: str, servers: Servers, tmp_path: Path) -> AsyncIterator[None]:
        async for place in opened(kind, servers, tmp_path):
            self.place = place
            yield

    async def fail_next(self, fault: Fault) -> None:
        await self.place.fail_next(fault)


class TestSqliteStorm(SqlStore, Storms):
    @pytest.fixture(autouse=True)
    async def store(self, servers: Servers, tmp_path: Path) -> AsyncIterator[None]:
        self.spoiler = Spoiler()
        async for place in opened("sqlite", servers, tmp_path):
            self.place = place
            yield

    def make_sink(self, context: Context) -> Sink[Any]:
        return self.spoiler.before(super().make_sink(context))

    def faults(self) -> Spoiler:
        return self.spoiler
