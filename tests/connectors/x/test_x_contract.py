"""What every connector promises, by mentions of an account and by a search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from connectors.x import XConnector
from tests.connectors.x.conftest import make_settings, post_id, running


class TestMentions(ConnectorContract):
    page_items = 100
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.x:
            self.x.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> XConnector:
        return XConnector(make_settings(self.x.url, **self.settings), context)

    async def put(self, text: str) -> None:
        number = len(self.x.posts)
        self.x.write(number, text, age=timedelta(minutes=5) - timedelta(seconds=number))

    async def put_malformed(self) -> None:
        self.x.write(len(self.x.posts), {"refund": "not a text"}, author_id=["x"])

    async def tell_quota(self, left: int) -> None:
        self.x.headers = {"x-rate-limit-remaining": str(left), "x-rate-limit-limit": "450"}

    async def left_file(self, content: bytes) -> Ref:
        self.x.pictures["GaBc12.jpg"] = content
        return Ref(locator={"picture": "GaBc12.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"picture": "gone99.jpg"})


class TestManyPages(TestMentions):
    """The malformed one has no id."""

    page_items = 2

    async def put_malformed(self) -> None:
        number = len(self.x.posts)
        at = START - timedelta(minutes=5) + timedelta(seconds=number)
        self.x.write(number, "refund?", age=START - at, id=None, sort=post_id(at, number))


class TestSearch(TestMentions):
    settings: ClassVar[dict[str, Any]] = {"read_mentions": False, "searches": ["refund"]}
