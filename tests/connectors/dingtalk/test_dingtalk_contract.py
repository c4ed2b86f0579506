"""What every connector promises, by a robot on DingTalk. It has no history: what is heard, is heard live."""

from __future__ import annotations

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.connectors import ConnectorContract
from connectors.dingtalk import DingTalkConnector
from tests.connectors.dingtalk.dingtalk_server import CLIENT_ID, DingTalkServer, post, until


class TestPostedTo(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, dingtalk: DingTalkServer) -> None:
        self.dingtalk = dingtalk

    def make_connector(self, context: Context) -> DingTalkConnector:
        return DingTalkConnector(self.dingtalk.pushed_to(), context)

    async def request(self, text: str) -> Request:
        return post(self.dingtalk.say(text), FakeClock(START))

    async def left_file(self, content: bytes) -> Ref:
        self.dingtalk.files["code1"] = (content, "text/plain")
        return Ref(locator={"code": "code1", "robot": CLIENT_ID})

    async def lost_file(self) -> Ref:
        return Ref(locator={"code": "code0", "robot": CLIENT_ID})


class TestStream(TestPostedTo):
    def make_connector(self, context: Context) -> DingTalkConnector:
        return DingTalkConnector(self.dingtalk.settings(), context)

    async def request(self, text: str) -> Request:
        pytest.skip("this channel is not posted to")

    async def push(self, text: str) -> None:
        await until(lambda: self.dingtalk.sockets)
        await self.dingtalk.push(self.dingtalk.say(text))

    async def push_again(self) -> None:
        await until(lambda: len(self.dingtalk.sockets) == 2)
        await self.dingtalk.push_again()
