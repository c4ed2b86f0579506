"""What every connector promises, by comments under a channel's videos."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from allears_sdk.budget import Budget
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.youtube import YoutubeConnector
from tests.connectors.youtube.conftest import DAILY, make_settings, running


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.youtube:
            self.youtube.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> YoutubeConnector:
        return YoutubeConnector(make_settings(self.youtube.url), context)

    async def put(self, text: str) -> None:
        number = len(self.youtube.threads)
        self.youtube.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.youtube.write(len(self.youtube.threads), ["not", "a", "text"], authorDisplayName=7)

    async def rate(self, stars: int) -> None:
        self.youtube.write(1, f"{stars} ★")

    def budget(self) -> Budget:
        return DAILY

    async def left_file(self, content: bytes) -> Ref:
        self.youtube.pictures["1"] = content
        self.youtube.write(1, "看图", imageUrl=f"{self.youtube.url}/pictures/1")
        return Ref(locator={"comment": "Ugx0001"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"comment": "Ugx0009"})


class TestManyPages(TestOnePage):
    """Each of two threads; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.youtube.write(len(self.youtube.threads), "?", publishedAt=None)
