"""What every connector promises, by WeChat Pay's complaints."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_pay import WechatPayConnector
from tests.connectors.wechat_pay.conftest import make_settings
from tests.connectors.wechat_pay.pay_server import PUBLIC_KEY, PUBLIC_KEY_ID, PayServer, public_pem


class PayContract(ConnectorContract):
    pay: PayServer
    made: WechatPayConnector
    has_public_key = False

    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        self.pay = PayServer()
        runner = await self.pay.start()
        yield
        await runner.cleanup()

    def make_connector(self, context: Context) -> WechatPayConnector:
        more = {"public_key_id": PUBLIC_KEY_ID, "public_key": public_pem("public-key")} if self.has_public_key else {}
        self.made = WechatPayConnector(make_settings(self.pay, recheck_minutes=1, **more), context)
        return self.made

    async def put(self, text: str) -> None:
        self.pay.complain(text)

    async def put_malformed(self) -> None:
        self.pay.complain(["no", "text"], complaint_time="yesterday", problem_description={})

    async def rate(self, stars: int) -> None:
        """A complaint knows no stars; what the merchant and the customer do changes it."""
        if not self.pay.complaints:
            self.pay.complain("屏幕碎了，要求退款")
            return
        (complaint,) = self.pay.complaints
        self.pay.act(complaint, "USER_RESPONSE", f"还没处理，{stars} 天了")
        times = self.pay.complaints[complaint]["user_complaint_times"]
        self.pay.complaints[complaint]["user_complaint_times"] = times + 1


class TestCertificates(PayContract):
    async def request(self, text: str) -> Request:
        await hear(self.made, MiniJournal())  # it fetches the certificates
        return self.pay.push(self.pay.notice(self.pay.complain(text)))


class TestPublicKey(PayContract):
    has_public_key = True

    async def request(self, text: str) -> Request:
        return self.pay.push(self.pay.notice(self.pay.complain(text)), PUBLIC_KEY)
