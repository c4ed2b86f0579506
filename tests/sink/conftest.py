"""What the tests of sinks look at beside the store."""

from __future__ import annotations

import pytest

from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()
