"""Taobao keeps every connector's promises, in each of its three streams."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.taobao import TaobaoConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.taobao.conftest import Taobao, make_settings

NOW, CLOSED = timedelta(), timedelta(minutes=2)
RESULTS = {1: "bad", 5: "good"}


class TestRatings(ConnectorContract):
    source_name = "ratings"

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.clock = FakeClock()
        self.taobao = Taobao(self.clock)
        with answered_by(self.taobao.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        remote = make_remote(self.clock)
        return make_context("taobao", tmp_path, clock=self.clock, known=journal.known, log=log, remote=remote)

    def make_connector(self, context: Context) -> TaobaoConnector:
        return TaobaoConnector(make_settings(sources=[self.source_name]), context)

    async def put(self, text: str) -> None:
        self.taobao.rate(len(self.taobao.ratings), text, age=NOW)
        self.clock.advance(CLOSED)

    async def put_malformed(self) -> None:
        self.taobao.rate(len(self.taobao.ratings), "?", result=["bad"])

    async def rate(self, stars: int) -> None:
        """Under the time of the first: found by reading again."""
        self.taobao.rate(1, "杯子漏水", result=RESULTS[stars], created="2026-11-22 11:00:00")
        self.clock.advance(timedelta(hours=25))


class TestRefunds(TestRatings):
    source_name = "refunds"

    async def put(self, text: str) -> None:
        self.taobao.claim(len(self.taobao.refunds), text, age=NOW)
        self.clock.advance(CLOSED)

    async def put_malformed(self) -> None:
        self.taobao.claim(len(self.taobao.refunds), "?", refund_id=None)

    async def rate(self, stars: int) -> None:
        self.taobao.claim(1, "杯子漏水", refund_fee=f"{stars}.00", age=NOW)
        self.clock.advance(CLOSED)


class TestMessages(TestRefunds):
    source_name = "messages"

    async def put(self, text: str) -> None:
        await super().put(text)
        self._tell()

    async def put_malformed(self) -> None:
        self.taobao.tell("taobao_refund_RefundCreated", "{")

    async def rate(self, stars: int) -> None:
        await super().rate(stars)
        self._tell()

    def _tell(self) -> None:
        row = self.taobao.refunds[-1]
        self.taobao.tell("taobao_refund_RefundCreated", {"refund_id": row["refund_id"], "tid": row["tid"]})
