"""The whole daemon on Weibo: a post filed and edited, a comment answered, a private message acknowledged."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from allears_sdk.reference import find_references
from connectors.weibo.door import signature
from tests.connectors._shop.served import served
from tests.connectors.weibo.conftest import (
    APP_KEY,
    APP_SECRET,
    MESSAGE_TOKEN,
    TOKEN,
    UID,
    Weibo,
    make_talk,
    when,
)
from tests.daemon.house import House

CHANNEL = f"""
[channels.weibo]
connector = "weibo"
uid = "{UID}"
app_key = "{APP_KEY}"
app_secret = "{APP_SECRET}"
access_token = "{TOKEN}"
message_token = "{MESSAGE_TOKEN}"
url = "{{url}}"
login_url = "{{url}}"
message_url = "{{url}}"
interval_seconds = 30
settle_seconds = 0.3
[channels.weibo.acknowledge]
"""


@pytest.fixture
def weibo() -> Weibo:
    return Weibo()


@pytest.fixture
def url(weibo: Weibo) -> Iterator[str]:
    with served(weibo.answer) as address:
        yield address


@pytest.fixture
def house(house: House, url: str) -> House:
    house.configure(CHANNEL.format(url=url))
    return house


def ago(**span: float) -> str:
    return when(datetime.now(UTC) - timedelta(**span))


def push(house: House, talk: dict[str, Any]) -> None:
    timestamp, nonce = str(int(datetime.now(UTC).timestamp() * 1000)), "57155157"
    query = {"signature": signature(APP_SECRET, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    address = house.addresses["forms"][0].replace("/in/form", "/in/weibo")
    request = urllib.request.Request(f"{address}?{urlencode(query)}", data=json.dumps(talk).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def filed(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_in_public_and_in_private(house: House, weibo: Weibo) -> None:
    weibo.write(1, "@示例家电 冰箱修了三次还是不制冷，要求退款！", created_at=ago(hours=2))
    weibo.write(2, "@示例家电 新冰箱真好看", created_at=ago(hours=2))
    house.start()
    house.until(lambda: filed(house, "不制冷"), "the post in the file")
    post = filed(house, "不制冷")[0]["complaint"]
    assert post["permalink"].endswith("/5200000000000001")
    # later than the journal was born: what was said before may have been answered
    talk = make_talk("快递破损，要求赔偿！", created_at=ago(seconds=-2))
    push(house, talk)
    push(house, talk)
    house.until(lambda: filed(house, "快递破损"), "the private message in the file")
    house.until(lambda: weibo.sent, "an answer to it")
    private = filed(house, "快递破损")[0]["complaint"]
    assert find_references(json.loads(weibo.sent[0]["data"])["text"]) == (private["id"],)
    assert house.stop() == 0
    weibo.write(1, "@示例家电 冰箱修了四次还是不制冷，再不退款就投诉到12315！", created_at=ago(hours=2))
    house.start()
    house.until(lambda: len(house.filed()) == 3, "the edit in the file")
    (edit,) = [one for one in house.filed() if one["event"]["kind"] != "opened"]
    assert edit["complaint"]["id"] == post["id"]
    assert house.stop() == 0
    assert "Traceback" not in house.log
    assert (len(weibo.sent), filed(house, "好看")) == (1, [])
    assert not any(secret in house.log for secret in (APP_SECRET, TOKEN, MESSAGE_TOKEN))
