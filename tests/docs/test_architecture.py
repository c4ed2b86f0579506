"""docs/architecture.md names every table of the journal."""

from __future__ import annotations

import re

from tests.docs.conftest import ROOT


def test_every_table_of_the_journal_is_explained() -> None:
    migrations = (ROOT / "allears" / "journal" / "migrations").glob("*.sql")
    made = {name for path in migrations for name in re.findall(r"CREATE TABLE (\w+)", path.read_text("utf-8"))}
    chapter = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## The journal's tables")[2]
    explained = set(re.findall(r"(?m)^\| `(\w+)` \|", chapter.partition("\n## ")[0]))
    assert explained == made
