"""The whole daemon on Douyin: a message pushed, answered by the company, taken back; comments wait for a login."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.connectors.douyin.conftest import ACCOUNT, CUSTOMER, KEY, SECRET, deliver, make_event
from tests.daemon.house import House

CHANNEL = f"""
[channels.douyin]
connector = "douyin"
open_id = "{ACCOUNT}"
client_key = "{KEY}"
client_secret = "{SECRET}"
url = "http://127.0.0.1:9"
read_comments = true
settle_seconds = 0.3
interval_seconds = 30
"""


@pytest.fixture
def house(house: House) -> House:
    house.configure(CHANNEL)
    return house


def push(house: House, event: dict[str, Any]) -> None:
    request = deliver(event)
    address = house.addresses["forms"][0].replace("/in/form", "/in/douyin")
    sent = urllib.request.Request(address, data=request.body, headers=dict(request.headers), method="POST")
    with urllib.request.urlopen(sent, timeout=10) as answer:
        assert answer.status == 200


def test_messages_are_heard_though_nobody_has_logged_in_for_comments(house: House) -> None:
    house.start()
    now = int(datetime.now(UTC).timestamp() * 1000)
    said = make_event(text="订单 2026112200017 退款一直没到，再不处理就投诉！", create_time=now)
    push(house, said)
    push(house, said)
    house.until(lambda: len(house.filed()) == 1, "the message in the file")
    record = house.filed()[0]["complaint"]
    assert record["customer"]["name"] == "王先生"
    push(
        house,
        make_event(
            "im_send_msg", by=ACCOUNT, to=CUSTOMER, text="您好，已加急", server_message_id="@m2", create_time=now + 1
        ),
    )
    push(house, make_event("im_recall_msg", text=None, create_time=now + 2))
    house.until(lambda: len(house.filed()) > 1, "the withdrawal in the file")
    assert {one["complaint"]["id"] for one in house.filed()} == {record["id"]}
    assert "已加急" in json.dumps(house.filed()[-1], ensure_ascii=False)
    house.until(lambda: "allears channels login douyin" in house.log, "what to do for comments, in the log")
    assert house.stop() == 0
    assert "Traceback" not in house.log
    assert SECRET not in house.log
