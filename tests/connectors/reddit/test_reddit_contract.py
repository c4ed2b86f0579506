"""What every connector promises, by the posts of a community."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.reddit import RedditConnector
from tests.connectors.reddit.conftest import make_settings, running


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.reddit:
            self.reddit.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> RedditConnector:
        return RedditConnector(make_settings(self.reddit.url), context)

    async def put(self, text: str) -> None:
        number = len(self.reddit.things)
        self.reddit.post(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.reddit.post(len(self.reddit.things), ["not", "a", "text"], author=7)

    async def rate(self, stars: int) -> None:
        self.reddit.post(1, f"{stars} of 5")

    async def tell_quota(self, left: int) -> None:
        self.reddit.headers = {"X-Ratelimit-Remaining": f"{left}.0", "X-Ratelimit-Reset": "300"}

    async def left_file(self, content: bytes) -> Ref:
        self.reddit.pictures["a1b2c3.png"] = content
        return Ref(locator={"picture": "a1b2c3.png"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"picture": "gone99.png"})


class TestManyPages(TestOnePage):
    """The malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.reddit.post(len(self.reddit.things), "?", created_utc=None)


class TestComments(TestOnePage):
    async def put(self, text: str) -> None:
        number = len(self.reddit.things)
        self.reddit.comment(number, 1, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def rate(self, stars: int) -> None:
        self.reddit.comment(1, 1, f"{stars} of 5")
