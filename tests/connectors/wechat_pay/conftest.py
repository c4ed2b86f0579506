"""A merchant at a WeChat Pay in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from connectors.wechat_pay import WechatPayConnector, WechatPaySettings
from tests.connectors.wechat_pay.pay_server import API_V3_KEY, MCHID, SERIAL, PayServer, private_pem

Connect = Callable[..., WechatPayConnector]


@pytest.fixture
async def pay(clock: FakeClock) -> AsyncIterator[PayServer]:
    server = PayServer(now=clock.now)
    runner = await server.start()
    yield server
    await runner.cleanup()


def make_settings(pay: PayServer, **more: Any) -> WechatPaySettings:
    given = {
        "mchid": MCHID,
        "serial_no": SERIAL,
        "private_key": private_pem("merchant"),
        "api_v3_key": API_V3_KEY,
        "url": pay.url,
    }
    return WechatPaySettings.model_validate(given | more)


@pytest.fixture
def connect(context: Context, pay: PayServer) -> Connect:
    """`connect(notification_url="…")`: a connector on the test's merchant."""
    return lambda **settings: WechatPayConnector(make_settings(pay, **settings), context)
