"""What every connector promises, by mentions of an account and by a search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing import RecordingLog, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.x import XConnector
from tests.connectors.x.conftest import CLIENT, Visitor, free_port, make_settings, post_id, running


class TestMentions(ConnectorContract):
    page_items = 100
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.x:
            self.x.page_items = self.page_items
            yield

    def make_connector(self, context: Context) -> XConnector:
        return XConnector(make_settings(self.x.url, **self.settings), context)

    async def put(self, text: str) -> None:
        number = len(self.x.posts)
        self.x.write(number, text, age=timedelta(minutes=5) - timedelta(seconds=number))

    async def put_malformed(self) -> None:
        self.x.write(len(self.x.posts), {"refund": "not a text"}, author_id=["x"])

    async def tell_quota(self, left: int) -> None:
        self.x.headers = {"x-rate-limit-remaining": str(left), "x-rate-limit-limit": "450"}

    async def left_file(self, content: bytes) -> Ref:
        self.x.pictures["GaBc12.jpg"] = content
        return Ref(locator={"picture": "GaBc12.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"picture": "gone99.jpg"})


class TestManyPages(TestMentions):
    """The malformed one has no id."""

    page_items = 2

    async def put_malformed(self) -> None:
        number = len(self.x.posts)
        at = START - timedelta(minutes=5) + timedelta(seconds=number)
        self.x.write(number, "refund?", age=START - at, id=None, sort=post_id(at, number))


class TestMessages(TestMentions):
    """Somebody has logged in."""

    page_items = 2
    settings: ClassVar[dict[str, Any]] = {"read_messages": True, "client_id": CLIENT}

    @pytest.fixture
    async def context(
        self, tmp_path: Path, journal: MiniJournal, log: RecordingLog, source: None
    ) -> AsyncIterator[Context]:
        context = make_context("x-messages", tmp_path, known=journal.known, log=log)
        settings = make_settings(self.x.url, redirect_port=free_port(), **self.settings)
        await XConnector(settings, context).login(Visitor())
        yield context
        await context.remote.aclose()

    async def put(self, text: str) -> None:
        number = len(self.x.messages)
        self.x.message(number, text, age=timedelta(minutes=5) - timedelta(seconds=number))

    async def put_malformed(self) -> None:
        number = len(self.x.messages)
        age = timedelta(minutes=5) - timedelta(seconds=number)
        self.x.message(number, {"not": "a text"}, age=age)


class TestSearch(TestMentions):
    settings: ClassVar[dict[str, Any]] = {"read_mentions": False, "searches": ["refund"]}
