"""What WeChat is answered within its five seconds: read by wechatpy, the same bytes to a redelivery."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from wechatpy.crypto import WeChatCrypto

from allears_sdk.connector import Answer
from connectors._wechat.passive import language_of
from connectors._wechat.said import is_greeting
from tests.connectors._wechat.pushing import CUSTOMER, OURS, SECONDS, make_fields, make_xml, push_plain, push_sealed
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, TOKEN
from tests.connectors.wechat_oa.conftest import REFERENCE, Connect, answer_to, make_settings

TEXT = make_xml(**make_fields("我要投诉，订单77410233"))


def opened(answer: Answer) -> dict[str, str]:
    return opened_from(answer.body)


def opened_from(body: bytes) -> dict[str, str]:
    """As WeChat opens it."""
    sealed = fields_of(body)
    crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    plain = crypto.decrypt_message(body, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    return fields_of(plain.encode())


def fields_of(body: bytes) -> dict[str, str]:
    return {one.tag: one.text or "" for one in ElementTree.fromstring(body)}


async def test_without_passive_replies_it_is_success(connect: Connect) -> None:
    answer = answer_to(await connect().receive(push_sealed(TEXT)))
    assert (answer.status, answer.body) == (200, b"success")


async def test_whoever_opens_a_conversation_reads_the_reference(connect: Connect) -> None:
    answer = answer_to(await connect(passive_reply={}).receive(push_sealed(TEXT)))
    assert (answer.status, answer.media_type) == (200, "text/xml; charset=utf-8")
    told = opened(answer)
    assert (told["ToUserName"], told["FromUserName"], told["MsgType"]) == (CUSTOMER, OURS, "text")
    assert told["CreateTime"] == str(SECONDS)
    assert told["Content"].startswith("已收到，编号：ALE-7K3M-Q9TX-4RWD。")


async def test_a_redelivery_gets_the_very_same_bytes(connect: Connect) -> None:
    first = answer_to(await connect(passive_reply={}).receive(push_sealed(TEXT)))
    second = answer_to(await connect(passive_reply={}).receive(push_sealed(TEXT, nonce="777")), is_new=False)
    assert first == second


async def test_two_messages_are_not_sealed_alike(connect: Connect) -> None:
    other = make_xml(**make_fields("我要投诉，订单77410233", number=24681357908642139))
    bodies = [answer_to(await connect(passive_reply={}).receive(push_sealed(one))).body for one in (TEXT, other)]
    starts = [re.findall(rb"<Encrypt><!\[CDATA\[(.{24})", body) for body in bodies]
    assert starts[0] != starts[1], "one key and one IV for all: the random bytes must differ"


async def test_plain_mode_answers_in_clear(connect: Connect) -> None:
    reception = await connect(mode="plain", passive_reply={}).receive(push_plain(TEXT))
    told = fields_of(answer_to(reception).body)
    assert (told["MsgType"], REFERENCE in told["Content"]) == ("text", True)


@pytest.mark.parametrize(
    ("fields", "is_opening"),
    [
        (make_fields("还有，盖子也坏了"), False),
        (make_fields("你好"), True),
        (make_fields("Hello!!"), True),
        (make_fields("在吗？亲"), True),
        (make_fields("😊"), True),
        (make_fields(MsgType="event", Event="subscribe", EventKey=""), True),
        (make_fields(MsgType="event", Event="CLICK", EventKey="TOUSU"), True),
    ],
)
async def test_who_is_told_nothing(connect: Connect, fields: dict[str, str], is_opening: bool) -> None:
    reception = await connect(passive_reply={}).receive(push_sealed(make_xml(**fields)))
    assert answer_to(reception, opened=is_opening).body == b"success"


async def test_a_greeting_is_left_out_of_what_the_answer_counts(connect: Connect) -> None:
    """It belongs to the chat, but the next message is the one that opens it."""
    connector = connect(passive_reply={})
    (raw,) = (await connector.receive(push_sealed(make_xml(**make_fields("你好"))))).raws
    (message,) = connector.parse(raw, connector.settings)
    assert (raw.thread, message.thread, message.is_automatic) == ("", (CUSTOMER,), False)


async def test_a_picture_that_opens_a_conversation_is_answered(connect: Connect) -> None:
    fields = make_fields(MsgType="image", MediaId="m-1", PicUrl="http://mmbiz.qpic.cn/x")
    assert (
        REFERENCE
        in opened(answer_to(await connect(passive_reply={}).receive(push_sealed(make_xml(**fields)))))["Content"]
    )


@pytest.mark.parametrize(
    ("passive", "said", "told"),
    [
        ({}, "The lid broke, refund please", "We have received your message. Its reference is ALE-7K3M-Q9TX-4RWD."),
        ({"language": "zh"}, "The lid broke", "已收到，编号：ALE-7K3M-Q9TX-4RWD。"),
        ({"language": "en"}, "盖子坏了", "We have received"),
        ({"text_zh": "收到！{reference} {不是占位}"}, "盖子坏了", "收到！ALE-7K3M-Q9TX-4RWD {不是占位}"),
        ({"text_zh": "]]>{reference}<b>"}, "盖子坏了", "]]>ALE-7K3M-Q9TX-4RWD<b>"),
    ],
)
async def test_the_words(connect: Connect, passive: dict[str, str], said: str, told: str) -> None:
    reception = await connect(passive_reply=passive).receive(push_sealed(make_xml(**make_fields(said))))
    assert opened(answer_to(reception))["Content"].startswith(told)


async def test_switched_off(connect: Connect) -> None:
    reception = await connect(passive_reply={"enabled": False}).receive(push_sealed(TEXT))
    assert answer_to(reception).body == b"success"


async def test_handed_over_to_the_platforms_own_agents(connect: Connect) -> None:
    connector = connect(hand_over=True)
    told = opened(answer_to(await connector.receive(push_sealed(TEXT)), opened=False))
    assert (told["MsgType"], told["ToUserName"]) == ("transfer_customer_service", CUSTOMER)
    event = make_xml(**make_fields(MsgType="event", Event="subscribe", EventKey=""))
    assert answer_to(await connector.receive(push_sealed(event))).body == b"success"
    greeting = make_xml(**make_fields("你好"))
    assert opened(answer_to(await connector.receive(push_sealed(greeting))))["MsgType"] == "transfer_customer_service"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"passive_reply": {}, "acknowledge": {}}, "told twice"),
        ({"passive_reply": {}, "hand_over": True}, "one answer"),
        ({"acknowledge": {}, "app_secret": None}, "acknowledge needs app_secret"),
        ({"ask_profile": True, "app_secret": None}, "ask_profile needs app_secret"),
        ({"encoding_aes_key": None}, "needs encoding_aes_key"),
        ({"encoding_aes_key": None, "mode": "compatible"}, "needs encoding_aes_key"),
        ({"encoding_aes_key": "short"}, "43 letters and digits"),
        ({"token": "with space"}, "3 to 32 letters"),
        ({"app_id": "gh_0a1b2c3d4e5f"}, "pattern"),
        ({"passive_reply": {"text_zh": "收到"}}, "does not say the {reference}"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(reason)) as caught:
        make_settings(**settings)
    assert AES_KEY not in str(caught.value)


def test_plain_mode_needs_no_key() -> None:
    assert make_settings(encoding_aes_key=None, mode="plain").mode == "plain"


@pytest.mark.parametrize(
    "said", ["你好", "您好！", "在吗", "早上好呀", "Hi", "HELLO!", "ｈｅｌｌｏ", "嗯嗯", "", "？", "人工客服"]
)
def test_greetings(said: str) -> None:
    assert is_greeting(said)


@pytest.mark.parametrize("said", ["你好，我要退款", "坏了", "投诉", "refund", "hi my order 7741 is broken", "12345"])
def test_no_greetings(said: str) -> None:
    assert not is_greeting(said)


@pytest.mark.parametrize(("said", "language"), [("坏了 refund", "zh"), ("refund", "en"), ("😡", "zh"), ("1 2 3", "zh")])
def test_the_language_of_a_chat(said: str, language: str) -> None:
    assert language_of(said) == language
