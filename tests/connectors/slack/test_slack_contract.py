"""What every connector promises, in Slack: polled, pushed over HTTP, and with a socket open."""

from __future__ import annotations

import json

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Raw, Ref
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from connectors.slack import SlackConnector
from tests.connectors.slack.slack_payloads import APP_TOKEN, LI_LEI, SIGNING_SECRET, SUPPORT, event, signed, stamp
from tests.connectors.slack.slack_server import SlackServer, until


class TestPolled(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, slack: SlackServer) -> None:
        self.slack = slack
        self.rated = ""

    def make_connector(self, context: Context) -> SlackConnector:
        return SlackConnector(self.slack.settings(page_items=2), context)

    async def put(self, text: str) -> None:
        self.slack.say(text)

    async def put_malformed(self) -> None:
        self.slack.say("屏幕", files=[{"id": 7}, "no file"])

    async def rate(self, stars: int) -> None:
        text = f"屏幕碎了，{stars} 星"
        if self.rated:
            self.slack.edit(self.rated, text)
        else:
            self.rated = self.slack.say(text)

    async def left_file(self, content: bytes) -> Ref:
        body = json.dumps({"type": "message", "ts": stamp(5), "files": [self.slack.put_file("投诉.txt", content)]})
        context = {"channel": SUPPORT, "kind": "channel"}
        raw = Raw(key="k", body=body.encode(), media_type="application/json", received_at=START, context=context)
        (message,) = SlackConnector.parse(raw, self.slack.settings())
        (file,) = message.attachments
        assert file.ref is not None
        return file.ref

    async def lost_file(self) -> Ref:
        ref = await self.left_file(b"gone")
        self.slack.files.clear()
        return ref

    def words(self, raw: Raw) -> str:
        return str(json.loads(raw.body).get("text"))


class TestEventsApi(TestPolled):
    def make_connector(self, context: Context) -> SlackConnector:
        return SlackConnector(self.slack.settings(signing_secret=SIGNING_SECRET), context)

    async def request(self, text: str) -> Request:
        post = {"type": "message", "user": LI_LEI, "text": text, "ts": stamp(5)}
        body = json.dumps(event(SUPPORT, post), ensure_ascii=False).encode()
        return Request(
            method="POST",
            path="",
            query=(),
            headers=signed(body, int(START.timestamp())),
            body=body,
            remote_address="192.0.2.7",
            received_at=START,
        )


class TestSocketMode(TestPolled):
    def make_connector(self, context: Context) -> SlackConnector:
        return SlackConnector(self.slack.settings(app_token=APP_TOKEN), context)

    async def push(self, text: str) -> None:
        await until(lambda: bool(self.slack.links))
        self.slack.say(text)
