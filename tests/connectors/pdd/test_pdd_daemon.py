"""The whole daemon on a Pinduoduo shop: what is filed, what is kept only, what follows up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.connectors._shops.served import WallClock, served
from tests.connectors.pdd.conftest import CLIENT, SECRET, SHOP, TOKEN, Pinduoduo
from tests.daemon.house import House

CHANNEL = f"""
[channels.pinduoduo]
connector = "pdd"
shop = "{SHOP}"
client_id = "{CLIENT}"
app_secret = "{SECRET}"
access_token = "{TOKEN}"
statuses = [2, 8, 11]
look_back = "PT2H"
url = "{{url}}"
"""


@pytest.fixture
def shop() -> Pinduoduo:
    return Pinduoduo(WallClock())


@pytest.fixture
def house(tmp_path: Path, shop: Pinduoduo) -> Iterator[House]:
    house = House(tmp_path)
    with served(shop.answer) as url:
        house.configure(CHANNEL.format(url=url))
        try:
            yield house
        finally:
            house.clear()


def test_cases_are_filed_and_follow_up(house: House, shop: Pinduoduo) -> None:
    shop.claim(1, "商品破损/变形")
    shop.claim(2, "7天无理由退货")
    shop.claim(3, "发错货")
    house.start()
    house.until_filed(2)
    assert house.stop() == 0
    shop.claim(1, "商品破损/变形", status=11, age=timedelta(minutes=4))
    shop.claim(2, "7天无理由退货", status=8, age=timedelta(minutes=4))
    house.start()
    house.until(lambda: len(house.filed()) == 4, "a withdrawal and a case that the platform decides in the file")
    kinds = {one["complaint"]["product_or_order"]: one["event"]["kind"] for one in house.filed()}
    assert sorted(one["event"]["kind"] for one in house.filed()) == ["opened", "opened", "opened", "withdrawn"]
    assert len(kinds) == 3
    assert house.stop() == 0
    assert "Traceback" not in house.log
