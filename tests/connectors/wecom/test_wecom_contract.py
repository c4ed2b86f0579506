"""A WeCom app keeps every connector's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.wecom import WecomConnector
from tests.connectors._wechat.platform import running
from tests.connectors._wechat.pushing import make_xml, push_work
from tests.connectors.wecom.conftest import make_settings
from tests.connectors.wecom.test_wecom import make_fields


class TestWecom(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.platform:
            yield

    def make_connector(self, context: Context) -> WecomConnector:
        return WecomConnector(make_settings(url=self.platform.url), context)

    async def request(self, text: str) -> Request:
        return push_work(make_xml(**make_fields(text)))

    async def left_file(self, content: bytes) -> Ref:
        self.platform.media["m-1"] = (content, "image/jpeg", "0tAq.jpg")
        return Ref(locator={"media_id": "m-1"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"media_id": "m-9"})


class TestWithPassiveReplies(TestWecom):
    def make_connector(self, context: Context) -> WecomConnector:
        return WecomConnector(make_settings(url=self.platform.url, passive_reply={}), context)
