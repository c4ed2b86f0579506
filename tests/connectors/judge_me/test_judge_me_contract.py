"""Judge.me keeps every connector's promises, in whichever order it lists."""

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
from connectors.judge_me import JudgeMeConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.judge_me.conftest import PICTURE, JudgeMe, make_settings, post, pushed


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.judge_me = JudgeMe()
        self.judge_me.page_items = self.page_items
        with answered_by(self.judge_me.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        self.clock = FakeClock()
        remote = make_remote(self.clock)
        return make_context("judge-me", tmp_path, clock=self.clock, known=journal.known, log=log, remote=remote)

    def make_connector(self, context: Context) -> JudgeMeConnector:
        return JudgeMeConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.judge_me.reviews)
        self.judge_me.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.judge_me.write(len(self.judge_me.reviews), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.judge_me.write(1, "Broken on arrival, I want my money back", stars=stars)

    async def request(self, text: str) -> Request:
        return post(pushed("review/created", JudgeMe().write(1, text)))

    async def left_file(self, content: bytes) -> Ref:
        self.judge_me.pictures[PICTURE] = content
        return Ref(locator={"picture": PICTURE})

    async def lost_file(self) -> Ref:
        return Ref(locator={"picture": PICTURE})


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.judge_me.write(len(self.judge_me.reviews), "?", created_at="yesterday")


class TestOldestFirst(TestManyPages):
    """What is new stands at the end: the next sweep finds it, an hour later."""

    @pytest.fixture(autouse=True)
    def oldest_first(self, source: None) -> None:
        self.judge_me.is_newest_first = False

    async def put(self, text: str) -> None:
        await super().put(text)
        if hasattr(self, "clock"):
            self.clock.advance(timedelta(hours=1))
