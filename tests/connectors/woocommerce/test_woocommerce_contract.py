"""WooCommerce keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.woocommerce import WooCommerceConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.woocommerce.conftest import Shop, make_settings


class TestOnePage(ConnectorContract):
    page_items = 100
    has_totals = True

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.shop = Shop()
        self.shop.page_items, self.shop.has_totals = self.page_items, self.has_totals
        with answered_by(self.shop.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("woo", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> WooCommerceConnector:
        return WooCommerceConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.shop.reviews)
        self.shop.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.shop.write(len(self.shop.reviews), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.shop.write(1, "Broken on arrival, I want my money back", stars=stars)


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.shop.write(len(self.shop.reviews), "?", date_created_gmt="yesterday")


class TestWithoutTotals(TestManyPages):
    """A server on the way takes WordPress' headers out."""

    has_totals = False
