"""What docs/sinks/sql.md prints works as it stands there; so do the pages of the spreadsheets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from allears_sdk.registry import sink_class
from allears_sdk.sink import Progress
from allears_sdk.testing import make_context
from allears_sdk.testing.records import make_event
from sink.sql import SqlSink
from tests.sink.sql_places import PostgresPlace, Servers, opened, running


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)
PAGES = Path(__file__).parents[2] / "docs" / "sinks"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    yield from running()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (PAGES / page).read_text("utf-8"))


@pytest.mark.parametrize("language", ["", ".zh-CN"], ids=["en", "zh"])
@pytest.mark.parametrize("kind", ["sql", "csv", "xlsx"])
def test_every_printed_configuration_is_valid(kind: str, language: str) -> None:
    for block in blocks(f"{kind}{language}.md", "toml"):
        for given in tomllib.loads(block)["destinations"].values():
            settings = sink_class(kind).Settings.model_validate(given)
            assert settings.sink == kind


@pytest.mark.parametrize("page", ["sql.md", "sql.zh-CN.md"])
async def test_the_printed_table_is_the_one_we_need(page: str, servers: Servers, tmp_path: Path) -> None:
    (statement,) = blocks(page, "sql")
    async for place in opened("postgresql", servers, tmp_path):
        assert isinstance(place, PostgresPlace)
        place.ask(statement)
        place.ask("CREATE TABLE tickets (subject text, allears_key varchar(64) UNIQUE)")
        place.ask("GRANT SELECT, INSERT, UPDATE ON tickets, complaint_event TO intake")
        mapped = {"table": "tickets", "key_column": "allears_key", "fields": {"title": "subject"}}
        sink = SqlSink(place.settings(create=False, **mapped), make_context("crm", tmp_path))
        await sink.check()
        await sink.start()
        key = "ALE-7K3M-Q9TX-4RWD-AB12CD-9F1C03AA52"
        result = await sink.open(sink.render(make_event(), key), key, PROGRESS)
        await sink.stop()
        assert result.id == "ALE-7K3M-Q9TX-4RWD-AB12CD"
        assert len(place.ask("SELECT * FROM tickets")) == 1
