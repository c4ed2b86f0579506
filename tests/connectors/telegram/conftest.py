"""A Bot API server on real HTTP, and connectors on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from bench.servers.telegram import TOKEN, Telegram
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.connectors.conftest import Started

Connect = Callable[..., Awaitable[TelegramConnector]]
SECRET = "push-secret_0123456789"
HOOK_URL = "https://hooks.example.com/in/support"


def make_settings(url: str = "http://127.0.0.1:9", **settings: Any) -> TelegramSettings:
    """One that asks at once, and does not wait."""
    return TelegramSettings.model_validate({"token": TOKEN, "url": url, "poll_seconds": 0, **settings})


@pytest.fixture
async def telegram(clock: FakeClock) -> AsyncIterator[Telegram]:
    telegram = Telegram(lambda: clock.now().timestamp())
    await telegram.start()
    yield telegram
    await telegram.stop()


@pytest.fixture
def connect(telegram: Telegram, context: Context, started: Started) -> Connect:
    """`await connect(staff=["@lina"])`: a started connector, stopped when the test ends."""
    return lambda **settings: started.start(TelegramConnector(make_settings(telegram.url, **settings), context))
