"""Intake tests run on the real journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from allears.journal.sqlite import open_journal
from allears_sdk.testing import FakeClock
from tests.intake.hall import Hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    journal = await open_journal(tmp_path, FakeClock())
    hall = Hall(journal, tmp_path)
    try:
        yield hall
    finally:
        hall.gate.open.set()
        await hall.intake.stop(1)
        await journal.close()
