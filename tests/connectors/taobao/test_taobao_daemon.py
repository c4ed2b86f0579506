"""The whole daemon on a Taobao shop: what is filed, what follows up, what is kept only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.connectors._marketplace.market import WallClock, china
from tests.connectors._shop.served import served
from tests.connectors.taobao.conftest import KEY, SECRET, SHOP, TOKEN, Taobao
from tests.daemon.house import House

CHANNEL = f"""
[channels.taobao]
connector = "taobao"
shop = "{SHOP}"
app_key = "{KEY}"
app_secret = "{SECRET}"
access_token = "{TOKEN}"
sources = ["ratings", "refunds", "messages"]
url = "{{url}}"
interval_seconds = 60
"""


@pytest.fixture
def shop() -> Taobao:
    return Taobao(WallClock())


@pytest.fixture
def house(tmp_path: Path, shop: Taobao) -> Iterator[House]:
    house = House(tmp_path)
    with served(shop.answer) as url:
        house.configure(CHANNEL.format(url=url))
        try:
            yield house
        finally:
            house.clear()


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_ratings_refunds_and_messages(house: House, shop: Taobao) -> None:
    shop.rate(1, "盖子漏水，客服不理人")
    shop.rate(2, "很好用，下次还来", result="good")
    shop.claim(3, "杯底裂了，要求退款")
    shop.claim(4, "", reason="7天无理由退换货")
    house.start()
    house.until(lambda: len(house.filed()) == 2, "a bad rating and a refund in the file")
    record = filed(house, "杯底裂了")[0]["complaint"]
    assert record["product_or_order"]
    assert (record["nature"], filed(house, "盖子漏水")[0]["complaint"]["rating"]["value"]) == ("complaint", 1.0)
    assert house.stop() == 0
    asked = shop.refunds[0] | {"modified": china(datetime.now(UTC)), "desc": "杯底裂了，商家拒绝，要求平台介入"}
    shop.refunds[:] = [asked]
    shop.rate(1, "盖子漏水，追加：补发的也漏", age=timedelta(minutes=5))  # an edit that Taobao dates anew
    for row, topic in (
        (asked, "taobao_refund_RefundBuyerModifyAgreement"),
        (shop.ratings[-1], "taobao_trade_TradeRated"),
    ):
        shop.tell(topic, {"refund_id": row.get("refund_id"), "tid": row["tid"]})
    house.start()
    house.until(
        lambda: filed(house, "平台介入") and filed(house, "追加") and not shop.queue, "both follow-ups, confirmed"
    )
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
