"""The public feed keeps every connector's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.app_store_feed import AppStoreFeedConnector
from tests.connectors.app_store_feed.conftest import HOUR, make_settings, running


class TestOnePage(ConnectorContract):
    page_items = 50

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.feed:
            self.feed.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> AppStoreFeedConnector:
        return AppStoreFeedConnector(make_settings(self.feed.url), context)

    async def put(self, text: str) -> None:
        number = len(self.feed.entries["cn"])
        self.feed.write(number, text, age=2 * HOUR - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.feed.write(len(self.feed.entries["cn"]), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.feed.write(1, "闪退，要求退款", stars=stars)


class TestManyPages(TestOnePage):
    """Of two reviews; the malformed one has no id."""

    page_items = 2

    async def put_malformed(self) -> None:
        entry = self.feed.write(len(self.feed.entries["cn"]), "?")
        del entry["id"]
