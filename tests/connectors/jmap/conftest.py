"""A JMAP server on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import RecordingLog, make_context
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.journal import MiniJournal
from connectors.jmap import JmapConnector
from tests.connectors.jmap.cyrus import Cyrus
from tests.connectors.jmap.server import JmapServer

Connect = Callable[..., Awaitable[JmapConnector]]


@pytest.fixture
async def server() -> AsyncIterator[JmapServer]:
    server = JmapServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Cyrus]:
    if not Cyrus.is_installed():
        pytest.skip("needs Cyrus (apt: cyrus-imapd cyrus-caldav sasl2-bin; Debian has it shut out Dovecot)")
    with Cyrus() as server:
        yield server


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
    context = make_context("support-jmap", tmp_path, known=journal.known, log=log, clock=clock)
    yield context
    await context.remote.aclose()


@pytest.fixture
async def connect(server: JmapServer, context: Context) -> AsyncIterator[Connect]:
    """`await connect(after="delete")`: a started connector, stopped when the test ends."""
    started: list[JmapConnector] = []

    async def connect(**settings: Any) -> JmapConnector:
        connector = JmapConnector(server.settings(**settings), context)
        await connector.start()
        started.append(connector)
        return connector

    yield connect
    for connector in started:
        await connector.stop()
