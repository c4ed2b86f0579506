"""What every connector promises, by an account on a Mastodon server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from allears_sdk.context import Context
from allears_sdk.markup import plain
from allears_sdk.message import Raw, Ref
from allears_sdk.testing import FakeClock
from allears_sdk.testing.connectors import ConnectorContract
from connectors.mastodon import MastodonConnector
from tests.connectors.mastodon.conftest import make_settings
from tests.connectors.mastodon.mastodon_server import running, until


class TestMastodon(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        self.post = ""
        async with running() as self.mastodon:
            yield

    def make_connector(self, context: Context) -> MastodonConnector:
        assert isinstance(context.clock, FakeClock)
        self.clock = context.clock
        return MastodonConnector(make_settings(self.mastodon.url, calls_per_minute=6000), context)

    async def put(self, text: str) -> None:
        await self.mastodon.say(f"@shop {text}")

    async def push(self, text: str) -> None:
        await until(lambda: bool(self.mastodon.listeners))
        await self.put(text)

    async def rate(self, stars: int) -> None:
        """An edit is heard by the next sweep."""
        self.clock.advance(25 * 3600)
        if self.post:
            await self.mastodon.edit(self.post, f"@shop {stars} ★")
        else:
            self.post = (await self.mastodon.say(f"@shop {stars} ★"))["id"]

    async def left_file(self, content: bytes) -> Ref:
        media = await self.mastodon.upload(content)
        status = await self.mastodon.say("@shop 发票", media=[media])
        return Ref(locator={"status": status["id"], "media": media})

    async def lost_file(self) -> Ref:
        return Ref(locator={"status": "1", "media": "1"})

    def words(self, raw: Raw) -> str:
        status = json.loads(raw.body).get("status") or {}
        return plain(status.get("content", ""))
