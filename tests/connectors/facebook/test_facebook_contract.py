"""A Page keeps every connector's promises: delivered messages and comments, and comments read back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Raw, Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.facebook import FacebookConnector
from tests.connectors._meta.graph_server import deliver, running
from tests.connectors.facebook.conftest import (
    PAGE,
    POST,
    make_change,
    make_comment,
    make_event,
    make_post,
    make_settings,
)


class PageContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.graph:
            self.graph.lists[f"{PAGE}/feed"] = [make_post()]
            self.comments = self.graph.lists[f"{POST}/comments"] = []
            yield

    def make_connector(self, context: Context) -> FacebookConnector:
        return FacebookConnector(make_settings(url=self.graph.url), context)

    async def put(self, text: str) -> None:
        number = len(self.comments)
        self.comments.insert(0, make_comment(f"111_{number}", text, age_hours=10 - number))

    async def put_malformed(self) -> None:
        self.comments.insert(0, {"id": "111_99", "message": 7, "from": [], "created_time": "yesterday"})

    async def rate(self, stars: int) -> None:
        self.comments[:] = [make_comment("111_1", f"给 {stars} 星")]

    async def tell_quota(self, left: int) -> None:
        self.graph.headers = {"X-App-Usage": json.dumps({"call_count": 100 - left, "total_time": 3})}

    async def left_file(self, content: bytes) -> Ref:
        self.graph.open_files["p-1.jpg"] = content
        return Ref(locator={"url": f"{self.graph.url}/open/p-1.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"url": f"{self.graph.url}/open/p-9.jpg"})

    def words(self, raw: Raw) -> str:
        return str(json.loads(raw.body).get("comment", {}).get("message", ""))


class TestComments(PageContract):
    async def request(self, text: str) -> Request:
        return deliver(make_change(message=text))


class TestMessenger(PageContract):
    async def request(self, text: str) -> Request:
        return deliver(make_event(text))
