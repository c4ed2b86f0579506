"""Pinduoduo keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.pdd import PddConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.pdd.conftest import Pinduoduo, make_settings

NOW, CLOSED = timedelta(), timedelta(minutes=4)


class TestPinduoduo(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.clock = FakeClock()
        self.pinduoduo = Pinduoduo(self.clock)
        with answered_by(self.pinduoduo.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        remote = make_remote(self.clock)
        return make_context("pdd", tmp_path, clock=self.clock, known=journal.known, log=log, remote=remote)

    def make_connector(self, context: Context) -> PddConnector:
        return PddConnector(make_settings(look_back="PT1H"), context)

    async def put(self, text: str) -> None:
        self.pinduoduo.claim(len(self.pinduoduo.cases), text, age=NOW)
        self.clock.advance(CLOSED)

    async def put_malformed(self) -> None:
        self.pinduoduo.claim(len(self.pinduoduo.cases), "?", id=None, age=NOW)
        self.clock.advance(CLOSED)

    async def rate(self, stars: int) -> None:
        self.pinduoduo.claim(1, refund_amount=f"{stars}.00", age=NOW)
        self.clock.advance(CLOSED)
