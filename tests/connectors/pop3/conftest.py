"""A maildrop on real sockets, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from allears_sdk.context import Context
from connectors.pop3 import Pop3Connector
from tests.connectors.conftest import Started
from tests.connectors.pop3.maildrop import Maildrop

Connect = Callable[..., Awaitable[Pop3Connector]]


@pytest.fixture
async def maildrop() -> AsyncIterator[Maildrop]:
    drop = Maildrop()
    await drop.start()
    yield drop
    await drop.stop()


@pytest.fixture
def connect(maildrop: Maildrop, context: Context, started: Started) -> Connect:
    """`await connect(after="delete")`: a started connector, stopped when the test ends."""
    return lambda **settings: started.start(Pop3Connector(maildrop.settings(**settings), context))
