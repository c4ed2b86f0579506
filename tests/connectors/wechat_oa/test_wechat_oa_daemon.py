"""The whole daemon behind an Official Account: WeChat pushes, asks again when nobody answers, and reads the answer."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from allears_sdk.connector import Request
from tests.connectors._wechat.platform import SECRET, Platform, running_apart
from tests.connectors._wechat.pushing import make_fields, make_request, make_xml, push_plain, push_sealed, sign
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN
from tests.connectors.wechat_oa.test_wechat_oa_answers import fields_of, opened_from
from tests.daemon.house import House

CHANNEL = f"""
[channels.wx]
connector = "wechat_oa"
app_id = "{APP_ID}"
app_secret = "{SECRET}"
token = "{TOKEN}"
encoding_aes_key = "{AES_KEY}"
url = "{{url}}"
ask_profile = true
settle_seconds = 1
[channels.wx.passive_reply]
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 500


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_apart() as platform:
        yield platform


@pytest.fixture
def house(house: House, platform: Platform) -> House:
    house.configure(CHANNEL.format(url=platform.url))
    return house


class WeChat:
    """Sends, and sends again up to three times when there is no good answer within five seconds."""

    def __init__(self, house: House) -> None:
        self.house = house

    def exchange(self, request: Request) -> tuple[int, bytes]:
        address = self.house.addresses["forms"][0].replace("/in/form", "/in/wx") + "?" + urlencode(request.query)
        body = request.body if request.method == "POST" else None
        asked = HttpRequest(address, data=body, headers=dict(request.headers), method=request.method)
        try:
            with urlopen(asked, timeout=5) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def push(self, fields: dict[str, Any], attempts: int = 3) -> bytes:
        for _ in range(attempts):
            try:
                status, body = self.exchange(push_sealed(make_xml(**fields), at=datetime.now(UTC)))
            except (URLError, OSError):
                time.sleep(0.2)
                continue
            if status == 200:
                return body
        return b""


def said(text: str, number: int, who: str = "oABCD1234efgh5678ijkl", **more: Any) -> dict[str, Any]:
    return make_fields(text, number=number, FromUserName=who, CreateTime=int(time.time()), **more)


def test_from_a_greeting_to_a_complaint_with_a_picture(house: House, platform: Platform) -> None:
    platform.media["m-1"] = (PNG, "image/png", "屏幕.png")
    platform.users["oABCD1234efgh5678ijkl"] = {"openid": "oABCD1234efgh5678ijkl", "remark": "王女士"}
    house.start()
    wechat = WeChat(house)
    now = str(int(time.time()))
    echo = {"signature": sign(TOKEN, now, "77"), "timestamp": now, "nonce": "77", "echostr": "5837190"}
    assert wechat.exchange(make_request("GET", echo)) == (200, b"5837190")
    assert wechat.push(said("", 0, MsgType="event", Event="subscribe", EventKey="qrscene_shop7")) == b"success"
    assert wechat.push(said("你好", 1)) == b"success"
    time.sleep(0.3)
    complaint = said("订单77410233的手机屏幕碎了，要求退款", 2)
    told = wechat.push(complaint)
    words = opened_from(told)["Content"]
    assert wechat.push(complaint) == told, "a redelivery is answered word for word"
    assert wechat.push(said("", 3, MsgType="image", MediaId="m-1", PicUrl="http://127.0.0.1:9/x")) == b"success"
    (event, *_) = house.until_filed(1)
    record = event["complaint"]
    assert record["id"] in words
    assert "屏幕碎了" in record["description"]
    house.until(lambda: _has_picture(house), "the picture in a record")
    spoken = [one["text"] for one in house.filed()[-1]["complaint"]["conversation"]]
    assert [text[:6] for text in spoken] == ["subscr", "你好", "订单7741", ""]
    assert house.filed()[-1]["complaint"]["customer"]["name"] == "王女士"
    assert len({one["complaint"]["id"] for one in house.filed()}) == 1
    assert house.stop() == 0
    for secret in (SECRET, AES_KEY, TOKEN):
        assert secret not in house.log


def _has_picture(house: House) -> bool:
    files = [file for one in house.filed() for file in one["complaint"]["attachments"]]
    return any(file.get("sha256") and file.get("name") == "屏幕.png" for file in files)


def test_what_is_not_wechats_is_turned_away(house: House) -> None:
    house.start()
    wechat = WeChat(house)
    now = datetime.now(UTC)
    assert wechat.exchange(push_plain(make_xml(**said("降级", 7)), at=now))[0] == 401
    tampered = push_sealed(make_xml(**said("改过", 8)), at=now)
    assert wechat.exchange(make_request(query={**dict(tampered.query), "nonce": "1"}, body=tampered.body))[0] == 401
    assert wechat.exchange(push_sealed(make_xml(**said("昨天的", 9)), at=datetime(2026, 1, 1, tzinfo=UTC)))[0] == 401
    lol = b'<!DOCTYPE x [<!ENTITY a "lol">]><xml><Encrypt>&a;</Encrypt></xml>'
    assert wechat.exchange(make_request(query=dict(tampered.query), body=lol))[0] == 400
    assert wechat.exchange(make_request("PUT"))[0] == 405
    assert house.stop() == 0
    assert house.filed() == []
    assert "Traceback" not in house.log


def test_nothing_lost_nothing_doubled_through_kills(house: House) -> None:
    """Forty customers complain while the daemon is killed three times; WeChat is patient here, to count them all."""
    house.start()
    wechat, chance, answered = WeChat(house), random.Random(4711), []
    customers = [f"oCustomer{number:012}" for number in range(40)]

    def complain(mine: list[str]) -> None:
        for who in mine:
            body = wechat.push(said(f"{who}：屏幕碎了，要求退款", int(who[-4:]) + 100, who), attempts=100)
            answered.append((who, body))

    threads = [threading.Thread(target=complain, args=(customers[at::4],), daemon=True) for at in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(chance.uniform(0.05, 0.2))
        house.signal(signal.SIGKILL)
        house.wait()
        house.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    house.until_filed(40)
    assert house.stop() == 0
    filed = {one["complaint"]["id"]: one["complaint"] for one in house.filed()}
    assert len(filed) == len(house.filed()) == 40
    for who, body in answered:
        (record,) = [one for one in filed.values() if who in one["description"]]
        assert record["id"] in opened_from(body)["Content"], "the number a customer was told is that of the complaint"
    assert len(fields_of(answered[0][1])) == 4
