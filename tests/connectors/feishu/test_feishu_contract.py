"""What every connector promises, by a bot on Feishu: posted to, and over the long connection."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.connectors import ConnectorContract
from connectors.feishu import FeishuConnector
from tests.connectors.feishu.feishu_server import GROUP, FeishuServer, post, received, until


class FeishuContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, feishu: FeishuServer) -> None:
        self.feishu = feishu
        self.rated: dict[str, Any] | None = None

    async def put(self, text: str) -> None:
        self.feishu.say(text, chat=GROUP)

    async def put_malformed(self) -> None:
        self.feishu.put("{no JSON", chat=GROUP)

    async def rate(self, stars: int) -> None:
        text = f"给 {stars} 星"
        if self.rated is None:
            self.rated = self.feishu.say(text, chat=GROUP)
        else:
            self.feishu.edit(self.rated, text)

    async def left_file(self, content: bytes) -> Ref:
        item = self.feishu.say("", kind="file", file_key="file_v3_1", file_name="证据.txt")
        self.feishu.files[item["message_id"], "file_v3_1", "file"] = (content, "text/plain")
        return Ref(locator={"message": item["message_id"], "key": "file_v3_1", "type": "file"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"message": "om_1", "key": "file_v3_0", "type": "file"})


class TestPostedTo(FeishuContract):
    def make_connector(self, context: Context) -> FeishuConnector:
        return FeishuConnector(self.feishu.pushed_to(), context)

    async def request(self, text: str) -> Request:
        return post(received(self.feishu.say(text)), FakeClock(START))


class TestConnected(FeishuContract):
    def make_connector(self, context: Context) -> FeishuConnector:
        return FeishuConnector(self.feishu.settings(), context)

    async def push(self, text: str) -> None:
        await until(lambda: self.feishu.sockets)
        await self.feishu.push(received(self.feishu.say(text)))

    async def push_again(self) -> None:
        await until(lambda: len(self.feishu.sockets) == 2)
        await self.feishu.push_again()

    async def request(self, text: str) -> Request:
        pytest.skip("this channel is not posted to")
