"""An Official Account on a platform in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.connector import Accepted, Answer, Reception
from allears_sdk.context import Context
from connectors.wechat_oa import WechatOaConnector, WechatOaSettings
from tests.connectors._wechat.platform import SECRET, Platform, running
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN

Connect = Callable[..., WechatOaConnector]
REFERENCE = "ALE-7K3M-Q9TX-4RWD"


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running() as platform:
        yield platform


@pytest.fixture
def connect(context: Context, platform: Platform) -> Connect:
    return lambda **settings: WechatOaConnector(make_settings(url=platform.url, **settings), context)


def make_settings(**more: Any) -> WechatOaSettings:
    known = {"app_id": APP_ID, "token": TOKEN, "encoding_aes_key": AES_KEY, "app_secret": SECRET}
    return WechatOaSettings.model_validate(known | more)


def answer_to(reception: Reception, *, opened: bool = True, is_new: bool = True, reference: str = REFERENCE) -> Answer:
    (raw,) = reception.raws
    told = reference if raw.thread else ""
    return reception.answer([Accepted(key=raw.key, is_new=is_new, reference=told, opened=opened and bool(told))])
