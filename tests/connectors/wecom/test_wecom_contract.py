"""A WeCom app keeps every connector's promises."""

from __future__ import annotations

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.wecom import WecomConnector
from tests.connectors._wechat.pushing import make_xml, push_work
from tests.connectors.wecom.conftest import make_settings
from tests.connectors.wecom.test_wecom import make_fields


class TestWecom(ConnectorContract):
    def make_connector(self, context: Context) -> WecomConnector:
        return WecomConnector(make_settings(url="http://127.0.0.1:9"), context)

    async def request(self, text: str) -> Request:
        return push_work(make_xml(**make_fields(text)))


class TestWithPassiveReplies(TestWecom):
    def make_connector(self, context: Context) -> WecomConnector:
        return WecomConnector(make_settings(url="http://127.0.0.1:9", passive_reply={}), context)
