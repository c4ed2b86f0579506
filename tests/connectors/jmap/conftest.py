"""A JMAP server on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from allears_sdk.context import Context
from connectors.jmap import JmapConnector
from tests.connectors.conftest import Started
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
def connect(server: JmapServer, context: Context, started: Started) -> Connect:
    """`await connect(after="delete")`: a started connector, stopped when the test ends."""
    return lambda **settings: started.start(JmapConnector(server.settings(**settings), context))
