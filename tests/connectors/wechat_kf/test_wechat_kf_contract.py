"""What every connector promises, by 微信客服."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.wechat_kf import WechatKfConnector
from tests.connectors._wechat.pushing import make_xml, push_work
from tests.connectors._wechat.vectors import CORP_ID
from tests.connectors.wechat_kf.conftest import make_settings
from tests.connectors.wechat_kf.kf_platform import KF, KfPlatform


class KfContract(ConnectorContract):
    per_page = 1000
    is_stuttering = False

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        self.platform = KfPlatform(per_page=self.per_page, is_stuttering=self.is_stuttering)
        await self.platform.start()
        yield
        await self.platform.stop()

    def make_connector(self, context: Context) -> WechatKfConnector:
        self.platform.now = context.clock.now
        return WechatKfConnector(make_settings(self.platform), context)

    async def put(self, text: str) -> None:
        self.platform.say(text)

    async def put_malformed(self) -> None:
        self.platform.add({"msgid": None, "msgtype": ["text"], "send_time": "today"})

    async def request(self, text: str) -> Request:
        self.platform.say(text)
        signal = {"ToUserName": CORP_ID, "CreateTime": 1795320000, "MsgType": "event", "Event": "kf_msg_or_event"}
        return push_work(make_xml(**signal, Token=self.platform.signal(), OpenKfId=KF))


class TestPages(KfContract):
    pass


class TestSmallPages(KfContract):
    per_page = 2


class TestEmptyPagesBetween(KfContract):
    per_page = 3
    is_stuttering = True
