"""What every connector promises, by a bot that asks and by one that is pushed to."""

from __future__ import annotations

import json

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Raw, Ref
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from bench.servers.telegram import Telegram
from connectors.telegram import TelegramConnector
from tests.connectors.telegram.conftest import HOOK_URL, SECRET, make_settings


class BotContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, telegram: Telegram) -> None:
        self.telegram = telegram

    async def left_file(self, content: bytes) -> Ref:
        self.telegram.add_file("BQAC-1", "documents/file_7.txt", content)
        return Ref(locator={"file_id": "BQAC-1", "name": "投诉.txt"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"file_id": "BQAC-0", "name": "投诉.txt"})


class TestAsked(BotContract):
    def make_connector(self, context: Context) -> TelegramConnector:
        return TelegramConnector(make_settings(self.telegram.url), context)

    async def put(self, text: str) -> None:
        self.telegram.say(text)

    async def put_malformed(self) -> None:
        self.telegram.put({"message": {"message_id": "twelve", "chat": None, "text": 7}})

    def words(self, raw: Raw) -> str:
        said = json.loads(raw.body).get("message", {}).get("text", "")
        return said if isinstance(said, str) else ""


class TestPushed(BotContract):
    def make_connector(self, context: Context) -> TelegramConnector:
        settings = make_settings(self.telegram.url, webhook_url=HOOK_URL, webhook_secret=SECRET)
        return TelegramConnector(settings, context)

    async def request(self, text: str) -> Request:
        self.telegram.say(text)
        return make_push(json.dumps(self.telegram.queue[-1]).encode())


def make_push(body: bytes, *, secret: str = SECRET, method: str = "POST") -> Request:
    return Request(
        method=method,
        path="",
        query=(),
        headers=(("Content-Type", "application/json"), ("X-Telegram-Bot-Api-Secret-Token", secret)),
        body=body,
        remote_address="149.154.167.220",
        received_at=START,
    )
