"""大众点评 keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.dianping import DianpingConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.dianping.conftest import SHOP, Dianping, make_settings


class TestDianping(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.dianping = Dianping()
        self.count = 0
        with answered_by(self.dianping.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        remote = make_remote(clock)
        return make_context("channel-under-test", tmp_path, clock=clock, known=journal.known, log=log, remote=remote)

    def make_connector(self, context: Context) -> DianpingConnector:
        return DianpingConnector(make_settings(text_field="content"), context)

    async def put(self, text: str) -> None:
        self.count += 1
        self.dianping.write(self.count, text)

    async def put_malformed(self) -> None:
        self.dianping.write(90, "?", stars="five")
        self.dianping.reviews[SHOP, "1"].append({"star": 10})

    async def rate(self, stars: int) -> None:
        self.dianping.write(1, stars=10 * stars)
