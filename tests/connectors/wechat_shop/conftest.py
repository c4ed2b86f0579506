"""A shop on a platform in miniature."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.codec import encode
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.wechat_shop import WechatShopConnector, WechatShopSettings
from tests.connectors._wechat.platform import SECRET
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN
from tests.connectors.wechat_shop.shop import Shop, open_shop

ORDER = "2000000000000001"
DISPUTED: dict[str, Any] = {"complaint_id": "9000001", "status": "MERCHANT_REJECT_REFUND"}
Connect = Callable[..., WechatShopConnector]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
def connect(context: Context, shop: Shop) -> Connect:
    return lambda **settings: WechatShopConnector(make_settings(url=shop.url, **settings), context)


def make_settings(**more: Any) -> WechatShopSettings:
    known = {"app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY}
    return WechatShopSettings.model_validate(known | more)


async def heard(connector: WechatShopConnector, journal: MiniJournal) -> list[Message]:
    before = len(journal.raws)
    await hear(connector, journal)
    return [message for raw in journal.raws[before:] for message in connector.parse(raw, connector.settings)]


def raw_of(body: Any, ordinal: int = 1) -> Raw:
    return Raw(key=ORDER, ordinal=ordinal, body=encode(body), media_type="application/json", received_at=START)
