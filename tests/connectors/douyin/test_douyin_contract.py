"""Douyin keeps every connector's promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.douyin import DouyinConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.douyin.conftest import Douyin, Person, deliver, make_event, make_settings


class TestComments(ConnectorContract):
    page_items = 50

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.douyin = Douyin()
        self.douyin.page_items = self.page_items
        self.count = 0
        with answered_by(self.douyin.answer):
            yield

    @pytest.fixture
    async def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        remote = make_remote(clock)
        context = make_context("douyin", tmp_path, clock=clock, known=journal.known, log=log, remote=remote)
        await self.make_connector(context).login(Person())
        return context

    def make_connector(self, context: Context) -> DouyinConnector:
        return DouyinConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        self.count += 1
        self.douyin.say(self.count, text, age=timedelta(hours=2) - timedelta(minutes=self.count))

    async def put_malformed(self) -> None:
        self.count += 1
        self.douyin.say(self.count, ["?"])

    async def rate(self, stars: int) -> None:
        self.douyin.say(1, f"给 {stars} 分：收到就是坏的")

    async def request(self, text: str) -> Request:
        return deliver(make_event(text=text))

    def words(self, raw: Raw) -> str:
        return str(json.loads(raw.body).get("content", ""))


class TestManyPages(TestComments):
    """Each of two; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.count += 1
        self.douyin.say(self.count, "?", create_time="gestern")
