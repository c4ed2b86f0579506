"""Fetching tests run on the real journal, with the real filing stage and its worker processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fetching.pier import Pier
from tests.filing.office import Office
from tests.journal.desk import Desk


@pytest.fixture
async def pier(tmp_path: Path) -> AsyncIterator[Pier]:
    desk = await Desk.open(tmp_path / "data")
    pier = Pier(Office(desk), tmp_path)
    await pier.open()
    try:
        yield pier
    finally:
        await pier.close()
        await desk.close()
