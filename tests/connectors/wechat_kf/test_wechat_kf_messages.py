"""What people say and do in a chat → messages; files, names and answers at the platform."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.connector import Address, Media
from allears_sdk.context import Context
from allears_sdk.errors import BadMessage, InDoubt, Rejected, Void
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from connectors.wechat_kf import WechatKfConnector
from tests.connectors._wechat.platform import fault
from tests.connectors.conftest import Started
from tests.connectors.wechat_kf.conftest import Connect, make_settings
from tests.connectors.wechat_kf.kf_platform import CUSTOMER, KF, KfPlatform

CHAT = (f"{KF}/{CUSTOMER}",)
SECONDS = int(START.timestamp())
WHO = Author(id=CUSTOMER, profile=Ref(locator={"user": CUSTOMER}))


def parse(platform: KfPlatform, fields: dict[str, Any], **settings: Any) -> Message:
    known = {"msgid": "m-001", "open_kfid": KF, "external_userid": CUSTOMER, "send_time": SECONDS, "origin": 3}
    body = json.dumps({**known, **fields}, ensure_ascii=False).encode()
    raw = Raw(key="m-001", body=body, media_type="application/json", received_at=START)
    (message,) = WechatKfConnector.parse(raw, make_settings(platform, **settings))
    return message


def event(platform: KfPlatform, kind: str, **inner: Any) -> Message:
    told = {"event_type": kind, "open_kfid": KF, "external_userid": CUSTOMER, **inner}
    fields = {"msgtype": "event", "origin": 4, "event": told, "open_kfid": "", "external_userid": ""}
    return parse(platform, fields)


def test_a_usual_message(platform: KfPlatform) -> None:
    message = parse(platform, {"msgtype": "text", "text": {"content": "设备坏了没人修 😡 refund!"}})
    assert message == Message(
        text="设备坏了没人修 😡 refund!", external_id="m-001", revision="1", thread=CHAT, author=WHO, posted_at=START
    )
    quiet = parse(platform, {"msgtype": "text", "text": {"content": "hi"}}, ask_profile=False)
    assert quiet.author == Author(id=CUSTOMER)


@pytest.mark.parametrize(
    ("origin", "role"), [(3, Role.CUSTOMER), (4, Role.BOT), (5, Role.COMPANY), (None, Role.BOT), (9, Role.BOT)]
)
def test_who_speaks(platform: KfPlatform, origin: int | None, role: Role) -> None:
    fields = {"msgtype": "text", "text": {"content": "您好"}, "origin": origin, "servicer_userid": "lili"}
    message = parse(platform, fields)
    assert (message.author.role, message.thread) == (role, CHAT)
    assert message.author.id == (CUSTOMER if role is Role.CUSTOMER else "lili")


@pytest.mark.parametrize(
    ("kind", "inner", "text"),
    [
        ("location", {"latitude": 23.1, "longitude": 113.3, "name": "广州塔", "address": "阅江西路"},
         "[位置] 广州塔 阅江西路 (23.1, 113.3)"),
        ("link", {"title": "订单页", "desc": "查看", "url": "https://shop.example/o/1"},
         "[链接] 订单页\n查看\nhttps://shop.example/o/1"),
        ("business_card", {"userid": "wangwu"}, "[名片] wangwu"),
        ("miniprogram", {"title": "商城", "appid": "wx12", "pagepath": "pages/order?id=1"},
         "[小程序] 商城\npages/order?id=1"),
        ("msgmenu", {"head_content": "满意吗", "tail_content": "谢谢", "list": [
            {"type": "click", "click": {"id": "1", "content": "不满意"}},
            {"type": "view", "view": {"url": "https://x.example", "content": "去投诉"}}]},
         "[菜单]\n满意吗\n不满意\n去投诉\n谢谢"),
        ("channels", {"sub_type": 1, "nickname": "某某旗舰店", "title": "新品"}, "[视频号] 某某旗舰店\n新品"),
        ("note", {}, "[笔记]"),
        ("meeting", {"title": "周会"}, "[会议] 周会"),
        ("schedule", {"title": "上门维修"}, "[日程] 上门维修"),
        ("something_new", {"title": "新的"}, "[something_new] 新的"),
        ("something_new", "no object", "[something_new]"),
    ],
)  # fmt: skip
def test_every_type_says_something(platform: KfPlatform, kind: str, inner: Any, text: str) -> None:
    assert parse(platform, {"msgtype": kind, kind: inner}).text == text


def test_orders_and_products_are_hints(platform: KfPlatform) -> None:
    inner = {"order_id": "3704612354", "product_titles": "破壁机", "price_wording": "¥299.00", "state": "已完成"}
    order = parse(platform, {"msgtype": "channels_shop_order", "channels_shop_order": inner})
    assert (order.order, order.product) == ("3704612354", "破壁机")
    assert order.text == "[视频号订单] 3704612354\n破壁机\n¥299.00\n已完成"
    goods = {"product_id": "10000", "title": "电饭煲 KX-500", "shop_nickname": "旗舰店"}
    product = parse(platform, {"msgtype": "channels_shop_product", "channels_shop_product": goods})
    assert (product.order, product.product) == ("", "电饭煲 KX-500")


def test_a_forwarded_chat_is_a_line_for_each_message(platform: KfPlatform) -> None:
    def item(who: str, kind: Any, content: Any) -> dict[str, Any]:
        return {"send_time": SECONDS, "msgtype": kind, "sender_name": who, "msg_content": json.dumps(content)}

    items = [
        item("小李", "text", {"msgtype": "text", "text": {"content": "说好今天到"}}),
        item("快递员", 1, {"content": "放驿站了"}),
        item("小李", "image", {"msgtype": "image", "image": {"media_id": "m"}}),
        {"sender_name": "小李", "msg_content": "不是 JSON"},
    ]
    message = parse(platform, {"msgtype": "merged_msg", "merged_msg": {"title": "小李和快递员", "item": items}})
    assert message.text.splitlines() == [
        "[聊天记录] 小李和快递员", "小李: 说好今天到", "快递员: 放驿站了", "小李: [image]", "小李: 不是 JSON",
    ]  # fmt: skip
    many = parse(platform, {"msgtype": "merged_msg", "merged_msg": {"title": "", "item": items * 100}})
    assert len(many.text.splitlines()) == 202


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("image", "image/jpeg"), ("voice", "audio/amr"), ("video", "video/mp4"), ("file", "application/octet-stream")],
)
def test_files_stay_at_the_platform_for_three_days(platform: KfPlatform, kind: str, media_type: str) -> None:
    message = parse(platform, {"msgtype": kind, kind: {"media_id": "2iSLeVyqzk4eX0IB5kTi9Ljfa2rt9dwfq5WKRQ4Nvvgw"}})
    locator = {"media_id": "2iSLeVyqzk4eX0IB5kTi9Ljfa2rt9dwfq5WKRQ4Nvvgw"}
    ref = Ref(locator=locator, fetch_before=START + timedelta(days=3))
    assert (message.text, message.attachments) == (
        "",
        (Attachment(name="", title=kind, media_type=media_type, ref=ref),),
    )


def test_a_customer_takes_a_message_back(platform: KfPlatform) -> None:
    taken = event(platform, "user_recall_msg", recall_msgid="m-000")
    assert (taken.kind, taken.external_id, taken.revision) == (Kind.WITHDRAWN, "m-000", "m-001")
    assert (taken.author.role, taken.thread) == (Role.CUSTOMER, CHAT)
    agents = event(platform, "servicer_recall_msg", recall_msgid="m-000", servicer_userid="lili")
    assert (agents.kind, agents.author) == (Kind.WITHDRAWN, Author(role=Role.COMPANY, id="lili"))


@pytest.mark.parametrize(
    ("kind", "inner", "text"),
    [
        ("msg_send_fail", {"fail_msgid": "m", "fail_type": 4}, "[消息发送失败] 会话已过期，超过48小时"),
        ("msg_send_fail", {"fail_msgid": "m", "fail_type": 13}, "[消息发送失败] 原因 13"),
        ("session_status_change", {"change_type": 2, "old_servicer_userid": "lili", "new_servicer_userid": "wang"},
         "[转接会话] lili → wang"),
        ("session_status_change", {"change_type": 3, "old_servicer_userid": "wang"}, "[结束会话] wang"),
        ("reject_customer_msg_switch_change", {"reject_switch": 1}, "[客服拒收该客户消息]"),
        ("enter_session", {"scene": "web", "scene_param": "from%20banner"}, "[进入会话] web from banner"),
    ],
)  # fmt: skip
def test_events_are_context_between_the_words(platform: KfPlatform, kind: str, inner: Any, text: str) -> None:
    told = event(platform, kind, **inner)
    assert (told.text, told.author.role, told.thread, told.is_automatic) == (text, Role.BOT, CHAT, True)


@pytest.mark.parametrize(
    ("param", "order", "product"),
    [
        ("order%3D77", "77", ""),
        ("order_id=77&goods=KX-500", "77", "KX-500"),
        ("sku%3D%E7%94%B5%E9%A5%AD%E7%85%B2", "", "电饭煲"),
    ],
)
def test_whoever_comes_from_an_order_brings_it_along(
    platform: KfPlatform, param: str, order: str, product: str
) -> None:
    came = event(platform, "enter_session", scene="web", scene_param=param, welcome_code="W1")
    assert (came.order, came.product, came.is_automatic) == (order, product, True)
    assert (came.author.role, came.thread) == (Role.BOT, CHAT)
    assert came.text.startswith("[进入会话] web ")


@pytest.mark.parametrize(
    ("kind", "inner"),
    [
        ("enter_session", {"scene": "web", "welcome_code": "W1"}),
        ("servicer_status_change", {"servicer_userid": "lili", "status": 1, "external_userid": ""}),
        ("something_new", {"external_userid": ""}),
    ],
)
def test_events_that_say_nothing_of_a_chat_are_no_messages(
    platform: KfPlatform, kind: str, inner: dict[str, Any]
) -> None:
    told = {"event_type": kind, "open_kfid": KF, "external_userid": CUSTOMER, **inner}
    body = json.dumps({"msgid": "m", "send_time": SECONDS, "origin": 4, "msgtype": "event", "event": told})
    raw = Raw(key="m", body=body.encode(), media_type="application/json", received_at=START)
    assert tuple(WechatKfConnector.parse(raw, make_settings(platform))) == ()


def test_an_event_that_is_not_documented_is_named_in_its_chat(platform: KfPlatform) -> None:
    told = event(platform, "something_new")
    assert (told.text, told.thread, told.author.role) == ("[something_new]", CHAT, Role.BOT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b'{"msgid": "m"}',
        b'{"msgid": ["m"], "msgtype": "text"}',
        b"\xff",
        b"{" * 99999,
    ],
)
def test_what_cannot_be_read_is_named(platform: KfPlatform, body: bytes) -> None:
    raw = Raw(key="K", body=body, media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="message K"):
        WechatKfConnector.parse(raw, make_settings(platform))


@pytest.mark.parametrize("fields", [{"send_time": "soon"}, {"send_time": 10**20}, {"send_time": None}, {"text": None}])
def test_odd_leaves_are_left_out(platform: KfPlatform, fields: dict[str, Any]) -> None:
    message = parse(platform, {"msgtype": "text", "text": {"content": "好"}, **fields})
    assert message.text == ("" if "text" in fields else "好")
    assert message.posted_at == (START if "text" in fields else None)


async def test_files_are_fetched_and_tell_when_they_are_gone(
    platform: KfPlatform, connect: Connect, started: Started
) -> None:
    platform.media["m1"] = (b"%PDF-1.7 ...", "application/pdf", "发票.pdf")
    connector = await started.start(connect())
    media = await connector.fetch(Ref(locator={"media_id": "m1"}))
    assert isinstance(media, Media)
    assert (media.content, media.media_type) == (b"%PDF-1.7 ...", "application/pdf")
    with pytest.raises(Rejected, match="no longer has this file"):
        await connector.fetch(Ref(locator={"media_id": "gone"}))
    platform.media["big"] = (b"x" * 4000, "video/mp4", "v.mp4")
    small = await started.start(connect(max_attachment_bytes=1000))
    with pytest.raises(Rejected, match="larger"):
        await small.fetch(Ref(locator={"media_id": "big"}))


async def test_names_are_asked_for(platform: KfPlatform, connect: Connect, started: Started) -> None:
    platform.users[CUSTOMER] = {"nickname": " 张三🌸 ", "avatar": "https://wx.qlogo.cn/x", "gender": 1, "unionid": "o1"}
    connector = await started.start(connect())
    assert await connector.fetch(Ref(locator={"user": CUSTOMER})) == Author(id=CUSTOMER, name="张三🌸")
    with pytest.raises(Rejected):
        await connector.fetch(Ref(locator={"user": "wmNobody"}))


def address(*, said_at: datetime = START, thread: tuple[str, ...] = CHAT, user: str = CUSTOMER) -> Address:
    return Address(
        to=Author(id=user), message="m-001", thread=thread, said_at=said_at, at=said_at, reference="ALE-7K3M-Q9TX-4RWD"
    )


async def test_an_answer_goes_into_the_chat(platform: KfPlatform, connect: Connect, started: Started) -> None:
    connector = await started.start(connect())
    for _ in range(2):
        await connector.reply(address(), "已受理，编号 ALE-7K3M-Q9TX-4RWD", "REPLY-1")
    first, second = platform.sent
    assert first == second, "the platform knows the second by its msgid"
    assert (first["touser"], first["open_kfid"], first["msgtype"]) == (CUSTOMER, KF, "text")
    assert first["text"] == {"content": "已受理，编号 ALE-7K3M-Q9TX-4RWD"}
    assert 1 <= len(first["msgid"]) <= 32
    assert first["msgid"].isalnum()


@pytest.mark.parametrize("code", [95001, 95002, 95013, 95016, 95018])
async def test_windows_that_have_closed(platform: KfPlatform, connect: Connect, started: Started, code: int) -> None:
    platform.fail("/cgi-bin/kf/send_msg", fault(code))
    connector = await started.start(connect())
    with pytest.raises(Void):
        await connector.reply(address(), "已受理", "K")


async def test_answers_that_cannot_be_given(
    platform: KfPlatform, connect: Connect, started: Started, context: Context
) -> None:
    connector = await started.start(connect())
    late = context.clock.now() - timedelta(hours=49)
    for wrong in (address(said_at=late), address(thread=()), address(user="")):
        with pytest.raises(Void):
            await connector.reply(wrong, "已受理", "K")
    with pytest.raises(Rejected, match="2048"):
        await connector.reply(address(), "长" * 700, "K")
    assert platform.sent == []


async def test_a_lost_answer_is_a_doubt(platform: KfPlatform, connect: Connect, started: Started) -> None:
    from aiohttp import web

    connector = await started.start(connect())
    platform.fail("/cgi-bin/kf/send_msg", web.Response(status=502))
    with pytest.raises(InDoubt):
        await connector.reply(address(), "已受理", "K")


def test_times_are_utc(platform: KfPlatform) -> None:
    message = parse(platform, {"msgtype": "text", "text": {"content": "x"}, "send_time": 1767225590})
    assert message.posted_at == datetime(2025, 12, 31, 23, 59, 50, tzinfo=UTC)
