"""The whole daemon behind a shop on 大众点评: one star opens a complaint though it has no words, five stars do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors._marketplace.times import BEIJING
from tests.connectors._shop.served import served
from tests.connectors.dianping.conftest import KEY, SECRET, SEED, SHOP, Dianping
from tests.daemon.house import House

CHANNEL = f"""
[channels.dianping]
connector = "dianping"
app_key = "{KEY}"
app_secret = "{SECRET}"
refresh_token = "{SEED}"
shops = {{{{ "{SHOP}" = "示例餐厅" }}}}
url = "{{url}}"
"""


@pytest.fixture
def dianping() -> Dianping:
    return Dianping()


@pytest.fixture
def url(dianping: Dianping) -> Iterator[str]:
    with served(dianping.answer) as address:
        yield address


@pytest.fixture
def house(house: House, url: str) -> House:
    house.configure(CHANNEL.format(url=url))
    return house


def test_stars_without_words(house: House, dianping: Dianping) -> None:
    at = f"{(datetime.now(UTC) - timedelta(hours=3)).astimezone(BEIJING):%Y-%m-%d %H:%M}"
    dianping.write(1, stars=10, reviewTime=at, scoreDetails=[{"title": "服务", "score": 10}])
    dianping.write(2, stars=50, reviewTime=at, scoreDetails=[{"title": "服务", "score": 50}])
    dianping.write(3, stars=50, reviewTime=at)
    dianping.write(4, stars=10, reviewTime=at)
    house.start()
    house.until(lambda: len(house.filed()) == 2, "the two of one star in the file")
    bare, record = sorted((one["complaint"] for one in house.filed()), key=lambda one: len(one["description"]))
    assert (bare["rating"]["value"], bare["description"]) == (1.0, "总体：1 星")
    assert bare["title"]
    assert record["rating"]["value"] == 1.0
    assert "493500000001" in record["product_or_order"]
    assert "服务：1 星" in record["description"]
    assert house.stop() == 0
    dianping.write(1, stars=50, reviewTime=at)
    house.start()
    house.until(lambda: len(house.filed()) > 2, "the changed stars in the file")
    changed = house.filed()[-1]["complaint"]
    assert (changed["id"], changed["rating"]["value"]) == (record["id"], 5.0)
    assert house.stop() == 0
    assert dianping.refreshed == 1, "the session outlives the daemon"
    assert "Traceback" not in house.log
