"""An account keeps every connector's promises: delivered comments and messages, and comments read back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Raw, Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.instagram import InstagramConnector
from tests.connectors._meta.graph_server import deliver, running
from tests.connectors.instagram.conftest import (
    ACCOUNT,
    MEDIA,
    make_change,
    make_comment,
    make_event,
    make_media,
    make_settings,
)


class AccountContract(ConnectorContract):
    """A comment cannot be edited on Instagram: the suite's edits are left out."""

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.graph:
            self.graph.lists[f"{ACCOUNT}/media"] = [make_media()]
            self.comments = self.graph.lists[f"{MEDIA}/comments"] = []
            yield

    def make_connector(self, context: Context) -> InstagramConnector:
        return InstagramConnector(make_settings(url=self.graph.url), context)

    async def put(self, text: str) -> None:
        number = len(self.comments)
        self.comments.insert(0, make_comment(f"1786579934808903{number}", text, age_hours=10 - number))

    async def put_malformed(self) -> None:
        self.comments.insert(0, {"id": "17865799348089099", "text": 7, "from": []})

    async def tell_quota(self, left: int) -> None:
        self.graph.headers = {"X-App-Usage": json.dumps({"call_count": 100 - left, "total_time": 3})}

    async def left_file(self, content: bytes) -> Ref:
        self.graph.open_files["p-1.jpg"] = content
        return Ref(locator={"url": f"{self.graph.url}/open/p-1.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"url": f"{self.graph.url}/open/p-9.jpg"})

    def words(self, raw: Raw) -> str:
        return str(json.loads(raw.body).get("comment", {}).get("text", ""))


class TestComments(AccountContract):
    async def request(self, text: str) -> Request:
        return deliver(make_change(text=text))


class TestInstagramLogin(AccountContract):
    async def request(self, text: str) -> Request:
        return deliver(make_change(text=text, is_instagram_login=True))


class TestMessages(AccountContract):
    async def request(self, text: str) -> Request:
        return deliver(make_event(text))
