"""What the tests of sinks look at beside the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog, make_context


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
async def context(tmp_path: Path, log: RecordingLog, files: MemoryFiles) -> AsyncIterator[Context]:
    context = make_context("destination", tmp_path, log=log, files=files)
    yield context
    await context.remote.aclose()
