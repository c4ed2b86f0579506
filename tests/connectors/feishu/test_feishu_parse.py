"""Payload in, message out, exact: all types of content, in Chinese and English, and what is broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.testing.clock import START
from connectors.feishu import FeishuConnector, FeishuSettings
from tests.connectors.feishu.feishu_server import ALONE, BOT, GROUP, HANMEI, LILEI, TENANT, envelope, recalled, received

AT = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = {"app_id": "cli_1", "app_secret": "s", "ask_profile": False}


def item(content: Any, *, kind: str = "text", chat: str = ALONE, **more: Any) -> dict[str, Any]:
    return {
        "message_id": "om_1",
        "msg_type": kind,
        "create_time": "1767225600000",
        "update_time": "1767225600000",
        "deleted": False,
        "updated": False,
        "chat_id": chat,
        "sender": {"id": LILEI, "id_type": "open_id", "sender_type": "user", "tenant_key": TENANT},
        "body": {"content": json.dumps(content, ensure_ascii=False)},
        **more,
    }


def parse(value: Any, *, context: dict[str, Any] | None = None, **settings: Any) -> Message:
    body = json.dumps(value, ensure_ascii=False).encode()
    raw = Raw(key="om_1", body=body, media_type="application/json", received_at=START, context=context or {})
    (message,) = FeishuConnector.parse(raw, FeishuSettings.model_validate({**SETTINGS, **settings}))
    return message


def said(content: Any, *, kind: str = "text", url: str = "https://open.feishu.cn") -> Message:
    """By event; the history says the same."""
    told = item(content, kind=kind)
    message = parse(received(told), url=url)
    assert parse(told, context={"chat_type": "p2p"}, url=url) == message
    return message


def test_a_text() -> None:
    assert said({"text": "电饭煲用了两天盖子就坏了😡\n要求退款"}) == Message(
        text="电饭煲用了两天盖子就坏了😡\n要求退款",
        external_id="om_1",
        revision="said",
        thread=(ALONE,),
        author=Author(id=LILEI),
        posted_at=AT,
    )


def test_mentions() -> None:
    mentions = [
        {"key": "@_user_1", "id": {"open_id": BOT}, "name": "客诉助手"},
        {"key": "@_user_12", "id": {"open_id": HANMEI}, "name": "韩梅梅"},
    ]
    told = item({"text": "@_user_1 空调漏水，@_user_12 看一下 @_user_3"}, chat=GROUP)
    event = received(told, mentions=mentions)
    assert parse(event).text == "@客诉助手 空调漏水，@韩梅梅 看一下 @_user_3"
    assert parse(event, bot_open_id=BOT).text == "空调漏水，@韩梅梅 看一下 @_user_3"
    listed = [{"key": "@_user_1", "id": BOT, "id_type": "open_id", "name": "客诉助手"}]
    assert parse({**told, "mentions": listed}, bot_open_id=BOT).text == "空调漏水，@_user_12 看一下 @_user_3"


POST = {
    "title": "三楼空调漏水",
    "content": [
        [{"tag": "text", "text": "报修两天，"}, {"tag": "a", "href": "https://example.com/7741", "text": "工单"}],
        [{"tag": "img", "image_key": "img_1"}],
        [{"tag": "at", "user_id": "@_user_1", "user_name": "韩梅梅"}, {"tag": "text", "text": "请处理"}],
        [{"tag": "media", "file_key": "file_1", "image_key": "img_2"}],
        [{"tag": "emotion", "emoji_type": "ANGRY"}],
        [{"tag": "hr"}],
        [{"tag": "code_block", "language": "GO", "text": "panic()"}],
        "odd",
    ],
}


def test_a_post() -> None:
    message = said(POST, kind="post")
    assert message.text == ("三楼空调漏水\n报修两天，工单 (https://example.com/7741)\n@韩梅梅请处理\n[ANGRY]\npanic()")
    assert message.attachments == (
        Attachment(name="", title="[图片]", ref=Ref(locator={"message": "om_1", "key": "img_1", "type": "image"})),
        Attachment(name="", title="[视频]", ref=Ref(locator={"message": "om_1", "key": "file_1", "type": "file"})),
    )
    assert said({"zh_cn": POST}, kind="post").text == message.text


FILES = [
    ("image", {"image_key": "img_1"}, "", "[图片]", "img_1", "image"),
    ("file", {"file_key": "f", "file_name": "发票.pdf"}, "发票.pdf", "[文件]", "f", "file"),
    ("audio", {"file_key": "f", "duration": 2000}, "", "[语音]", "f", "file"),
    (
        "media",
        {"file_key": "f", "image_key": "i", "file_name": "漏水.mp4", "duration": 1},
        "漏水.mp4",
        "[视频]",
        "f",
        "file",
    ),
]


@pytest.mark.parametrize(("kind", "content", "name", "title", "key", "type_"), FILES)
def test_files(kind: str, content: dict[str, Any], name: str, title: str, key: str, type_: str) -> None:
    message = said(content, kind=kind)
    ref = Ref(locator={"message": "om_1", "key": key, "type": type_})
    assert (message.text, message.attachments) == ("", (Attachment(name=name, title=title, ref=ref),))


OTHERS = [
    ("sticker", {"file_key": "f"}, "[表情]", "[sticker]"),
    (
        "location",
        {"name": "上海市徐汇区", "longitude": "121.44", "latitude": "31.19"},
        "[位置] 上海市徐汇区 31.19, 121.44",
        "[location] 上海市徐汇区 31.19, 121.44",
    ),
    ("share_user", {"user_id": "ou_1"}, "[个人名片] ou_1", "[contact card] ou_1"),
    ("share_chat", {"chat_id": "oc_1"}, "[群名片] oc_1", "[group card] oc_1"),
    ("hongbao", {"text": "[红包]"}, "[红包]", "[red packet]"),
    ("calendar", {"summary": "复检", "start_time": "1"}, "[日程] 复检", "[event] 复检"),
    ("video_chat", {"topic": "验货"}, "[视频通话] 验货", "[video call] 验货"),
    ("vote", {"topic": "换哪款", "options": ["A", "B"]}, "[投票] 换哪款 A / B", "[vote] 换哪款 A / B"),
    ("todo", {"summary": {"title": "", "content": [[{"tag": "text", "text": "退款"}]]}}, "[任务] 退款", "[task] 退款"),
    (
        "interactive",
        {
            "title": "报修单",
            "elements": [
                [{"tag": "text", "text": "空调"}],
                [{"tag": "note", "elements": [{"tag": "text", "text": "急"}]}],
            ],
        },
        "报修单\n空调\n急",
        "报修单\n空调\n急",
    ),
    ("interactive", {"title": None, "elements": []}, "[卡片]", "[card]"),
    ("brand_new", {"x": 1}, "[消息] brand_new", "[message] brand_new"),
]


@pytest.mark.parametrize(("kind", "content", "chinese", "english"), OTHERS)
def test_what_is_no_text(kind: str, content: dict[str, Any], chinese: str, english: str) -> None:
    assert said(content, kind=kind).text == chinese
    assert said(content, kind=kind, url="https://open.larksuite.com").text == english


def test_folders_and_merged_messages() -> None:
    folder = said({"file_key": "f", "file_name": "证据"}, kind="folder")
    assert folder.text == "[文件夹] 证据"
    assert folder.attachments[0].skipped
    merged = said({"content": "Merged and Forwarded Message"}, kind="merge_forward", url="https://open.larksuite.com")
    assert merged.text == "[forwarded messages]"
    name, ref = "forwarded messages.txt", Ref(locator={"merged": "om_1"})
    assert merged.attachments == (Attachment(name=name, media_type="text/plain", ref=ref),)


def test_threads() -> None:
    told = item({"text": "一样"}, chat=GROUP)
    assert parse(received(told)).thread == (GROUP,)
    reply = received(told, root_id="om_root", parent_id="om_parent", thread_id="omt_1")
    assert parse(reply).thread == ("om_parent", "om_root", "omt_1", GROUP)
    assert parse(received(told, root_id="om_0", parent_id="om_0")).thread == ("om_0", GROUP)
    listed = parse({**told, "root_id": "om_0", "parent_id": "om_0"}, context={"chat_type": "group"})
    assert listed.thread == ("om_0", GROUP)


def test_what_is_merely_said_in_a_group_is_public() -> None:
    told = item({"text": "中午吃什么"}, chat=GROUP)
    bot, other = ({"key": "@_user_1", "id": {"open_id": one}, "name": "x"} for one in (BOT, HANMEI))
    assert parse(received(told)).visibility is Visibility.PUBLIC
    assert parse(received(told, mentions=[bot])).visibility is Visibility.PRIVATE
    assert parse(received(told, mentions=[bot]), bot_open_id=BOT).visibility is Visibility.PRIVATE
    assert parse(received(told, mentions=[other]), bot_open_id=BOT).visibility is Visibility.PUBLIC
    assert parse(received(item({"text": "x"})), bot_open_id=BOT).visibility is Visibility.PRIVATE


def test_who_speaks() -> None:
    event = received(item({"text": "已安排师傅"}))
    assert parse(event, ask_profile=True).author == Author(id=LILEI, profile=Ref(locator={"user": LILEI}))
    company = Author(role=Role.COMPANY, id=LILEI)
    assert parse(event, staff_tenant=TENANT, ask_profile=True).author == company
    for one in (LILEI, f"on_{LILEI[3:]}"):
        assert parse(event, staff=[one]).author == company
    named = [{"key": f"@_user_{number}", "id": {"open_id": one}} for number, one in enumerate((BOT, HANMEI))]
    answer = parse(received(item({"text": "@_user_1 已安排"}), mentions=named), staff=[LILEI], bot_open_id=BOT)
    assert answer.participants == (HANMEI,)
    assert parse(received(item({"text": "@_user_1 看一下"}), mentions=named)).participants == ()
    bot = item({"text": "x"}, sender={"id": "cli_other", "sender_type": "app"})
    assert parse(bot).author == Author(role=Role.BOT, id="cli_other")


def test_edits_and_recalls() -> None:
    changed = item({"text": "退款 300 元"}, updated=True, update_time="1767225660000")
    by_event = parse(received(changed, kind="im.message.updated_v1"))
    assert by_event == parse(changed, context={"chat_type": "p2p"})
    assert (by_event.kind, by_event.revision) == (Kind.EDITED, "edited-1767225660000")
    assert by_event.posted_at == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert parse(recalled(changed, at="1767225700000")) == Message(
        text="",
        external_id="om_1",
        revision="recalled",
        kind=Kind.WITHDRAWN,
        thread=("om_1", ALONE),
        posted_at=datetime(2026, 1, 1, 0, 1, 40, tzinfo=UTC),
    )
    gone = parse({**changed, "deleted": True, "body": {"content": "This message was recalled"}})
    assert (gone.kind, gone.revision, gone.text, gone.author.id) == (Kind.WITHDRAWN, "recalled", "", LILEI)


BROKEN: list[Any] = [
    [],
    "x",
    {},
    {"header": {"event_type": "im.other_v1"}, "event": {}},
    envelope("im.message.receive_v1", {}, at=""),
    envelope("im.message.recalled_v1", {"message_id": "om_1"}, at=""),
    item({}, message_id=""),
    item({}, chat_id=None),
    {**item({}), "body": {"content": "{no JSON"}},
    {**item({}), "body": {"content": "[1]"}},
    {**item({}), "body": None},
]


@pytest.mark.parametrize("value", BROKEN)
def test_broken_ones_are_named(value: Any) -> None:
    with pytest.raises(BadMessage):
        parse(value)


def test_odd_leaves_do_no_harm() -> None:
    odd = item({"text": 7}, create_time="soon", sender="x", mentions=[1, {"key": 2}], root_id=5)
    message = parse(odd)
    assert (message.text, message.posted_at, message.author) == ("7", None, Author())
    for kind in ("post", "interactive", "vote", "todo", "location", "image"):
        assert parse(
            item({"content": [[1], {"a": 2}], "elements": 5, "options": "x", "summary": 3}, kind=kind)
        ).external_id
    assert parse(item({"text": "x"}, create_time="0")).posted_at is None
    nested: Any = {"text": "deep"}
    for _ in range(50):
        nested = {"elements": [nested]}
    assert parse(item(nested, kind="interactive")).text == "[卡片]"
