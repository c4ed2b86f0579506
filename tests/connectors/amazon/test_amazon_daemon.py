"""The whole daemon on Amazon: feedback that is filed, changes while it was down, a topic that is only kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.connectors._shop.served import served
from tests.connectors.amazon.conftest import ASIN, CLIENT, REFRESH, SECRET, SELLER, Amazon
from tests.daemon.house import House

CHANNEL = f"""
[channels.amazon]
connector = "amazon"
seller = "{SELLER}"
marketplaces = ["US"]
client_id = "{CLIENT}"
client_secret = "{SECRET}"
refresh_token = "{REFRESH}"
products = {{{{ {ASIN} = "Kettle" }}}}
url = "{{url}}"
token_url = "{{url}}/auth/o2/token"
"""


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def url(amazon: Amazon) -> Iterator[str]:
    with served(amazon.answer) as address:
        yield address


@pytest.fixture
def house(house: House, url: str) -> House:
    house.configure(CHANNEL.format(url=url))
    return house


def ago(**span: float) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(**span)
    return {"at": at, "date": f"{at:%Y-%m-%d}"}


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_feedback_is_filed_and_followed_up(house: House, amazon: Amazon) -> None:
    first, old = ago(days=2), ago(days=45)
    order = amazon.write(1, "Arrived broken and nobody answers. Refund please!", **first)
    amazon.write(2, "Box was dented", stars=2, **old)
    topic = {"topic": "Leaks", "reviewSnippets": ["It leaks, I want my money back"]}
    amazon.topics["topics"] = {"negativeTopics": [topic]}
    house.start()
    house.until(lambda: filed(house, "Arrived broken"), "the feedback in the file")
    record = filed(house, "Arrived broken")[0]["complaint"]
    assert (record["rating"]["value"], record["product_or_order"]) == (1.0, order)
    assert house.stop() == 0
    amazon.write(1, "Arrived broken. Still no refund, this is a scam!", response="We are sorry.", **first)
    amazon.write(2, "Box was dented, now it does not work at all", stars=1, **old)
    house.start()
    house.until(lambda: len(house.filed()) >= 3, "the changes of a new and of an old feedback in the file")
    (again,) = filed(house, "Still no refund")
    assert again["complaint"]["id"] == record["id"]
    (revived,) = filed(house, "does not work at all")
    assert revived["complaint"]["id"] != record["id"]
    assert not filed(house, "It leaks")
    assert house.stop() == 0
    assert "Traceback" not in house.log
