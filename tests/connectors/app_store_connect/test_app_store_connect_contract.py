"""App Store Connect keeps every connector's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.app_store_connect import AppStoreConnectConnector
from tests.connectors.app_store_connect.conftest import APP, make_settings, running


class TestOnePage(ConnectorContract):
    page_items = 200

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.store:
            self.store.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> AppStoreConnectConnector:
        return AppStoreConnectConnector(make_settings(self.store.url), context)

    async def put(self, text: str) -> None:
        number = len(self.store.reviews[APP])
        self.store.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.store.write(len(self.store.reviews[APP]), "?", stars="five", reviewerNickname=7)  # type: ignore[arg-type] # what a broken source says

    async def rate(self, stars: int) -> None:
        self.store.write(1, "闪退，要求退款", stars=stars)

    async def tell_quota(self, left: int) -> None:
        self.store.left = left


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.store.write(len(self.store.reviews[APP]), "?", createdDate=None)
