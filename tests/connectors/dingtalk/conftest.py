"""DingTalk's open platform on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from connectors.dingtalk import DingTalkConnector
from tests.connectors.dingtalk.dingtalk_server import DingTalkServer

Make = Callable[..., DingTalkConnector]


@pytest.fixture
async def dingtalk(clock: FakeClock) -> AsyncIterator[DingTalkServer]:
    server = DingTalkServer(clock)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def pushed_to(dingtalk: DingTalkServer, context: Context) -> Make:
    """`pushed_to(acknowledge={})`: a connector that is posted to."""
    return lambda **settings: DingTalkConnector(dingtalk.pushed_to(**settings), context)


@pytest.fixture
def connected(dingtalk: DingTalkServer, context: Context) -> Make:
    """A connector in Stream mode."""
    return lambda **settings: DingTalkConnector(dingtalk.settings(**settings), context)
