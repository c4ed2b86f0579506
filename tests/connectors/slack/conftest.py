"""A Slack workspace on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from allears_sdk.context import Context
from connectors.slack import SlackConnector
from tests.connectors.conftest import Started
from tests.connectors.slack.slack_server import SlackServer

Connect = Callable[..., Awaitable[SlackConnector]]


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    slack = SlackServer()
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
def connect(slack: SlackServer, context: Context, started: Started) -> Connect:
    """`await connect(app_token=APP_TOKEN)`: a started connector, stopped when the test ends."""
    return lambda **settings: started.start(SlackConnector(slack.settings(**settings), context))
