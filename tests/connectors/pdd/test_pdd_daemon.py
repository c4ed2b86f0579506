"""The whole daemon on a Pinduoduo shop: what is filed, what is kept only, what follows up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.connectors._marketplace.market import WallClock
from tests.connectors._shop.served import served
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


def told(house: House) -> dict[tuple[str, str], str]:
    """Complaint and event → what it is about; what only edits is left out."""
    filed = [one for one in house.filed() if one["event"]["kind"] in ("opened", "withdrawn")]
    return {(one["complaint"]["id"], one["event"]["kind"]): one["complaint"]["description"] for one in filed}


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
    house.until(lambda: len(told(house)) == 4, "a withdrawal and a case that the platform decides in the file")
    assert set(told(house).values()) == {"商品破损/变形", "发错货", "7天无理由退货"}
    assert sorted(kind for _, kind in told(house)) == ["opened", "opened", "opened", "withdrawn"]
    assert house.stop() == 0
    assert "Traceback" not in house.log
