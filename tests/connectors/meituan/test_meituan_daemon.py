"""The whole daemon behind a shop on 美团外卖: a bad comment opens a complaint, what is added later follows it up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors._marketplace.times import BEIJING
from tests.connectors._shop.served import served
from tests.connectors.meituan.conftest import APP, SECRET, SHOP, Takeaway
from tests.daemon.house import House

CHANNEL = f"""
[channels.takeaway]
connector = "meituan"
app_id = "{APP}"
app_secret = "{SECRET}"
shops = {{{{ {SHOP} = "示例餐厅" }}}}
url = "{{url}}"
"""


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def takeaway() -> Takeaway:
    return Takeaway(RealClock())


@pytest.fixture
def url(takeaway: Takeaway) -> Iterator[str]:
    with served(takeaway.answer) as address:
        yield address


@pytest.fixture
def house(house: House, url: str) -> House:
    house.configure(CHANNEL.format(url=url))
    return house


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_a_bad_comment_and_what_is_added_to_it(house: House, takeaway: Takeaway) -> None:
    yesterday = f"{(datetime.now(UTC) - timedelta(days=1)).astimezone(BEIJING):%Y-%m-%d}"
    takeaway.write(1, "汤全洒了，打电话没人接", comment_time=yesterday)
    takeaway.write(2, "好吃，下次还来", stars=5, comment_time=yesterday)
    house.start()
    house.until(lambda: filed(house, "汤全洒了"), "the bad one in the file")
    record = filed(house, "汤全洒了")[0]["complaint"]
    assert record["rating"]["value"] == 1.0
    assert "示例餐厅" in record["product_or_order"]
    assert house.stop() == 0
    takeaway.write(1, "汤全洒了，打电话没人接", comment_time=yesterday, add_comment="吃完拉肚子，要求赔偿")
    house.start()
    house.until(lambda: len(house.filed()) > 1, "the follow-up in the file")
    assert {one["complaint"]["id"] for one in house.filed()} == {record["id"]}
    assert any("拉肚子" in str(one) for one in house.filed())
    assert house.stop() == 0
    assert "Traceback" not in house.log
