"""JD keeps every connector's promises, in both of its streams."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.jd import JdConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.jd.conftest import Jd, make_settings

NOW, CLOSED = timedelta(), timedelta(minutes=2)
PICTURE = "/n1/jfs/t1/1/2/photo.jpg"


class TestReviews(ConnectorContract):
    source_name = "reviews"

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.clock = FakeClock()
        self.jd = Jd(self.clock)
        with answered_by(self.jd.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        remote = make_remote(self.clock)
        return make_context("jd", tmp_path, clock=self.clock, known=journal.known, log=log, remote=remote)

    def make_connector(self, context: Context) -> JdConnector:
        return JdConnector(make_settings(sources=[self.source_name]), context)

    async def put(self, text: str) -> None:
        self.jd.rate(len(self.jd.reviews), text, age=NOW)
        self.clock.advance(CLOSED)

    async def put_malformed(self) -> None:
        self.jd.rate(len(self.jd.reviews), "?", score=[1])

    async def rate(self, stars: int) -> None:
        """Under the time of the first: found by reading again."""
        self.jd.rate(1, "煮饭夹生", score=stars, creationTime="2026-11-22 11:00:00")
        self.clock.advance(timedelta(hours=25))

    async def left_file(self, content: bytes) -> Ref:
        self.jd.pictures[PICTURE] = content
        return Ref(locator={"path": f"img30.360buyimg.com{PICTURE}"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"path": f"img30.360buyimg.com{PICTURE}"})


class TestAfterSales(TestReviews):
    source_name = "after_sales"

    async def put(self, text: str) -> None:
        self.jd.claim(len(self.jd.cases), text, age=NOW)
        self.clock.advance(CLOSED)

    async def put_malformed(self) -> None:
        self.jd.claim(len(self.jd.cases), "?", age=NOW, skuInfoList="none")
        self.clock.advance(CLOSED)

    async def rate(self, stars: int) -> None:
        self.jd.claim(1, "煮饭夹生", age=NOW, refundInfo={"applyRefundAmount": f"{stars}.00"})
        self.clock.advance(CLOSED)
