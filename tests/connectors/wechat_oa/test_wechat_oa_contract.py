"""An Official Account keeps every connector's promises, in each mode."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.wechat_oa import WechatOaConnector
from tests.connectors._wechat.platform import running
from tests.connectors._wechat.pushing import make_fields, make_xml, push_plain, push_sealed
from tests.connectors.wechat_oa.conftest import make_settings


class OnPlatform(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.platform:
            yield

    async def left_file(self, content: bytes) -> Ref:
        self.platform.media["m-1"] = (content, "image/jpeg", "0tAq.jpg")
        return Ref(locator={"media_id": "m-1"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"media_id": "m-9"})


class TestSecure(OnPlatform):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(passive_reply={}, url=self.platform.url), context)

    async def request(self, text: str) -> Request:
        return push_sealed(make_xml(**make_fields(text)))


class TestCompatible(OnPlatform):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(mode="compatible", url=self.platform.url), context)

    async def request(self, text: str) -> Request:
        return push_sealed(make_xml(**make_fields(text)), beside="<Content><![CDATA[what lies open]]></Content>")


class TestPlain(OnPlatform):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(mode="plain", hand_over=True, url=self.platform.url), context)

    async def request(self, text: str) -> Request:
        return push_plain(make_xml(**make_fields(text)))
