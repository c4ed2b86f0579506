"""Every kind of message of an Official Account, as it is pushed and as it is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from connectors._wechat.said import OUT_OF_REACH
from connectors.wechat_oa import WechatOaConnector
from tests.connectors._wechat.pushing import CUSTOMER, SECONDS, make_fields, make_xml, push_plain, push_sealed
from tests.connectors.wechat_oa.conftest import Connect, make_settings

NUMBER = "24681357908642135"
THREE_DAYS = START + timedelta(days=3)


def file(kind: str, media_type: str, **locator: str) -> Attachment:
    return Attachment(name="", title=kind, media_type=media_type, ref=Ref(locator=locator, fetch_before=THREE_DAYS))


async def read(connect: Connect, fields: dict[str, Any], **settings: Any) -> tuple[Raw, Message]:
    connector = connect(**settings)
    (raw,) = (await connector.receive(push_sealed(make_xml(**fields)))).raws
    (message,) = connector.parse(raw, connector.settings)
    return raw, message


async def test_a_text_is_read_exactly(connect: Connect) -> None:
    raw, message = await read(connect, make_fields("我要投诉：订单77410233，收到的货是坏的\n😡"))
    assert (raw.key, raw.thread, raw.media_type, raw.received_at) == (NUMBER, CUSTOMER, "application/xml", START)
    assert message.text == "我要投诉：订单77410233，收到的货是坏的\n😡"
    assert (message.external_id, message.thread, message.author.id) == (NUMBER, (CUSTOMER,), CUSTOMER)
    assert (message.posted_at, message.attachments, message.is_automatic) == (START, (), False)
    assert message.author.profile is None


async def test_a_profile_is_asked_for_where_that_is_set(connect: Connect) -> None:
    _, message = await read(connect, make_fields("The lid broke"), ask_profile=True)
    assert message.author.profile == Ref(locator={"user": CUSTOMER})


@pytest.mark.parametrize(
    ("fields", "text", "attachments"),
    [
        (
            {"MsgType": "image", "PicUrl": "http://mmbiz.qpic.cn/mmbiz_jpg/9x/0", "MediaId": "m-1"},
            "",
            (file("image", "image/jpeg", media_id="m-1", url="http://mmbiz.qpic.cn/mmbiz_jpg/9x/0"),),
        ),
        ({"MsgType": "voice", "MediaId": "m-2", "Format": "amr"}, "", (file("voice", "audio/amr", media_id="m-2"),)),
        (
            {"MsgType": "voice", "MediaId": "m-2", "Format": "speex", "Recognition": "快递员态度太差了"},
            "快递员态度太差了",
            (file("voice", "audio/speex", media_id="m-2"),),
        ),
        (
            {"MsgType": "video", "MediaId": "m-3", "ThumbMediaId": "t-3"},
            "",
            (file("video", "video/mp4", media_id="m-3"),),
        ),
        (
            {"MsgType": "shortvideo", "MediaId": "m-4", "ThumbMediaId": "t-4"},
            "",
            (file("shortvideo", "video/mp4", media_id="m-4"),),
        ),
        (
            {"MsgType": "location", "Location_X": "23.134", "Location_Y": "113.358", "Scale": "20", "Label": "天河店"},
            "[位置] 天河店 (23.134, 113.358)",
            (),
        ),
        (
            {
                "MsgType": "link",
                "Title": "这篇文章",
                "Description": "说的就是你们",
                "Url": "https://example.com/a?b=1&c=2",
            },
            "[链接] 这篇文章\n说的就是你们\nhttps://example.com/a?b=1&c=2",
            (),
        ),
        (
            {"MsgType": "file", "Title": "发票.pdf", "MediaId": "m-5"},
            "[file] 发票.pdf",
            (Attachment(name="发票.pdf", title="file", ref=Ref(locator={"media_id": "m-5"}, fetch_before=THREE_DAYS)),),
        ),
        ({"MsgType": "hologram"}, "[hologram]", ()),
    ],
)
async def test_other_kinds(
    connect: Connect, fields: dict[str, Any], text: str, attachments: tuple[Attachment, ...]
) -> None:
    raw, message = await read(connect, make_fields(**fields))
    assert (message.text, message.attachments) == (text, attachments)
    assert (raw.thread, message.thread) == (CUSTOMER, (CUSTOMER,))


async def test_an_empty_text_is_kept(connect: Connect) -> None:
    raw, message = await read(connect, make_fields(""))
    assert (raw.thread, message.text, message.thread) == ("", "", (CUSTOMER,))


async def test_without_a_secret_files_are_named_and_say_why_they_are_missing(connect: Connect) -> None:
    _, message = await read(connect, make_fields(MsgType="video", MediaId="m-3"), app_secret=None)
    assert [(one.title, one.ref, one.skipped) for one in message.attachments] == [("video", None, OUT_OF_REACH)]


async def test_pictures_lie_open_also_without_a_secret(connect: Connect) -> None:
    fields = make_fields(MsgType="image", PicUrl="http://mmbiz.qpic.cn/mmbiz_jpg/9x/0", MediaId="m-1")
    _, message = await read(connect, fields, app_secret=None)
    assert [bool(one.ref) for one in message.attachments] == [True]


@pytest.mark.parametrize(
    ("fields", "rest"),
    [
        ({"Event": "subscribe", "EventKey": ""}, "subscribe"),
        ({"Event": "subscribe", "EventKey": "qrscene_77"}, "subscribe:qrscene_77"),
        ({"Event": "unsubscribe", "EventKey": ""}, "unsubscribe"),
        ({"Event": "CLICK", "EventKey": "TOUSU"}, "CLICK:TOUSU"),
        ({"Event": "guide_qrcode_scan_event", "MsgID": 200163836}, "guide_qrcode_scan_event::200163836"),
    ],
)
async def test_events_are_kept_as_automatic_and_open_nothing(
    connect: Connect, fields: dict[str, Any], rest: str
) -> None:
    raw, message = await read(connect, make_fields(MsgType="event", **fields))
    assert (raw.key, raw.thread) == (f"event:{CUSTOMER}:{SECONDS}:{rest}", "")
    assert message.text == f"{fields['Event']} {fields.get('EventKey', '')}".strip()
    assert (message.thread, message.author) == ((CUSTOMER,), Author(role=Role.BOT))
    assert (message.is_automatic, message.automatic_reason) == (True, f"event {fields['Event']}")


@pytest.mark.parametrize(
    "event", ["LOCATION", "VIEW", "view_miniprogram", "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH"]
)
async def test_what_says_nothing_of_anybody_is_answered_and_not_stored(connect: Connect, event: str) -> None:
    fields = make_fields(MsgType="event", Event=event, Latitude="23.137466", Longitude="113.352425")
    reception = await connect(passive_reply={}).receive(push_sealed(make_xml(**fields)))
    assert (reception.raws, reception.refused, reception.answer(()).body) == ((), "", b"success")


async def test_two_menu_clicks_in_one_second_are_two(connect: Connect) -> None:
    keys = set()
    for menu in ("TOUSU", "FAQ"):
        raw, _ = await read(connect, make_fields(MsgType="event", Event="CLICK", EventKey=menu))
        keys.add(raw.key)
    assert len(keys) == 2


async def test_the_encrypted_part_counts_not_what_lies_beside_it(connect: Connect) -> None:
    connector = connect(mode="compatible")
    request = push_sealed(make_xml(**make_fields("屏幕碎了")), beside="<Content><![CDATA[forged]]></Content>")
    (raw,) = (await connector.receive(request)).raws
    assert "forged" not in raw.body.decode()
    assert "屏幕碎了" in raw.body.decode()


async def test_a_message_that_cannot_be_read_is_stored_and_becomes_a_letter(connect: Connect) -> None:
    connector = connect(mode="plain")
    body = "<xml><Content>坏了".encode("gbk")
    (raw,) = (await connector.receive(push_plain(body))).raws
    assert (raw.key[:7], raw.thread, raw.body) == ("sha256:", "", body)
    (again,) = (await connector.receive(push_plain(body, nonce="99"))).raws
    assert again.key == raw.key
    with pytest.raises(BadMessage, match="not XML"):
        connector.parse(raw, connector.settings)


@pytest.mark.parametrize("body", [b"<xml><A>1</A></xml>", b"<xml><FromUserName>o1</FromUserName></xml>"])
def test_neither_sender_nor_type(body: bytes) -> None:
    raw = Raw(key="k", body=body, media_type="application/xml", received_at=START)
    with pytest.raises(BadMessage, match="neither sender nor type"):
        WechatOaConnector.parse(raw, make_settings())


@pytest.mark.parametrize("created", ["", "0", "-5", "soon", "9" * 20, "١٧٦٧٢٢٥٦٠٠"])
def test_a_time_that_is_none(created: str) -> None:
    body = make_xml(**make_fields("坏了", CreateTime=created)).encode()
    raw = Raw(key="k", body=body, media_type="application/xml", received_at=START)
    (message,) = WechatOaConnector.parse(raw, make_settings())
    assert message.posted_at is None


def test_blanks_around_ids_are_not_part_of_them() -> None:
    sender = b"<FromUserName>\n<![CDATA[o1]]>\n</FromUserName>"
    body = b"<xml>\n" + sender + b"<MsgType>\n text </MsgType><Content> a\n</Content></xml>"
    raw = Raw(key="k", body=body, media_type="application/xml", received_at=START)
    (message,) = WechatOaConnector.parse(raw, make_settings())
    assert (message.author.id, message.text) == ("o1", " a\n")
