"""Amazon keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.amazon import AmazonConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.amazon.conftest import Amazon, make_settings


class TestPacked(ConnectorContract):
    is_packed = True

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.amazon = Amazon()
        self.amazon.is_packed = self.is_packed
        with answered_by(self.amazon.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("amazon", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> AmazonConnector:
        return AmazonConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.amazon.feedback)
        self.amazon.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.amazon.write(len(self.amazon.feedback), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.amazon.write(1, "Never arrived, I want my money back", stars=stars)


class TestPlain(TestPacked):
    """The malformed one has neither order nor date."""

    is_packed = False

    async def put_malformed(self) -> None:
        self.amazon.write(99, "?", stars="", order="", date="")
