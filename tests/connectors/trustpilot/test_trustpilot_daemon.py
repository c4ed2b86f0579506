"""The whole daemon on Trustpilot: pushed, filed, read back, edited, removed; and with what is pushed alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from tests.connectors._shop.served import served
from tests.connectors.trustpilot.conftest import HOOK, KEY, SECRET, UNIT, Trustpilot, event, post, pushed
from tests.daemon.house import House

PUSHED = f"""
[channels.trustpilot]
connector = "trustpilot"
webhook_secret = "{HOOK}"
"""
READ = f"""{PUSHED}
business_unit_id = "{UNIT}"
api_key = "{KEY}"
api_secret = "{SECRET}"
url = "{{url}}"
"""


def push(house: House, *events: Any) -> int:
    address = house.addresses["forms"][0].replace("/in/form", f"/in/trustpilot/{HOOK}")
    with urlopen(Request(address, data=post(*events).body, method="POST"), timeout=10) as answer:  # our own
        return int(answer.status)


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_pushed_read_edited_and_removed(house: House) -> None:
    trustpilot = Trustpilot()
    written = ago(minutes=5)
    row = trustpilot.write(1, "Two weeks late, no answer. Refund please.", createdAt=written)
    trustpilot.write(2, "Lovely, thank you", title="Great", stars=5, createdAt=ago(hours=3))
    trustpilot.write(3, "Never again", createdAt=ago(days=60))
    with served(trustpilot.answer) as url:
        house.configure(READ.format(url=url))
        house.start()
        assert push(house, event("service-review-created", pushed(row))) == 200
        (opened,) = house.until_filed(1)
        record = opened["complaint"]
        assert (record["rating"]["value"], record["product_or_order"]) == (1.0, "ORD-1")
        house.until(lambda: len(trustpilot.asked) >= 2, "the first page read, and stored")
        row = trustpilot.write(1, "Now they refuse a refund!", createdAt=written)
        assert push(house, event("service-review-updated", pushed(row))) == 200
        trustpilot.reviews.remove(row)
        assert push(house, event("service-review-deleted", {"id": row["id"]})) == 200
        lines = house.until_filed(2)
        house.until(lambda: "withdrawn" in house.filed()[-1]["complaint"]["tags"], "the deletion in the file")
        assert {one["complaint"]["id"] for one in [*lines, *house.filed()]} == {record["id"]}
        assert house.stop() == 0
    assert "Traceback" not in house.log
    assert not any(secret in house.log for secret in (HOOK, SECRET, KEY))


def test_what_is_pushed_alone(house: House) -> None:
    row = Trustpilot().write(1, "快递慢，客服不理人，要求退款", createdAt=ago(minutes=5))
    house.configure(PUSHED)
    house.start()
    assert push(house, event("service-review-created", pushed(row))) == 200
    (opened,) = house.until_filed(1)
    assert opened["complaint"]["customer"]["name"] == "Demo C."
    assert house.stop() == 0
    assert "Traceback" not in house.log
