"""What a connector under test lives in. A folder of tests overrides what is different there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from allears_sdk.connector import Connector
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.journal import MiniJournal
from tests.daemon.house import House

C = TypeVar("C", bound=Connector[Any])


class Started:
    """The connectors of a test, stopped when it ends."""

    def __init__(self) -> None:
        self._connectors: list[Connector[Any]] = []

    async def start(self, connector: C) -> C:
        await connector.start()
        self._connectors.append(connector)
        return connector

    async def stop(self) -> None:
        for connector in self._connectors:
            await connector.stop()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The whole daemon, in a process of its own. A folder of tests adds its channel."""
    house = House(tmp_path)
    try:
        yield house
    finally:
        house.clear()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal() -> MiniJournal:
    return MiniJournal()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def remote() -> Remote | None:
    """None: real HTTP."""
    return None


@pytest.fixture
async def context(
    tmp_path: Path, clock: FakeClock, journal: MiniJournal, log: RecordingLog, remote: Remote | None
) -> AsyncIterator[Context]:
    context = make_context("support", tmp_path, clock=clock, known=journal.known, log=log, remote=remote)
    yield context
    await context.remote.aclose()


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    started = Started()
    yield started
    await started.stop()
