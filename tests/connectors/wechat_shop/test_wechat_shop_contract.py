"""A shop keeps every connector's promises: callbacks that wake, and orders that are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.wechat_shop import WechatShopConnector
from tests.connectors._wechat.pushing import make_fields, push_sealed_json
from tests.connectors.wechat_shop.conftest import make_settings
from tests.connectors.wechat_shop.shop import open_shop


class TestWechatShop(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with open_shop() as self.shop:
            self.shop.page_items = 2
            self.count = 0
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        self.clock = FakeClock()
        return make_context("channel-under-test", tmp_path, clock=self.clock, known=journal.known, log=log)

    def make_connector(self, context: Context) -> WechatShopConnector:
        return WechatShopConnector(make_settings(url=self.shop.url), context)

    async def put(self, text: str) -> None:
        self.count += 1
        self.shop.write(self.count, text, age=self.later())

    def later(self) -> int:
        """Minutes go by: what is written then lies in a span that can be read already."""
        self.clock.advance(600)
        return 120 - int((self.clock.now() - START).total_seconds())

    async def put_malformed(self) -> None:
        self.shop.write(90, create_time=None, product_info=[])
        self.shop.odd_rows = [{"id": 7}]

    async def put_oversize(self) -> None:
        self.shop.write(91, "x" * (3 << 20))

    async def rate(self, stars: int) -> None:
        self.shop.write(1, "质量问题" if stars == 1 else "与商家协商一致", age=self.later())

    async def request(self, text: str) -> Request:
        told = {"status": "MERCHANT_PROCESSING", "after_sale_order_id": "2000000000000001", "order_id": "37076"}
        event: dict[str, Any] = {"Event": "channels_ec_aftersale_update", "finder_shop_aftersale_status_update": told}
        return push_sealed_json(make_fields(MsgType="event", **event))

    async def left_file(self, content: bytes) -> Ref:
        self.shop.media["m-1"] = (content, "image/jpeg", "0tAq.jpg")
        return Ref(locator={"media_id": "m-1"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"media_id": "m-9"})
