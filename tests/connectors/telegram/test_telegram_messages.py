"""Updates as Telegram sends them → messages, exactly."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.testing.clock import START
from connectors.telegram import TelegramConnector
from connectors.telegram.payload import HEARD, Post
from tests.connectors.telegram.conftest import make_settings

LILEI = {"id": 555, "is_bot": False, "first_name": "雷", "last_name": "李", "username": "lilei_x"}
HANMEI = {"id": 666, "is_bot": False, "first_name": "Han", "language_code": "en"}
LINA = {"id": 777, "is_bot": False, "first_name": "Lina", "username": "Lina_Support"}
PRIVATE = {"id": 555, "first_name": "雷", "last_name": "李", "username": "lilei_x", "type": "private"}
GROUP = {"id": -1001234567890, "title": "示例商城客户群", "type": "supergroup"}
OPEN_GROUP = {**GROUP, "username": "example_shop"}
CHANNEL = {"id": -1009876543210, "title": "示例商城公告", "username": "example_news", "type": "channel"}
DATE = 1750000000
AT = datetime.fromtimestamp(DATE, UTC)
PHOTO = [
    {"file_id": "AgAC-s", "file_unique_id": "AQ-s", "file_size": 1009, "width": 90, "height": 90},
    {"file_id": "AgAC-l", "file_unique_id": "AQ-l", "file_size": 90_009, "width": 1280, "height": 1280},
    {"file_id": "AgAC-m", "file_unique_id": "AQ-m", "file_size": 20_009, "width": 320, "height": 320},
]


def make_post(**fields: Any) -> dict[str, Any]:
    post = {"message_id": 12, "date": DATE, "chat": PRIVATE, "from": LILEI, **fields}
    return {name: value for name, value in post.items() if value is not None}


def parse_update(update: Any, **settings: Any) -> list[Message]:
    body = update if isinstance(update, bytes) else json.dumps({"update_id": 900001, **update}).encode()
    raw = Raw(key="900001", body=body, media_type="application/json", received_at=START)
    return list(TelegramConnector.parse(raw, make_settings(**settings)))


def read(kind: str = "message", /, *, settings: dict[str, object] | None = None, **fields: Any) -> Message:
    (message,) = parse_update({kind: make_post(**fields)}, **(settings or {}))
    return message


def test_a_private_message() -> None:
    sender = {**LILEI, "language_code": "zh-hans"}
    update = {"message": make_post(text="收到的手机屏幕碎了，要求退款😡", **{"from": sender})}
    assert parse_update(update) == [
        Message(
            text="收到的手机屏幕碎了，要求退款😡",
            external_id="555/12",
            thread=("555",),
            author=Author(id="555", name="李雷", handle="@lilei_x"),
            posted_at=AT,
            language="zh-hans",
        )
    ]


def test_an_edit_is_a_revision_of_its_own_in_the_same_second_too() -> None:
    post = make_post(text="要求全额退款", edit_date=DATE + 60)
    (first,) = parse_update({"edited_message": post})
    (second,) = parse_update({"edited_message": post, "update_id": 900002})
    assert (first.external_id, first.kind, first.posted_at) == (
        "555/12",
        Kind.EDITED,
        datetime.fromtimestamp(DATE + 60, UTC),
    )
    assert len({first.revision, second.revision, ""}) == 3


def test_an_edit_comes_after_the_message_in_whatever_order_both_are_pushed() -> None:
    """Telegram's times are whole seconds."""
    assert read("edited_message", text="x", edit_date=DATE).posted_at == datetime.fromtimestamp(DATE + 1, UTC)


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("雷", "李", "李雷"),
        ("小明", "王", "王小明"),
        ("Han", "Meimei", "Han Meimei"),
        ("王先生", "", "王先生"),
        ("A", "李", "A 李"),
    ],
)
def test_names_are_told_as_they_are_said(first: str, last: str, name: str) -> None:
    sender = {"id": 5, "first_name": first, **({"last_name": last} if last else {})}
    assert read(text="退款", **{"from": sender}).author.name == name


def test_a_photo_with_a_caption_is_its_largest_size() -> None:
    message = read(caption="The screen is cracked, order 7741", photo=PHOTO, media_group_id="13579")
    assert message.text == "The screen is cracked, order 7741"
    assert message.attachments == (
        Attachment(
            name="photo-20250615-150640-12.jpg",
            title="photo",
            media_type="image/jpeg",
            size=90_009,
            ref=Ref(locator={"file_id": "AgAC-l", "name": "photo-20250615-150640-12.jpg"}),
        ),
    )


