"""An account on a Mastodon server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from connectors.mastodon import MastodonConnector, MastodonSettings
from tests.connectors.conftest import Started
from tests.connectors.mastodon.mastodon_server import SHOP, Mastodon, running

Connect = Callable[..., Awaitable[MastodonConnector]]


@pytest.fixture
async def mastodon() -> AsyncIterator[Mastodon]:
    async with running() as server:
        yield server


@pytest.fixture
def connect(mastodon: Mastodon, context: Context, started: Started) -> Connect:
    return lambda **settings: started.start(MastodonConnector(make_settings(mastodon.url, **settings), context))


def make_settings(url: str = "http://127.0.0.1:9", **more: Any) -> MastodonSettings:
    return MastodonSettings.model_validate({"url": url, "access_token": SHOP, **more})
