"""A maildrop on real sockets, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import RecordingLog, make_context
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.journal import MiniJournal
from connectors.pop3 import Pop3Connector
from tests.connectors.pop3.maildrop import Maildrop

Connect = Callable[..., Awaitable[Pop3Connector]]


@pytest.fixture
async def maildrop() -> AsyncIterator[Maildrop]:
    drop = Maildrop()
    await drop.start()
    yield drop
    await drop.stop()


@pytest.fixture
def journal() -> MiniJournal:
    return MiniJournal()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def context(tmp_path: Path, journal: MiniJournal, log: RecordingLog, clock: FakeClock) -> AsyncIterator[Context]:
    context = make_context("old-mail", tmp_path, known=journal.known, log=log, clock=clock)
    yield context
    await context.remote.aclose()


@pytest.fixture
async def connect(maildrop: Maildrop, context: Context) -> AsyncIterator[Connect]:
    """`await connect(after="delete")`: a started connector, stopped when the test ends."""
    started: list[Pop3Connector] = []

    async def connect(**settings: Any) -> Pop3Connector:
        connector = Pop3Connector(maildrop.settings(**settings), context)
        await connector.start()
        started.append(connector)
        return connector

    yield connect
    for connector in started:
        await connector.stop()