def test_the_parts_of_an_album_are_one_line_of_talk() -> None:
    parts = [
        parse_update({"message": make_post(message_id=number, media_group_id="13579", photo=PHOTO, **caption)})[0]
        for number, caption in ((20, {"caption": "三处裂痕"}), (21, {}), (22, {}))
    ]
    assert {part.thread for part in parts} == {("555",)}
    assert [part.external_id for part in parts] == ["555/20", "555/21", "555/22"]
    assert [part.text for part in parts] == ["三处裂痕", "", ""]
    assert len({part.attachments[0].name for part in parts}) == 3


@pytest.mark.parametrize(
    ("kind", "file", "name", "media_type"),
    [
        ("voice", {"mime_type": "audio/ogg", "duration": 9}, "voice-20250615-150640-12.ogg", "audio/ogg"),
        ("video", {"file_name": "IMG_0042.MOV", "mime_type": "video/quicktime"}, "IMG_0042.MOV", "video/quicktime"),
        ("video_note", {"length": 240}, "video_note-20250615-150640-12.mp4", "video/mp4"),
        ("audio", {"title": "通话录音"}, "audio-20250615-150640-12.mp3", "audio/mpeg"),
        (
            "document",
            {"file_name": "发票 7741.pdf", "mime_type": "application/pdf"},
            "发票 7741.pdf",
            "application/pdf",
        ),
        ("document", {}, "", "application/octet-stream"),
    ],
)
def test_files(kind: str, file: dict[str, Any], name: str, media_type: str) -> None:
    message = read(**{kind: {"file_id": "BQAC", "file_unique_id": "AgAD", "file_size": 4096, **file}})
    (attachment,) = message.attachments
    assert (attachment.name, attachment.media_type, attachment.size) == (name, media_type, 4096)
    assert attachment.ref
    assert attachment.ref.locator["file_id"] == "BQAC"
    assert message.text == ""


def test_an_animation_is_not_a_document_besides() -> None:
    file = {"file_id": "CgAC", "file_unique_id": "AgADx", "file_size": 9, "file_name": "crack.mp4"}
    assert len(read(animation={**file, "width": 1, "height": 1, "duration": 1}, document=file).attachments) == 1


def test_a_file_that_bots_do_not_get_says_why() -> None:
    large = {"file_id": "BAAC", "file_unique_id": "AgADy", "file_size": 35_000_000}
    (attachment,) = read(video=large).attachments
    assert attachment.ref is None
    assert attachment.skipped == "35.0 MB: Telegram hands out files of up to 20 MB to bots"
    (own,) = read(video=large, settings={"max_file_bytes": 2_000_000_000}).attachments
    assert own.ref


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"location": {"latitude": 31.2304, "longitude": 121.4737}}, "📍 31.230400, 121.473700"),
        (
            {
                "venue": {
                    "location": {"latitude": 31.2, "longitude": 121.4},
                    "title": "示例商城",
                    "address": "南京西路 1 号",
                },
                "location": {"latitude": 31.2, "longitude": 121.4},
            },
            "📍 示例商城, 南京西路 1 号 (31.200000, 121.400000)",
        ),
        ({"sticker": {"file_id": "CAAC", "file_unique_id": "AgADz", "emoji": "😡"}}, "😡"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "🎲"),
        (
            {"poll": {"id": "1", "question": "谁也没收到货？", "options": [{"text": "我"}, {"text": "我也是"}]}},
            "谁也没收到货？\n- 我\n- 我也是",
        ),
        ({"story": {"chat": PRIVATE, "id": 3}}, "[story]"),
    ],
)
def test_what_has_no_words_of_its_own_is_written_out(fields: dict[str, Any], text: str) -> None:
    assert read(**fields).text == text


def test_a_shared_contact_is_the_customers_phone_only_when_it_is_theirs() -> None:
    contact = {"phone_number": "+8613800138000", "first_name": "李雷", "user_id": 555}
    assert read(contact=contact).author.phone == "+8613800138000"
    assert read(contact={**contact, "user_id": 444}).author.phone == ""
    assert "+8613800138000" in read(contact=contact).text


def test_an_address_behind_words_is_shown_counted_as_telegram_counts() -> None:
    text = "😡 看这里，还有这里"
    entities = [
        {"type": "text_link", "offset": 3, "length": 3, "url": "https://shop.example.com/7741"},
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 9, "length": 2, "url": "https://shop.example.com/7742"},
    ]
    assert read(text=text, entities=entities).text == (
        "😡 看这里 (https://shop.example.com/7741)，还有这里 (https://shop.example.com/7742)"
    )


