"""Delivery tests run on the real journal, with time that is turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.delivery.depot import Depot
from tests.journal.desk import Desk


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Depot]:
    desk = await Desk.open(tmp_path / "data")
    depot = Depot(desk, tmp_path)
    try:
        yield depot
    finally:
        for courier in depot.couriers.values():
            await courier.stop(0)
        await desk.close()


@pytest.fixture
def quiet() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of pages of tracebacks."""
    with capture_logs() as said:
        yield said
