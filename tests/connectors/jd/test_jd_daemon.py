"""The whole daemon on a JD shop: what is filed, what follows up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.connectors._marketplace.market import WallClock
from tests.connectors._shop.served import served
from tests.connectors.jd.conftest import KEY, SECRET, SHOP, TOKEN, Jd
from tests.daemon.house import House

CHANNEL = f"""
[channels.jd]
connector = "jd"
shop = "{SHOP}"
app_key = "{KEY}"
app_secret = "{SECRET}"
access_token = "{TOKEN}"
gateway_url = "{{url}}/routerjson"
url = "{{url}}/rest/sp-aftercare/v0"
"""


@pytest.fixture
def shop() -> Jd:
    return Jd(WallClock())


@pytest.fixture
def house(tmp_path: Path, shop: Jd) -> Iterator[House]:
    house = House(tmp_path)
    with served(shop.answer) as url:
        house.configure(CHANNEL.format(url=url))
        try:
            yield house
        finally:
            house.clear()


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_reviews_and_cases(house: House, shop: Jd) -> None:
    shop.rate(1, "煮饭夹生，客服推脱")
    shop.rate(2, "很好用，五星好评", score=5)
    shop.rate(3, "去年买的，已经坏了", age=timedelta(days=20))
    shop.claim(4, "内胆掉漆，要求换货")
    house.start()
    house.until_filed(2)
    assert filed(house, "煮饭夹生")[0]["complaint"]["rating"]["value"] == 1.0
    record = filed(house, "内胆掉漆")[0]["complaint"]
    assert record["product_or_order"]
    assert house.stop() == 0
    shop.claim(4, "内胆掉漆，要求换货，商家拒绝，我要投诉", age=timedelta(minutes=3))
    house.start()
    house.until(lambda: filed(house, "我要投诉"), "the follow-up in the file")
    assert filed(house, "我要投诉")[0]["complaint"]["id"] == record["id"]
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
