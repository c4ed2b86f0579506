"""The whole daemon on a WooCommerce shop: one that waits to be approved is filed, and taken back by the trash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.connectors._shop.served import served
from tests.connectors.woocommerce.conftest import KEY, SECRET, Shop
from tests.daemon.house import House

CHANNEL = f"""
[channels.shop]
connector = "woocommerce"
url = "{{url}}"
consumer_key = "{KEY}"
consumer_secret = "{SECRET}"
"""


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S")


def test_filed_and_taken_back(house: House) -> None:
    shop, written = Shop(), ago(hours=2)
    shop.write(1, "壶嘴漏水，要求退款", status="hold", date_created_gmt=written)
    shop.write(2, "很好用，推荐", stars=5, date_created_gmt=ago(hours=3))
    shop.write(3, "Never again", date_created_gmt=ago(days=60))
    with served(shop.answer) as url:
        house.configure(CHANNEL.format(url=url))
        house.start()
        (opened,) = house.until_filed(1)
        record = opened["complaint"]
        assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "Demo Kettle – 1.7\xa0l")
        assert record["contact"]["email"] == "demo1@example.com"
        assert house.stop() == 0
        shop.write(1, "壶嘴漏水，要求退款", date_created_gmt=written, status="trash")
        house.start()
        house.until(lambda: "withdrawn" in house.filed()[-1]["complaint"]["tags"], "the withdrawal in the file")
        assert {one["complaint"]["id"] for one in house.filed()} == {record["id"]}
        assert house.stop() == 0
    assert "Traceback" not in house.log
    assert SECRET not in house.log