@pytest.mark.parametrize("offset", [-5, 3, 10**9])
def test_an_entity_beside_the_text_spoils_nothing(offset: int) -> None:
    entity = {"type": "text_link", "offset": offset, "length": 1, "url": "https://x.example.com"}
    assert read(text="退款", entities=[entity]).text == "退款"


@pytest.mark.parametrize("text", ["/start", "/start order7741", "/help", "/status@example_shop_bot", "/投诉"])
def test_a_button_is_no_complaint(text: str) -> None:
    message = read(text=text)
    assert message.is_automatic
    assert message.automatic_reason.startswith("bot command /")


@pytest.mark.parametrize("text", ["/complain my parcel is lost", "/start 我的快递丢了 请尽快处理", "1/2 的货没到"])
def test_words_behind_a_command_are_said(text: str) -> None:
    message = read(text=text)
    assert not message.is_automatic
    assert message.text == text


# Forwards


def test_what_a_customer_forwards_is_evidence_and_says_whose_words_those_are() -> None:
    origin = {"type": "hidden_user", "sender_user_name": "某某快递 客服", "date": DATE - 60}
    message = read(text="亲，包裹丢失概不赔偿", forward_origin=origin)
    assert message.text == "↪ 某某快递 客服:\n亲，包裹丢失概不赔偿"
    assert (message.original, message.author.id, message.thread) == (None, "555", ("555",))


def test_a_customers_own_words_forwarded_are_just_theirs() -> None:
    origin = {"type": "user", "sender_user": LILEI, "date": DATE - 60}
    assert read(text="上周就说过了", forward_origin=origin).text == "上周就说过了"


def test_what_our_people_forward_is_the_customers() -> None:
    origin = {"type": "user", "sender_user": HANMEI, "date": DATE - 3600}
    message = read(
        text="The kettle broke after two days.",
        photo=PHOTO,
        chat={"id": 777, "type": "private"},
        **{"from": LINA, "forward_origin": origin},
        settings={"staff": ["@lina_support"]},
    )
    assert message.original
    assert (message.text, message.original.text) == ("", "The kettle broke after two days.")
    assert (message.original.author.id, message.original.author.name) == ("666", "Han")
    assert message.original.posted_at == datetime.fromtimestamp(DATE - 3600, UTC)
    assert message.author.role is Role.CUSTOMER
    assert message.thread == ("777/forwarded/666",), "two customers' forwards are two conversations"
    assert len(message.attachments) == 1


# Groups, channels, business accounts


def test_in_a_group_everybody_has_a_line_of_their_own() -> None:
    first, second = read(text="退款！", chat=GROUP), read(text="Same here", chat=GROUP, **{"from": HANMEI})
    assert first.thread == ("-1001234567890/555",)
    assert second.thread == ("-1001234567890/666",)
    assert first.external_id == "-1001234567890/12"
    assert first.visibility is Visibility.PUBLIC
    assert first.permalink == "https://t.me/c/1234567890/12"
    assert read(text="退款！", chat=OPEN_GROUP).permalink == "https://t.me/example_shop/12"
    topic = read(text="退款！", chat=GROUP, is_topic_message=True, message_thread_id=5)
    assert topic.thread == ("-1001234567890/topic/5/555",)


def test_an_answer_of_our_people_belongs_to_whom_they_answer() -> None:
    answered = {"message_id": 11, "date": DATE, "chat": GROUP, "from": LILEI, "text": "退款！"}
    settings: dict[str, object] = {"staff": ["777"]}
    message = read(text="已为您登记", chat=GROUP, reply_to_message=answered, **{"from": LINA, "settings": settings})
    assert message.author.role is Role.COMPANY
    assert message.thread == ("-1001234567890/11", "-1001234567890/555")
    assert read(text="大家好", chat=GROUP, **{"from": LINA, "settings": settings}).thread == ("-1001234567890",)


def test_who_speaks_for_the_group_is_the_company_and_who_speaks_as_a_channel_is_not() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    stand_in = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
    assert read(text="群规", chat=GROUP, sender_chat=GROUP, **{"from": anonymous}).author.role is Role.COMPANY
    linked = read(text="公告", chat=GROUP, sender_chat=CHANNEL, is_automatic_forward=True, **{"from": stand_in})
    assert linked.author.role is Role.COMPANY
    other = {"id": -1005, "title": "李雷的频道", "type": "channel"}
    assert read(text="退款！", chat=GROUP, sender_chat=other, **{"from": stand_in}).author == Author(
        id="-1005", name="李雷的频道"
    )


