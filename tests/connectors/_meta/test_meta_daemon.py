"""The whole daemon behind Meta's deliveries: who is who on WhatsApp, and what of a Page is filed."""

from __future__ import annotations

import time
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from tests.connectors._meta.graph_server import SECRET, VERIFY_TOKEN, deliver
from tests.connectors.facebook import conftest as facebook
from tests.connectors.whatsapp import conftest as whatsapp
from tests.daemon.house import House

CHANNELS = f"""
[channels.chat]
connector = "whatsapp"
app_secret = "{SECRET}"
verify_token = "{VERIFY_TOKEN}"
settle_seconds = 1
[channels.page]
connector = "facebook"
page_id = "{facebook.PAGE}"
app_secret = "{SECRET}"
verify_token = "{VERIFY_TOKEN}"
settle_seconds = 1
"""


@pytest.fixture
def house(house: House) -> House:
    house.configure(CHANNELS)
    return house


def push(house: House, channel: str, delivery: dict[str, Any]) -> None:
    request = deliver(delivery)
    address = house.addresses["forms"][0].replace("/in/form", f"/in/{channel}")
    with urlopen(HttpRequest(address, data=request.body, headers=dict(request.headers)), timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def events_of(house: House, words: str) -> list[dict[str, Any]]:
    return [one for one in house.filed() if words in str(one["complaint"]["conversation"])]


def say(text: str, number: str | None, user_id: str | None) -> dict[str, Any]:
    ids: dict[str, Any] = {"from": number, "from_user_id": user_id}
    message = whatsapp.make_message(text, timestamp=str(int(time.time())), **ids)
    return whatsapp.make_delivery(message, contacts=[whatsapp.make_contact("李雷", number, user_id)])


def test_a_customer_is_one_by_each_id_and_after_a_change_of_both(house: House) -> None:
    house.start()
    first = say("订单7741的手机屏幕碎了，要求退款", whatsapp.PHONE, whatsapp.USER_ID)
    for _ in range(2):
        push(house, "chat", first)
    house.until(lambda: events_of(house, "屏幕碎了"), "the complaint in the file")
    (opened,) = events_of(house, "屏幕碎了")
    record = opened["complaint"]
    assert (record["customer"]["name"], record["contact"]["phone"]) == ("李雷", "+8613800138000")
    push(house, "chat", say("订单号写错了，是7742", None, whatsapp.USER_ID))
    house.until(lambda: events_of(house, "7742"), "what the id alone says")
    push(house, "chat", say("三天了还没人理我", whatsapp.PHONE, None))
    house.until(lambda: events_of(house, "还没人理"), "what the number alone says")
    system = {"body": "User changed", "wa_id": "8613700137000", "user_id": "CN.77", "type": "user_changed_number"}
    old: dict[str, Any] = {"from_user_id": None, "timestamp": str(int(time.time()))}
    push(house, "chat", whatsapp.make_delivery(whatsapp.make_message(type="system", system=system, **old), contacts=[]))
    push(house, "chat", say("换了号码，退款呢？", "8613700137000", "CN.77"))
    house.until(lambda: events_of(house, "换了号码"), "what is said under a new number")
    assert len({one["complaint"]["id"] for one in house.filed()}) == 1
    assert house.stop() == 0
    assert "Traceback" not in house.log


def test_of_a_page_grievances_are_filed_and_of_messenger_questions_too(house: House) -> None:
    house.start()
    now = int(time.time())

    def comment(name: str, who: str, text: str) -> dict[str, Any]:
        return facebook.make_change(
            comment_id=f"111_{name}", message=text, created_time=now, **facebook.by({"id": who, "name": "Ana"})
        )

    push(house, "page", comment("1", "701", "请问周末几点开门？"))
    push(house, "page", comment("2", "702", "寄来的手机屏幕是碎的，客服一直不回，要求退款！"))
    push(house, "page", facebook.make_event("请问我的包裹到哪里了？", timestamp=now * 1000))
    house.until(lambda: events_of(house, "屏幕是碎的"), "the comment in the file")
    house.until(lambda: events_of(house, "包裹到哪里"), "the message in the file")
    push(house, "page", facebook.make_change("edited", comment_id="111_2", message="已退款，谢谢", created_time=now))
    house.until(lambda: events_of(house, "已退款"), "the edit in the file")
    assert not events_of(house, "几点开门")
    assert len({one["complaint"]["id"] for one in house.filed()}) == 2
    assert house.stop() == 0
    assert "Traceback" not in house.log
