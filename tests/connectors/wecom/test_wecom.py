"""What staff write to an app of 企业微信: heard, answered, and who they are."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from wechatpy.enterprise import parse_message
from wechatpy.enterprise.crypto import WeChatCrypto

from allears_sdk.connector import Accepted, Address
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Void
from allears_sdk.message import Attachment, Author, Message, Ref
from allears_sdk.testing.clock import START
from tests.connectors._wechat import vectors
from tests.connectors._wechat.platform import Platform, fault
from tests.connectors._wechat.pushing import SECONDS, make_request, make_xml, push_plain, push_sealed, push_work
from tests.connectors._wechat.vectors import AES_KEY, CORP_ID, TOKEN
from tests.connectors.wecom.conftest import Connect, make_settings

STAFF = "zhangsan"
SEND = "/cgi-bin/message/send"
GET_TOKEN = "/cgi-bin/gettoken"


def make_fields(content: str = "", *, number: int = 1234567890123456, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"ToUserName": CORP_ID, "FromUserName": STAFF, "CreateTime": SECONDS}
    if "MsgType" not in more:
        fields |= {"MsgType": "text", "Content": content}
    number_of = {"MsgId": number} if more.get("MsgType") != "event" else {}
    return {**fields, **number_of, "AgentID": 1000002, **more}


async def read(connect: Connect, fields: dict[str, Any], **settings: Any) -> Message:
    connector = connect(**settings)
    (raw,) = (await connector.receive(push_work(make_xml(**fields)))).raws
    (message,) = connector.parse(raw, connector.settings)
    return message


def address(user: str = STAFF) -> Address:
    return Address(to=Author(id=user), message="1", said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START)


async def test_the_vector_of_the_address_check(connect: Connect) -> None:
    query = {
        "msg_signature": vectors.ECHO_SIGNATURE,
        "timestamp": vectors.TIMESTAMP,
        "nonce": vectors.NONCE,
        "echostr": vectors.ECHO_SEALED,
    }
    reception = await connect().receive(make_request("GET", query, at=vectors.AT))
    assert reception.answer(()).body == vectors.ECHO.encode(), "no quotes, no BOM, no newline"
    tampered = {**query, "echostr": vectors.ECHO_SEALED.replace("Q3st", "Q3sU")}
    refused = await connect().receive(make_request("GET", tampered, at=vectors.AT))
    assert (bool(refused.refused), refused.answer(()).status) == (True, 401)


async def test_a_note_of_a_colleague(connect: Connect) -> None:
    message = await read(connect, make_fields("天河店顾客王女士 13800138000：鞋底开胶，要求退货"))
    assert message.text == "天河店顾客王女士 13800138000：鞋底开胶，要求退货"
    assert (message.external_id, message.thread) == ("1234567890123456", (STAFF,))
    assert message.author == Author(id=STAFF, profile=Ref(locator={"user": STAFF}))
    assert message.posted_at == START


@pytest.mark.parametrize("settings", [{"secret": None}, {"ask_profile": False}])
async def test_names_are_asked_for_only_where_that_can_be(connect: Connect, settings: dict[str, Any]) -> None:
    assert (await read(connect, make_fields("坏了"), **settings)).author.profile is None


async def test_a_picture_and_a_place(connect: Connect) -> None:
    picture = await read(connect, make_fields(MsgType="image", PicUrl="https://wework.qpic.cn/w/0", MediaId="3a_1"))
    locator = {"media_id": "3a_1", "url": "https://wework.qpic.cn/w/0"}
    ref = Ref(locator=locator, fetch_before=START + timedelta(days=3))
    assert picture.attachments == (Attachment(name="", title="image", media_type="image/jpeg", ref=ref),)
    place = make_fields(
        MsgType="location", Location_X="23.1", Location_Y="113.3", Scale=15, Label="天河店", AppType="wxwork"
    )
    assert (await read(connect, place)).text == "[位置] 天河店 (23.1, 113.3)"


@pytest.mark.parametrize("event", ["subscribe", "enter_agent", "click", "change_contact"])
async def test_events_are_automatic(connect: Connect, event: str) -> None:
    message = await read(connect, make_fields(MsgType="event", Event=event, EventKey=""))
    assert (message.is_automatic, message.thread) == (True, (STAFF,))


async def test_two_changes_of_the_address_book_in_one_second_are_two(connect: Connect) -> None:
    keys = set()
    for user in ("lisi", "wangwu"):
        change: dict[str, Any] = {"Event": "change_contact", "ChangeType": "update_user", "UserID": user}
        reception = await connect().receive(
            push_work(make_xml(**make_fields(MsgType="event", FromUserName="sys", **change)))
        )
        keys |= {raw.key for raw in reception.raws}
    assert len(keys) == 2


async def test_what_is_sealed_for_another_or_not_at_all_is_refused(connect: Connect) -> None:
    text = make_xml(**make_fields("坏了"))
    for request in (push_plain(text), push_sealed(text)):
        reception = await connect().receive(request)
        assert reception.refused
        assert not reception.raws


async def test_the_answer_is_empty_or_the_reference(connect: Connect) -> None:
    request = push_work(make_xml(**make_fields("鞋底开胶，要求退货")))
    reception = await connect().receive(request)
    accepted = [Accepted(key="1234567890123456", is_new=True, reference="ALE-7K3M-Q9TX-4RWD", opened=True)]
    assert (reception.answer(accepted).status, reception.answer(accepted).body) == (200, b"")
    told = (await connect(passive_reply={}).receive(request)).answer(accepted)
    sealed = {one.tag: one.text or "" for one in ElementTree.fromstring(told.body)}
    crypto = WeChatCrypto(TOKEN, AES_KEY, CORP_ID)
    plain = crypto.decrypt_message(told.body, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    reply = parse_message(plain)
    assert (reply.target, reply.source, reply.type) == (STAFF, CORP_ID, "text")
    assert "ALE-7K3M-Q9TX-4RWD" in reply.content


async def test_check_names_the_app(connect: Connect) -> None:
    assert (await connect().check()).account == "门店反馈 (1000002)"
    assert "no secret" in (await connect(secret=None).check()).details[-1]


async def test_who_it_was(connect: Connect, platform: Platform) -> None:
    platform.users[STAFF] = {"userid": STAFF, "name": "张三", "department": [2], "position": "店长"}
    assert await connect().fetch(Ref(locator={"user": STAFF})) == Author(id=STAFF, name="张三")
    platform.users[STAFF] |= {"mobile": "13800138000", "biz_mail": "ZhangSan@corp.example.com"}
    found = await connect().fetch(Ref(locator={"user": STAFF}))
    assert found == Author(id=STAFF, name="张三", phone="13800138000", email="zhangsan@corp.example.com")


async def test_a_notice_to_whoever_wrote(connect: Connect, platform: Platform) -> None:
    await connect().reply(address(), "已登记 ALE-7K3M-Q9TX-4RWD", "k1")
    (sent,) = platform.sent
    assert (sent["touser"], sent["agentid"], sent["text"]) == (STAFF, 1000002, {"content": "已登记 ALE-7K3M-Q9TX-4RWD"})
    platform.invalid_users = STAFF
    with pytest.raises(Void, match="has left"):
        await connect().reply(address(), "已登记", "k1")


async def test_a_token_that_ended_is_replaced(connect: Connect, platform: Platform) -> None:
    platform.users[STAFF] = {"name": "张三"}
    connector = connect()
    await connector.profile(STAFF)
    platform.revoke()
    assert (await connector.profile(STAFF)).name == "张三"
    assert platform.called(GET_TOKEN) == 2


@pytest.mark.parametrize(
    ("path", "answer", "error", "text"),
    [
        (GET_TOKEN, fault(40001, "invalid credential"), AuthError, "the secret is wrong"),
        (GET_TOKEN, fault(40013, "invalid corpid"), ConfigError, "no such corp id"),
        (SEND, fault(60020, "not allow to access from your ip, 203.0.113.7"), ConfigError, "203.0.113.7 to the"),
        (SEND, fault(48002, "api forbidden"), ConfigError, "no permission"),
        (SEND, fault(45033, "api concurrent out of limit"), RetryLater, "at once"),
        (SEND, fault(81013, "user & party & tag all invalid"), Void, "has left"),
        (SEND, fault(45002, "content size out of limit"), Rejected, "45002"),
    ],
)  # fmt: skip
async def test_what_the_platform_says(
    connect: Connect, platform: Platform, path: str, answer: dict[str, Any], error: type[AllearsError], text: str
) -> None:
    platform.fail(path, answer)
    with pytest.raises(error, match=text):
        await connect().reply(address(), "收到", "k1")
    assert platform.sent == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"encoding_aes_key": None}, "always encrypts"),
        ({"acknowledge": {}, "secret": None}, "acknowledge needs secret"),
        ({"acknowledge": {}, "passive_reply": {}}, "told twice"),
        ({"corp_id": "1234"}, "pattern"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(reason)):
        make_settings(**settings)
