"""A mini-program on a platform in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.wechat_mini import WechatMiniConnector, WechatMiniSettings
from tests.connectors._wechat.platform import SECRET, Platform, running
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN

Connect = Callable[..., WechatMiniConnector]
NOW = int(START.timestamp())


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running() as platform:
        yield platform


@pytest.fixture
def connect(context: Context, platform: Platform) -> Connect:
    return lambda **settings: WechatMiniConnector(make_settings(url=platform.url, **settings), context)


def make_settings(**more: Any) -> WechatMiniSettings:
    known = {"app_id": APP_ID, "token": TOKEN, "encoding_aes_key": AES_KEY, "app_secret": SECRET}
    return WechatMiniSettings.model_validate(known | more)


def make_review(number: int, text: str, *, stars: int = 1, age: int = 3600, **more: Any) -> dict[str, Any]:
    """As "查询评价列表" shows one; `age` in seconds."""
    review = {
        "commentId": f"27977556801731{number:05}",
        "amount": 9900,
        "orderId": f"payorder@_42000017612023020963111{number:05}",
        "payTime": str(NOW - age - 86_400),
        "wxPayId": f"42000017612023020963111{number:05}",
        "orderInfo": {"busiOrderId": f"SO-2026-{number:05}"},
        "userInfo": {"openid": f"oReview{number:05}", "headImg": "http://wx.qlogo.cn/mmhead/x", "nickName": "李雷"},
        "bizInfo": {"appid": APP_ID, "headImg": "http://wx.qlogo.cn/mmhead/y", "nickName": "示例商城"},
        "score": 100 * stars,
        "createTime": str(NOW - age),
        "content": {"txt": text, "media": []},
        "extInfo": {"isAlreadySendTmpl": False},
        "productInfo": {"productList": [{"name": "保湿面霜 50ml", "picUrl": "https://img.example.com/p.jpg"}]},
    }
    return {**review, **more}
