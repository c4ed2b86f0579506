"""Google Play keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.budget import Budget, Period
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.google_play import GooglePlayConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.google_play.conftest import APP, Play, make_settings


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.play = Play()
        self.play.page_items = self.page_items
        with answered_by(self.play.cloud.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("play", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> GooglePlayConnector:
        return GooglePlayConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.play.reviews[APP])
        self.play.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.play.write(len(self.play.reviews[APP]), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.play.write(1, "闪退，要求退款", stars=stars)

    def budget(self) -> Budget:
        return Budget(account=f"google_play:{APP}", unit="calls", most=200, period=Period.HOUR)


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one says nothing."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.play.write(len(self.play.reviews[APP]), "?")["comments"] = []
