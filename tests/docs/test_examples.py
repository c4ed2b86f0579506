"""The connector and the sink printed in docs/writing-a-*.md pass the contract suites as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.conftest import blocks

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.mark.parametrize(
    ("page", "module", "least"),
    [("docs/writing-a-connector.md", "shop_reviews", 20), ("docs/writing-a-sink.md", "helpdesk", 17)],
)
def test_the_printed_example_passes_its_contract(page: str, module: str, least: int, tmp_path: Path) -> None:
    code, test = blocks(page, "python")
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    (tmp_path / f"test_{module}.py").write_text(test, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(INI, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= least, done.stdout


@pytest.mark.parametrize(
    ("page", "group", "entry"),
    [
        ("docs/writing-a-connector.md", "allears.connectors", "ShopReviewsConnector"),
        ("docs/writing-a-sink.md", "allears.sinks", "HelpdeskSink"),
    ],
)
def test_the_printed_entry_point_names_the_printed_class(page: str, group: str, entry: str) -> None:
    toml = "".join(blocks(page, "toml"))
    assert f'entry-points."{group}"' in toml
    assert entry in toml
    assert f"class {entry}(" in blocks(page, "python")[0]
