"""Payload in, message out, exact: all types that a robot is told, and what is broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from connectors.dingtalk import DingTalkConnector, DingTalkSettings
from tests.connectors.dingtalk.dingtalk_server import ALONE, CLIENT_ID, GROUP, OUTSIDER, STAFF, told

AT = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = AT + timedelta(hours=24)


def tell(text: str = "", **more: Any) -> dict[str, Any]:
    return told(1, text, at=AT, webhook="https://oapi.dingtalk.com/robot/sendBySession?session=x") | more


def of_kind(kind: str, content: Any) -> dict[str, Any]:
    data = tell(msgtype=kind, content=content)
    del data["text"]
    return data


def parse(data: Any, **settings: Any) -> Message:
    body = json.dumps(data, ensure_ascii=False).encode()
    raw = Raw(key="k", body=body, media_type="application/json", received_at=START)
    given = {"client_id": "dingclient", "client_secret": "s", **settings}
    (message,) = DingTalkConnector.parse(raw, DingTalkSettings.model_validate(given))
    return message


def file(code: str, title: str, name: str = "", robot: str = CLIENT_ID) -> Attachment:
    ref = Ref(locator={"code": code, "robot": robot}, fetch_before=UNTIL)
    return Attachment(name=name, title=title, ref=ref)


def test_a_text() -> None:
    assert parse(tell(" 电饭煲用了两天就坏了😡\nRefund please ")) == Message(
        text="电饭煲用了两天就坏了😡\nRefund please",
        external_id="msg00000000000000000001==",
        revision="said",
        thread=(ALONE,),
        author=Author(id=STAFF, name="李雷"),
        posted_at=AT,
    )


def test_in_a_group() -> None:
    group = {"conversationType": "2", "conversationId": GROUP, "conversationTitle": "客诉群", "isInAtList": True}
    assert parse(tell(" 三楼漏水", **group)).thread == (GROUP,)
    assert parse(tell("", originalMsgId="msg0==", **group)).thread == ("msg0==", GROUP)


def test_people_outside_the_organisation_have_no_user_id() -> None:
    data = tell("退款")
    del data["senderStaffId"]
    assert parse(data).author == Author(id=OUTSIDER, name="李雷")


@pytest.mark.parametrize("who", [STAFF, OUTSIDER])
def test_who_answers_for_the_company(who: str) -> None:
    author = parse(tell("已安排"), staff=[who]).author
    assert author == Author(role=Role.COMPANY, id=STAFF, name="李雷")


RICH = [
    {"downloadCode": "code1", "pictureDownloadCode": "picture1", "type": "picture"},
    {"text": "\n"},
    {"text": "盖子裂了"},
    {"pictureDownloadCode": "picture2", "type": "picture"},
    "odd",
]
KINDS: list[tuple[str, Any, str, list[Attachment]]] = [
    ("picture", {"downloadCode": "code1", "pictureDownloadCode": "p"}, "", [file("code1", "[图片]")]),
    ("richText", {"richText": RICH}, "盖子裂了", [file("code1", "[图片]"), file("picture2", "[图片]")]),
    (
        "audio",
        {"duration": 4000, "downloadCode": "code2", "recognition": "钉钉，电饭煲坏了。"},
        "钉钉，电饭煲坏了。",
        [file("code2", "[语音]")],
    ),
    ("audio", {"duration": 4000, "downloadCode": "code2"}, "", [file("code2", "[语音]")]),
    ("video", {"duration": 5, "downloadCode": "code3", "videoType": "mp4"}, "", [file("code3", "[视频]")]),
    (
        "file",
        {"spaceId": "1", "fileName": "发票.pdf", "downloadCode": "code4", "fileId": "2"},
        "",
        [file("code4", "[文件]", "发票.pdf")],
    ),
    ("file", '{"fileName": "发票.pdf", "downloadCode": "code4"}', "", [file("code4", "[文件]", "发票.pdf")]),
    ("picture", {}, "", [Attachment(name="", title="[图片]", skipped="DingTalk gave no download code")]),
    ("picture", None, "", [Attachment(name="", title="[图片]", skipped="DingTalk gave no download code")]),
    ("unknownMsgType", "该消息类型暂不支持", "[消息] unknownMsgType", []),
    ("richText", {"richText": 5}, "", []),
]


@pytest.mark.parametrize(("kind", "content", "text", "attachments"), KINDS)
def test_kinds(kind: str, content: Any, text: str, attachments: list[Attachment]) -> None:
    message = parse(of_kind(kind, content))
    assert (message.text, list(message.attachments)) == (text, attachments)


def test_the_robots_code() -> None:
    data = of_kind("picture", {"downloadCode": "c"})
    assert parse(data, robot_code="rb9").attachments == (file("c", "[图片]", robot="rb9"),)
    del data["robotCode"]
    assert parse(data).attachments == (file("c", "[图片]", robot="dingclient"),)


@pytest.mark.parametrize(
    "value", [[], "x", {}, {"msgId": "m"}, {"conversationId": "c"}, {"msgId": 5, "conversationId": "c"}]
)
def test_broken_ones_are_named(value: Any) -> None:
    with pytest.raises(BadMessage, match="message k"):
        parse(value)


def test_odd_leaves_do_no_harm() -> None:
    odd = tell(createAt="soon", senderNick=None, senderId=7, senderStaffId=[], robotCode=None)
    message = parse(odd | {"text": "x"})
    assert (message.text, message.posted_at, message.author) == ("", None, Author())
    assert parse(tell("x", createAt="1767225600000")).posted_at == AT
    assert parse(tell("x", createAt=True)).posted_at is None
