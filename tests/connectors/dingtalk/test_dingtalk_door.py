"""HTTP mode: DingTalk's own signatures, on the address that only DingTalk knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from allears_sdk.connector import Answer, Reception
from allears_sdk.signing import OutsideWindow, hmac_base64
from allears_sdk.testing import FakeClock
from allears_sdk.testing.context import MemoryTokens
from tests.connectors.dingtalk.conftest import Make
from tests.connectors.dingtalk.dingtalk_server import CLIENT_SECRET, PATH_SECRET, DingTalkServer, post, sign

VECTOR_SECRET = "dingSecret"
VECTOR_SIGN = "VzIb1c/EGCd7Sqoq7uR8/I+MxShhnaK4JbWDlzKcM8o="
VECTOR_BODY = (
    '{"msgId":"msg0001","msgtype":"text","text":{"content":" 三楼空调漏水"},"createAt":1767225600000,'
    '"conversationType":"2","conversationId":"cid001","conversationTitle":"客诉群","senderId":"$:LWCP:1","senderStaffId":"user01","senderNick":"李工",'
    '"senderCorpId":"ding01","robotCode":"rb01","isInAtList":true,"sessionWebhook":'
    '"https://oapi.dingtalk.com/robot/sendBySession?session=x","sessionWebhookExpiredTime":1767231000000}'
).encode()


def status(reception: Reception) -> tuple[int, str]:
    return reception.answer([]).status, reception.refused


class TestVector:
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(datetime(2026, 1, 1, tzinfo=UTC))

    async def test_accepted(self, pushed_to: Make, clock: FakeClock) -> None:
        door = pushed_to(client_secret=VECTOR_SECRET)
        request = post(VECTOR_BODY, clock, headers={"timestamp": "1767225600000", "sign": VECTOR_SIGN})
        reception = await door.receive(request)
        assert status(reception) == (200, "")
        (raw,) = reception.raws
        assert raw.key == "msg0001"
        (message,) = door.parse(raw, door.settings)
        assert (message.text, message.author.name, message.thread) == ("三楼空调漏水", "李工", ("cid001",))

    async def test_tampered(self, pushed_to: Make, clock: FakeClock) -> None:
        door = pushed_to(client_secret=VECTOR_SECRET)
        for headers in (
            {"timestamp": "1767225600001", "sign": VECTOR_SIGN},
            {"timestamp": "1767225600000", "sign": VECTOR_SIGN.lower()},
            {"timestamp": "1767225600000", "sign": ""},
            {"timestamp": "1767225600000", "sign": "签名"},
            {"timestamp": "", "sign": VECTOR_SIGN},
            {"timestamp": "1767225600000", "sign": sign("1767225600000", "another")},
        ):
            assert status(await door.receive(post(VECTOR_BODY, clock, headers=headers))) == (401, "bad signature")
        odd = hmac_base64(VECTOR_SECRET, f"soon\n{VECTOR_SECRET}")
        reception = await door.receive(post(VECTOR_BODY, clock, headers={"timestamp": "soon", "sign": odd}))
        assert status(reception) == (401, "the signature's time is none")

    async def test_two_different_signatures_count_as_none(self, pushed_to: Make, clock: FakeClock) -> None:
        door = pushed_to(client_secret=VECTOR_SECRET)
        good = post(VECTOR_BODY, clock, headers={"timestamp": "1767225600000", "sign": VECTOR_SIGN})
        doubled = msgspec.structs.replace(good, headers=[*good.headers, ("Sign", "x")])
        assert status(await door.receive(doubled)) == (401, "bad signature")


async def test_a_message_and_its_redelivery(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    door = pushed_to()
    data = dingtalk.say("电饭煲坏了😡，要求退款")
    first = await door.receive(post(data, clock))
    clock.advance(900)
    second = await door.receive(post(data, clock))
    assert [raw.key for raw in first.raws] == [raw.key for raw in second.raws] == [data["msgId"]]
    assert first.raws[0].body == second.raws[0].body
    assert first.answer([]) == second.answer([]) == Answer(body=b"{}", media_type="application/json")


@pytest.mark.parametrize("age", [3599, -3599])
async def test_in_the_window(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock, age: float) -> None:
    assert status(await pushed_to().receive(post(dingtalk.say("退款"), clock, age=age)))[0] == 200


@pytest.mark.parametrize("age", [3601, -3601])
async def test_outside_the_window(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock, age: float) -> None:
    with pytest.raises(OutsideWindow):
        await pushed_to().receive(post(dingtalk.say("退款"), clock, age=age))


async def test_the_address_is_part_of_the_secret(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    data = dingtalk.say("退款")
    for path in ("", "/", "/guess", f"/{PATH_SECRET}x"):
        assert status(await pushed_to().receive(post(data, clock, path=path)))[0] == 401
    assert status(await pushed_to(path_secret=None).receive(post(data, clock, path=""))) == (200, "")
    assert status(await pushed_to(path_secret=None).receive(post(data, clock)))[0] == 401
    for weak in ("short", "with/a/slash/in-it-1234"):
        with pytest.raises(ValueError, match="path_secret"):
            dingtalk.pushed_to(path_secret=weak)


async def test_methods_and_modes(pushed_to: Make, connected: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    good = post(dingtalk.say("退款"), clock)
    assert status(await pushed_to().receive(msgspec.structs.replace(good, method="GET")))[0] == 405
    assert status(await connected().receive(good))[0] == 403


async def test_nothing_that_is_signed_is_lost(pushed_to: Make, clock: FakeClock) -> None:
    """What cannot be understood becomes a letter, known by its bytes."""
    door = pushed_to()
    for body in (b"", b"[]", b"{", b'{"msgId": 7}', "投诉".encode("gb18030")):
        first, second = await door.receive(post(body, clock)), await door.receive(post(body, clock))
        assert first.raws[0].key == second.raws[0].key
        assert first.raws[0].key.startswith("sha256:")
    encrypted = await door.receive(post({"encrypt": "q1w2e3"}, clock))
    assert "switch that off" in encrypted.raws[0].quarantine
    endless = await door.receive(post({"msgId": "x" * 5000, "conversationId": "c"}, clock))
    assert len(endless.raws[0].key) < 100


async def test_where_to_answer_is_kept_apart_and_only_when_we_answer(
    pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock
) -> None:
    silent = pushed_to()
    (raw,) = (await silent.receive(post(dingtalk.say("退款"), clock))).raws
    assert b"sendBySession" not in raw.body
    assert json.loads(raw.body)["text"] == {"content": "退款"}
    tokens = silent.context.tokens
    assert isinstance(tokens, MemoryTokens)
    assert tokens.values == {}
    await pushed_to(acknowledge={}).receive(post(dingtalk.say("退款"), clock))
    assert len(tokens.values) == 1
    assert CLIENT_SECRET not in str(tokens.values)
