"""The whole daemon behind a mini-program: a bad review is pushed and read, changed, and followed up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from allears_sdk.connector import Request
from tests.connectors._wechat.platform import SECRET, Platform, running_apart
from tests.connectors._wechat.pushing import make_fields, push_sealed_json
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN
from tests.connectors.wechat_mini.conftest import NOW, make_review
from tests.daemon.house import House

CHANNEL = f"""
[channels.mini]
connector = "wechat_mini"
app_id = "{APP_ID}"
app_secret = "{SECRET}"
token = "{TOKEN}"
encoding_aes_key = "{AES_KEY}"
url = "{{url}}"
reviews = "bad"
interval_seconds = 1
settle_seconds = 1
[channels.mini.acknowledge]
"""
REVIEWER = "oReview00007"


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_apart() as platform:
        yield platform


@pytest.fixture
def house(house: House, platform: Platform) -> House:
    house.configure(CHANNEL.format(url=platform.url))
    return house


def push(house: House, fields: dict[str, Any]) -> tuple[int, bytes]:
    request: Request = push_sealed_json({**fields, "CreateTime": int(time.time())}, at=datetime.now(UTC))
    address = house.addresses["forms"][0].replace("/in/form", "/in/mini") + "?" + urlencode(request.query)
    with urlopen(HttpRequest(address, data=request.body, headers=dict(request.headers)), timeout=5) as answer:
        return answer.status, answer.read()


def events_of(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in one["complaint"]["description"]]


def test_a_review_and_its_change_and_a_chat(house: House, platform: Platform) -> None:
    shift = NOW - int(time.time())
    bad = make_review(7, "面霜用了两天皮肤发红，要求退款", age=600 + shift)
    platform.reviews = [bad]
    house.start()
    time.sleep(1.1)  # the platform tells whole seconds: said before the journal was made, nothing is answered
    pushed = make_fields(MsgType="event", Event="wxa_comment_bad_score", result={"comment_id": bad["commentId"]})
    assert push(house, pushed) == (200, b"success")
    house.until(lambda: events_of(house, "皮肤发红"), "the review in the file")
    (opened,) = events_of(house, "皮肤发红")
    record = opened["complaint"]
    assert (record["rating"]["value"], record["customer"]["name"]) == (1.0, "李雷")
    assert "SO-2026-00007" in record["product_or_order"]
    assert push(house, make_fields("订单SO-2026-00031少发一件，请补发")) == (200, b"success")
    house.until(lambda: events_of(house, "少发一件"), "the chat in the file")
    assert events_of(house, "少发一件")[0]["complaint"]["description"] == "订单SO-2026-00031少发一件，请补发"
    changed = make_review(9, "面霜用了两天皮肤发红，客服已退款，改成五星", stars=5, age=120 + shift)
    platform.reviews = [changed]
    platform.old[changed["commentId"]] = bad
    house.until(lambda: len(events_of(house, "改成五星")) > 0, "the change in the file", 30)
    follow_up = events_of(house, "改成五星")[-1]["complaint"]
    assert follow_up["id"] == record["id"]
    assert follow_up["rating"]["value"] == 5.0
    house.until(lambda: platform.sent, "an acknowledgement in the chat")
    assert [sent["touser"] for sent in platform.sent] == ["oABCD1234efgh5678ijkl"], "a review is answered by people"
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
