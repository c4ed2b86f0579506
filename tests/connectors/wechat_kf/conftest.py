"""A company's customer service at a platform in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from connectors.wechat_kf import WechatKfConnector, WechatKfSettings
from tests.connectors._wechat.platform import SECRET
from tests.connectors._wechat.vectors import AES_KEY, CORP_ID, TOKEN
from tests.connectors.wechat_kf.kf_platform import KF, KfPlatform

Connect = Callable[..., WechatKfConnector]
STREAM = f"wechat_kf://{CORP_ID}/{KF}"


@pytest.fixture
async def platform(clock: FakeClock) -> AsyncIterator[KfPlatform]:
    platform = KfPlatform(now=clock.now)
    await platform.start()
    yield platform
    await platform.stop()


def make_settings(platform: KfPlatform, **more: Any) -> WechatKfSettings:
    given = {
        "corp_id": CORP_ID,
        "secret": SECRET,
        "token": TOKEN,
        "encoding_aes_key": AES_KEY,
        "url": platform.url,
    }
    return WechatKfSettings.model_validate(given | more)


@pytest.fixture
def connect(context: Context, platform: KfPlatform) -> Connect:
    """`connect(open_kfids=["…"])`: a connector on the test's company."""
    return lambda **settings: WechatKfConnector(make_settings(platform, **settings), context)
