"""Google Business Profile keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.budget import Budget
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.google_business import GoogleBusinessConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.google_business.conftest import DAILY, PLACE, Business, make_settings


class TestOnePage(ConnectorContract):
    page_items = 50

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.business = Business()
        self.business.page_items = self.page_items
        with answered_by(self.business.cloud.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("places", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> GoogleBusinessConnector:
        return GoogleBusinessConnector(make_settings(calls_per_day=DAILY.most), context)

    def budget(self) -> Budget:
        return DAILY

    async def put(self, text: str) -> None:
        number = len(self.business.reviews.get(PLACE, []))
        self.business.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.business.write(len(self.business.reviews[PLACE]), "?", stars="SIX")

    async def rate(self, stars: int) -> None:
        self.business.write(1, "等了两个小时，要求退款", stars=stars)


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.business.write(len(self.business.reviews[PLACE]), "?")["updateTime"] = None
