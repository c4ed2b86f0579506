"""Weibo keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.weibo import WeiboConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.weibo.conftest import Weibo, make_settings, make_talk, push


class TestMentions(ConnectorContract):
    page_items = 50

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.weibo = Weibo()
        self.weibo.page_items = self.page_items
        self.count = 0
        with answered_by(self.weibo.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("weibo", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> WeiboConnector:
        return WeiboConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        self.count += 1
        self.weibo.write(self.count, text, age=timedelta(hours=2) - timedelta(minutes=self.count))

    async def put_malformed(self) -> None:
        self.count += 1
        self.weibo.write(self.count, "?", user=["nobody"])

    async def rate(self, stars: int) -> None:
        self.weibo.write(1, f"@示例家电 给 {stars} 分：冰箱不制冷")

    async def request(self, text: str) -> Request:
        return push(make_talk(text))

    async def left_file(self, content: bytes) -> Ref:
        self.weibo.files["1820123456789"] = content
        return Ref(locator={"file": "1820123456789"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"picture": "7fa00001gy1habcdefgh.jpg"})


class TestCommentsOfManyPages(TestMentions):
    """Each of two; the malformed one has neither number nor date. A comment cannot be edited: that is left to posts."""

    page_items = 2

    async def put(self, text: str) -> None:
        self.count += 1
        self.weibo.comment(self.count, text, age=timedelta(hours=2) - timedelta(minutes=self.count))

    async def put_malformed(self) -> None:
        self.weibo.lists["/2/comments/to_me.json"].append({"id": "none", "text": 7})
