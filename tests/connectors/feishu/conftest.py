"""Feishu's open platform on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from connectors.feishu import FeishuConnector
from tests.connectors.feishu.feishu_server import FeishuServer

Make = Callable[..., FeishuConnector]


@pytest.fixture
async def feishu(clock: FakeClock) -> AsyncIterator[FeishuServer]:
    server = FeishuServer(clock)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def pushed_to(feishu: FeishuServer, context: Context) -> Make:
    """`pushed_to(groups="none")`: a connector that is posted to."""
    return lambda **settings: FeishuConnector(feishu.pushed_to(**settings), context)


@pytest.fixture
def connected(feishu: FeishuServer, context: Context) -> Make:
    """A connector that opens the long connection."""
    return lambda **settings: FeishuConnector(feishu.settings(**settings), context)
