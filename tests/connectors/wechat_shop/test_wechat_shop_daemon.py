"""The whole daemon behind a shop: an order is kept, its dispute is pushed, read and filed, and cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from tests.connectors._wechat.platform import SECRET
from tests.connectors._wechat.pushing import make_fields, push_sealed_json
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN
from tests.connectors.wechat_shop.shop import Shop, make_step, open_shop_apart
from tests.daemon.house import House

CHANNEL = f"""
[channels.shop]
connector = "wechat_shop"
app_id = "{APP_ID}"
app_secret = "{SECRET}"
token = "{TOKEN}"
encoding_aes_key = "{AES_KEY}"
url = "{{url}}"
"""
ORDER = "2000000000000001"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop_apart() as shop:
        yield shop


@pytest.fixture
def house(house: House, shop: Shop) -> House:
    house.configure(CHANNEL.format(url=shop.url))
    return house


def push(house: House) -> tuple[int, bytes]:
    told = {"status": "MERCHANT_PROCESSING", "after_sale_order_id": ORDER}
    about: dict[str, Any] = {"Event": "channels_ec_aftersale_update", "finder_shop_aftersale_status_update": told}
    request = push_sealed_json(
        make_fields(MsgType="event", **about) | {"CreateTime": int(time.time())}, at=datetime.now(UTC)
    )
    address = house.addresses["forms"][0].replace("/in/form", "/in/shop") + "?" + urlencode(request.query)
    with urlopen(HttpRequest(address, data=request.body, headers=dict(request.headers)), timeout=5) as answer:
        return answer.status, answer.read()


def events_of(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_a_dispute_opens_what_a_harmless_order_did_not(house: House, shop: Shop) -> None:
    now = int(time.time())
    shop.write(1, "不想要了", create_time=now - 300, update_time=now - 300)
    shop.write(2, "质量问题", create_time=now - 200, update_time=now - 200)
    house.start()
    house.until(lambda: events_of(house, "质量问题"), "the faulty one in the file")
    assert not events_of(house, "不想要了")
    disputed: dict[str, Any] = {"complaint_id": "9000001", "create_time": now - 300, "update_time": now}
    shop.disputes["9000001"] = {"status": 100, "history": [make_step(1, now, "商家不肯退款，申请平台介入")]}
    shop.write(1, "不想要了", **disputed)
    assert push(house) == (200, b"success")
    house.until(lambda: events_of(house, "申请平台介入"), "the dispute in the file")
    record = events_of(house, "申请平台介入")[0]["complaint"]
    assert "3707636310244721920" in record["product_or_order"]
    assert "保湿面霜" in record["product_or_order"]
    shop.write(1, "不想要了", status="USER_CANCELD", **{**disputed, "update_time": now + 1})
    assert push(house) == (200, b"success")
    house.until(lambda: len([1 for one in house.filed() if one["complaint"]["id"] == record["id"]]) > 1, "a follow-up")
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
