"""The whole daemon on AppGallery: what is filed at first, an edit of an old review, what is written below an answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.connectors._shop.served import served
from tests.connectors.huawei_appgallery.conftest import APP, CLIENT, SECRET, AppGallery
from tests.daemon.house import House

CHANNEL = f"""
[channels.appgallery]
connector = "huawei_appgallery"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
apps = {{{{ {APP} = "示例商城" }}}}
url = "{{url}}"
interval_seconds = 60
"""


@pytest.fixture
def gallery() -> AppGallery:
    return AppGallery()


@pytest.fixture
def url(gallery: AppGallery) -> Iterator[str]:
    with served(gallery.answer) as address:
        yield address


@pytest.fixture
def house(house: House, url: str) -> House:
    house.configure(CHANNEL.format(url=url))
    return house


def ago(**span: float) -> int:
    return int((datetime.now(UTC) - timedelta(**span)).timestamp() * 1000)


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_reviews_and_what_is_written_below_an_answer(house: House, gallery: AppGallery) -> None:
    written = ago(hours=2)
    gallery.write(1, "更新后一打开就闪退", stars="1", dateline=written)
    gallery.write(2, "一直很好用，五星", stars=5, dateline=ago(hours=3))
    gallery.write(3, "老版本太卡，卸载了", stars=1, dateline=ago(days=60))
    house.start()
    house.until(lambda: filed(house, "闪退"), "the new review in the file")
    record = filed(house, "闪退")[0]["complaint"]
    assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "示例商城 4.2.1 (CN)")
    assert house.stop() == 0
    gallery.write(1, "更新后一打开就闪退", stars="1", dateline=written, devReplyState="6")
    gallery.write(3, "会员被重复扣费，要求退款", stars=1, dateline=ago(days=60))
    house.start()
    house.until(lambda: len(house.filed()) == 3, "the edit of an old review, and the follow-up, in the file")
    (again,) = [one for one in house.filed() if one["event"]["kind"] == "followed_up"]
    assert again["complaint"]["id"] == record["id"]
    assert len({one["complaint"]["id"] for one in filed(house, "重复扣费")} - {record["id"]}) == 1
    assert house.stop() == 0
    assert "Traceback" not in house.log