def test_a_channels_posts_are_the_companys() -> None:
    message = read("channel_post", text="新品上市", chat=CHANNEL, sender_chat=CHANNEL, **{"from": None})
    assert (message.author.role, message.permalink) == (Role.COMPANY, "https://t.me/example_news/12")
    assert read("edited_channel_post", text="x", chat=CHANNEL, edit_date=DATE, **{"from": None}).kind is Kind.EDITED


def test_only_the_groups_that_are_named_are_heard() -> None:
    settings: dict[str, object] = {"groups": [GROUP["id"]]}
    assert read(text="退款！", chat=GROUP, settings=settings).text
    assert read(text="退款！", settings=settings).text, "private chats always are"
    assert parse_update({"message": make_post(text="x", chat={**GROUP, "id": -77})}, **settings) == []


def test_what_people_write_to_a_channel_is_private() -> None:
    chat = {**GROUP, "is_direct_messages": True}
    assert read(text="退款！", chat=chat).visibility is Visibility.PRIVATE


def test_a_business_account_and_its_customer() -> None:
    customer = read("business_message", text="退款！", business_connection_id="conn-1")
    owner = read("business_message", text="您好", business_connection_id="conn-1", **{"from": LINA})
    assert (customer.author.role, owner.author.role) == (Role.CUSTOMER, Role.COMPANY)
    assert customer.external_id == "conn-1:555/12"
    assert customer.thread == owner.thread == ("conn-1:555",)


def test_what_is_deleted_from_a_business_chat_is_withdrawn() -> None:
    deleted = {"business_connection_id": "conn-1", "chat": PRIVATE, "message_ids": [12, 13]}
    messages = parse_update({"deleted_business_messages": deleted})
    assert [(one.external_id, one.kind, one.thread) for one in messages] == [
        ("conn-1:555/12", Kind.WITHDRAWN, ("conn-1:555",)),
        ("conn-1:555/13", Kind.WITHDRAWN, ("conn-1:555",)),
    ]


def test_other_bots_are_bots() -> None:
    bot = {"id": 42, "is_bot": True, "first_name": "Weather"}
    assert read(text="/rain is 5 mm", chat=GROUP, **{"from": bot}).author.role is Role.BOT


# What is no message, and what cannot be read


@pytest.mark.parametrize(
    "update",
    [
        {"message": make_post(new_chat_members=[HANMEI], chat=GROUP)},
        {"message": make_post(left_chat_member=HANMEI, chat=GROUP)},
        {"message": make_post(pinned_message=make_post(text="x", chat=GROUP), chat=GROUP)},
        {"message": make_post(new_chat_title="新群名", chat=GROUP)},
        {"message": make_post(migrate_to_chat_id=-1001, chat={**GROUP, "id": -7, "type": "group"})},
        {
            "edited_message": make_post(
                location={"latitude": 1.0, "longitude": 2.0, "live_period": 900}, edit_date=DATE + 9
            )
        },
        {"callback_query": {"id": "1", "from": LILEI, "data": "x"}},
        {"kind_of_the_future": {"id": 1}},
        {},
    ],
)
def test_what_is_no_message_is_none(update: dict[str, Any]) -> None:
    assert parse_update(update) == []


@pytest.mark.parametrize(
    "update",
    [
        b"",
        b"[]",
        b"null",
        b"<xml/>",
        b"[" * 100_000,
        b'{"update_id":1,"message":' + b'{"message":' * 5000,
        {"update_id": "x"},
        {"message": "text"},
        {"message": make_post(text=7)},
        {"message": make_post(text="x", date=10**20)},
        {"message": make_post(text="x", date=10**15)},
        {"message": make_post(text="x", chat=None)},
        {"message": make_post(photo="x")},
        {"message": make_post(contact={"first_name": "no number"})},
    ],
)
def test_what_cannot_be_read_says_so(update: Any) -> None:
    with pytest.raises(BadMessage):
        parse_update(update)


_LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
)


@given(st.dictionaries(st.sampled_from(Post.__struct_encode_fields__), _JSON, max_size=4), st.sampled_from(HEARD))
def test_whatever_stands_in_a_field_is_read_or_refused(fields: dict[str, Any], kind: str) -> None:
    with contextlib.suppress(BadMessage):
        for message in parse_update({kind: {**make_post(text="退款"), **fields}}):
            assert isinstance(message, Message)
