"""An Official Account keeps every connector's promises, in each mode."""

from __future__ import annotations

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.wechat_oa import WechatOaConnector
from tests.connectors._wechat.pushing import make_fields, make_xml, push_plain, push_sealed
from tests.connectors.wechat_oa.conftest import make_settings


class TestSecure(ConnectorContract):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(passive_reply={}, url="http://127.0.0.1:9"), context)

    async def request(self, text: str) -> Request:
        return push_sealed(make_xml(**make_fields(text)))


class TestCompatible(ConnectorContract):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(mode="compatible", url="http://127.0.0.1:9"), context)

    async def request(self, text: str) -> Request:
        return push_sealed(make_xml(**make_fields(text)), beside="<Content><![CDATA[what lies open]]></Content>")


class TestPlain(ConnectorContract):
    def make_connector(self, context: Context) -> WechatOaConnector:
        return WechatOaConnector(make_settings(mode="plain", hand_over=True, url="http://127.0.0.1:9"), context)

    async def request(self, text: str) -> Request:
        return push_plain(make_xml(**make_fields(text)))
