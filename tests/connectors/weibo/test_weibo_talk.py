"""Private messages: the door, what is said, files, answers; and logging in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.connector import Accepted, Address, Request
from allears_sdk.errors import AuthError, BadMessage, ConfigError, InDoubt, Rejected, RetryLater, Void
from allears_sdk.message import Author, Message, Ref, Role, Visibility
from allears_sdk.signing import OutsideWindow
from allears_sdk.testing.clock import START
from connectors.weibo import WeiboConnector
from connectors.weibo.door import signature
from tests.connectors.weibo.conftest import (
    APP_SECRET,
    CUSTOMER,
    MESSAGE_TOKEN,
    OTHER,
    STAFF,
    TOKEN,
    Connect,
    Weibo,
    make_request,
    make_talk,
    push,
    refused,
)


async def said(connector: WeiboConnector, talk: dict[str, Any]) -> Message:
    (raw,) = (await connector.receive(push(talk))).raws
    (message,) = connector.parse(raw, connector.settings)
    return message


def test_weibos_own_sample_of_a_signature() -> None:
    assert signature("xyz123xyz", "1397022061823", "57155157") == "90e4c22c90a58f26526c2dd5b6c56c8822edeaa1"


async def test_the_consoles_check_of_the_address(connect: Connect) -> None:
    request = make_request(b"", method="GET", echostr="5837473822")
    assert (await connect().receive(request)).answer(()).body == b"5837473822"
    bad = make_request(b"", method="GET", echostr="<script>\x00")
    assert (await connect().receive(bad)).refused


async def test_only_weibo_may_knock(connect: Connect) -> None:
    connector, body = connect(), json.dumps(make_talk()).encode()
    good = make_request(body)
    for request in (
        make_request(body, secret="another"),
        make_request(body, method="PUT"),
        Request(**{name: getattr(good, name) for name in good.__struct_fields__} | {"query": ()}),
        Request(
            **{name: getattr(good, name) for name in good.__struct_fields__}
            | {"query": (*good.query, ("timestamp", "1"))}
        ),
    ):
        assert (await connector.receive(request)).refused
    with pytest.raises(OutsideWindow):
        await connector.receive(make_request(body, age=timedelta(minutes=11)))


async def test_a_message_is_read_exactly_and_answered_with_nothing(connect: Connect) -> None:
    connector = connect()
    reception = await connector.receive(push(make_talk(created_at="Thu Jan 01 08:00:00 +0800 2026")))
    (raw,) = reception.raws
    assert reception.answer([Accepted(key=raw.key, is_new=True)]).body == b""
    assert connector.parse(raw, connector.settings) == (
        Message(
            text="快递破损，要求赔偿",
            external_id=raw.key,
            thread=(f"dm:{CUSTOMER}",),
            author=Author(id=CUSTOMER),
            posted_at=datetime(2026, 1, 1, tzinfo=UTC),
            visibility=Visibility.PRIVATE,
        ),
    )


async def test_the_same_words_in_another_second_are_another_message(connect: Connect) -> None:
    connector = connect()
    talks = [make_talk("在吗"), make_talk("在吗", created_at="Sun Nov 22 20:00:00 +0800 2026"), make_talk("退款！")]
    talks += [make_talk(None, "image", data={"tovfid": fid}) for fid in (1, 2)]
    keys = [(await connector.receive(push(talk))).raws[0].key for talk in talks * 2]
    assert len(set(keys)) == len(talks)
    assert keys[: len(talks)] == keys[len(talks) :]


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("position", {"longitude": "116.308586", "latitude": "39.982525"}, "[39.982525, 116.308586]\n我在这里"),
        ("video", {}, "[video]\n我在这里"),
        ("text", [], "我在这里"),
        ("text", "", "我在这里"),
    ],
)
async def test_other_kinds(connect: Connect, kind: str, data: Any, text: str) -> None:
    assert (await said(connect(), make_talk("我在这里", kind, data=data))).text == text


async def test_files_are_named_with_a_token_and_skipped_without(connect: Connect, weibo: Weibo) -> None:
    talk = make_talk("发了一张图片", "image", data={"vfid": 1821155363, "tovfid": 1821155364})
    (file,) = (await said(connect(), talk)).attachments
    assert (file.name, file.ref, file.skipped) == ("image-1821155364.jpg", Ref(locator={"file": "1821155364"}), "")
    (file,) = (await said(connect(message_token=None), talk)).attachments
    assert file.skipped == "message_token is not set"
    (file,) = (await said(connect(), make_talk("语音", "voice", data={}))).attachments
    assert file.skipped == "Weibo named no file"
    with pytest.raises(ConfigError, match="message_token"):
        await connect(message_token=None).fetch(Ref(locator={"file": "1"}))
    with pytest.raises(AuthError, match="message_token"):
        await connect(message_token="2.00Another").fetch(Ref(locator={"file": "1"}))


async def test_events_say_nothing_and_a_mention_is_a_sign_to_poll(connect: Connect) -> None:
    follow = push(make_talk("关注事件消息", "event", data={"subtype": "follow"}))
    assert (await connect().receive(follow)).raws == ()
    mention = make_talk("@示例家电 不制冷", "mention", data={"subtype": "status", "key": 5})
    reception = await connect().receive(push(mention))
    assert (reception.raws, [wake.stream.rpartition("/")[2] for wake in reception.wakes]) == (
        (),
        ["mentions", "comment_mentions"],
    )
    message = await said(connect(lists=[]), mention)
    assert (message.text, message.visibility, message.thread) == ("@示例家电 不制冷", Visibility.PUBLIC, ())


async def test_our_own_people_are_context(connect: Connect) -> None:
    assert (await said(connect(), make_talk(sender_id=STAFF))).author.role is Role.COMPANY


@pytest.mark.parametrize("body", [b"<xml><Content>1</Content></xml>", b"[1]", b"{}", b'{"type": 5, "sender_id": 1}'])
async def test_what_cannot_be_read_is_kept(connect: Connect, body: bytes) -> None:
    connector = connect()
    (raw,) = (await connector.receive(make_request(body))).raws
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)
    assert raw.body == body


def address(*, thread: tuple[str, ...] = (f"dm:{CUSTOMER}",), said_at: datetime = START) -> Address:
    return Address(
        to=Author(id=CUSTOMER), message="m", thread=thread, said_at=said_at, reference="ALE-7K3M-Q9TX-4RWD", at=START
    )


async def test_a_private_message_is_answered(connect: Connect, weibo: Weibo) -> None:
    await connect().reply(address(), "已受理：ALE-7K3M-Q9TX-4RWD & 谢谢", "k")
    (sent,) = weibo.sent
    assert json.loads(sent.pop("data")) == {"text": "已受理：ALE-7K3M-Q9TX-4RWD & 谢谢"}
    assert sent == {"access_token": MESSAGE_TOKEN, "type": "text", "receiver_id": CUSTOMER, "save_sender_box": "1"}


async def test_who_is_not_answered(connect: Connect, weibo: Weibo) -> None:
    for where in (address(thread=("post:5",)), address(said_at=START - timedelta(hours=48))):
        with pytest.raises(Void):
            await connect().reply(where, "已受理", "k")
    assert weibo.sent == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(26403, "reply too late"), Void),
        (refused(10023, "out of rate limit"), RetryLater),
        (refused(21332, "invalid_access_token"), AuthError),
        (refused(10001, "System error"), InDoubt),
        (refused(21405, "never heard of"), Rejected),
        (httpx.Response(500), InDoubt),
    ],
)
async def test_an_answer_that_fails(
    connect: Connect, weibo: Weibo, answer: httpx.Response, error: type[Exception]
) -> None:
    weibo.faults = [answer]
    with pytest.raises(error):
        await connect().reply(address(), "已受理", "k")
    assert weibo.faults == [], "asked once"


class Person:
    def __init__(self, pasted: str) -> None:
        self.pasted = pasted
        self.shown = ""

    async def show(self, url: str, code: str) -> None:
        self.shown = url

    async def prompt(self, text: str) -> str:
        return self.pasted


async def test_somebody_logs_in_once(connect: Connect, weibo: Weibo) -> None:
    with pytest.raises(AuthError, match="allears channels login support"):
        await connect(access_token=None).check()
    person = Person(" https://api.weibo.com/oauth2/default.html?code=c0ffee\n")
    await connect(access_token=None).login(person)
    assert "client_id=1352222456" in person.shown
    assert "redirect_uri=https%3A%2F%2Fapi.weibo.com%2Foauth2%2Fdefault.html" in person.shown
    assert (await connect(access_token=None).check()).account


@pytest.mark.parametrize(
    "pasted", ["", "https://api.weibo.com/oauth2/default.html?error=access_denied", "wrong", "c0ffee"]
)
async def test_who_does_not_get_in(connect: Connect, weibo: Weibo, pasted: str) -> None:
    weibo.token_uid = int(OTHER)
    with pytest.raises(AuthError) as told:
        await connect(access_token=None).login(Person(pasted))
    assert APP_SECRET not in str(told.value) + told.value.detail
    assert TOKEN not in str(told.value)
