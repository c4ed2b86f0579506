"""Filing tests run on the real journal and in real worker processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.filing.office import Office
from tests.journal.desk import Desk
from tests.workers.poison import installed


@pytest.fixture
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def office(tmp_path: Path, said: list[MutableMapping[str, Any]]) -> AsyncIterator[Office]:
    with installed(tmp_path / "site-packages"):
        desk = await Desk.open(tmp_path / "data")
        office = Office(desk)
        await office.open()
        try:
            yield office
        finally:
            await office.close()
            await desk.close()
