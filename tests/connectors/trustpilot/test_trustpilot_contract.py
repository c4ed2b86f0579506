"""Trustpilot keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.trustpilot import TrustpilotConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.trustpilot.conftest import Trustpilot, event, make_settings, post, pushed


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.trustpilot = Trustpilot()
        self.trustpilot.page_items = self.page_items
        with answered_by(self.trustpilot.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context(
            "trustpilot", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock)
        )

    def make_connector(self, context: Context) -> TrustpilotConnector:
        return TrustpilotConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.trustpilot.reviews)
        self.trustpilot.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.trustpilot.write(len(self.trustpilot.reviews), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.trustpilot.write(1, "Broken on arrival, I want my money back", stars=stars)

    async def request(self, text: str) -> Request:
        row = Trustpilot().write(1, text)
        return post(event("service-review-created", pushed(row)), event("service-review-updated", pushed(row)))


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.trustpilot.write(len(self.trustpilot.reviews), "?", createdAt="yesterday")
