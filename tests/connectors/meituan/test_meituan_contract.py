"""美团外卖 keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.meituan import MeituanConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.meituan.conftest import Takeaway, make_settings


class TestMeituan(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.clock = FakeClock()
        self.takeaway = Takeaway(self.clock)
        self.count = 0
        with answered_by(self.takeaway.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        remote = make_remote(self.clock)
        return make_context(
            "channel-under-test", tmp_path, clock=self.clock, known=journal.known, log=log, remote=remote
        )

    def make_connector(self, context: Context) -> MeituanConnector:
        return MeituanConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        self.count += 1
        self.takeaway.write(self.count, text)

    async def put_malformed(self) -> None:
        self.takeaway.write(90, "?", stars="five", critic_food_list=[])
        self.takeaway.comments["S001"].append({"comment_content": 7})

    async def rate(self, stars: int) -> None:
        self.takeaway.write(1, "送餐慢，汤洒了", stars=stars)

    async def left_file(self, content: bytes) -> Ref:
        self.takeaway.picture = content
        return Ref(locator={"url": "https://p0.meituan.example/picture.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"url": "https://p0.meituan.example/gone.jpg"})
