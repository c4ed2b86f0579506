"""A self-built app on a platform in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from connectors.wecom import WecomConnector, WecomSettings
from tests.connectors._wechat.platform import SECRET, Platform, running
from tests.connectors._wechat.vectors import AES_KEY, CORP_ID, TOKEN

Connect = Callable[..., WecomConnector]


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running() as platform:
        yield platform


@pytest.fixture
def connect(context: Context, platform: Platform) -> Connect:
    return lambda **settings: WecomConnector(make_settings(url=platform.url, **settings), context)


def make_settings(**more: Any) -> WecomSettings:
    known = {"corp_id": CORP_ID, "agent_id": 1000002, "token": TOKEN, "encoding_aes_key": AES_KEY, "secret": SECRET}
    return WecomSettings.model_validate(known | more)
