"""Events in, messages out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role
from allears_sdk.testing.clock import START
from connectors.line import LineConnector
from tests.connectors.line.conftest import GROUP, USER, make_event, make_group, make_media, make_settings, make_text
from tests.connectors.line.line_server import BOT

SAID_AT = START - timedelta(minutes=1)
PROFILE = Ref(locator={"user": USER})


def read(event: dict[str, Any], **settings: Any) -> list[Message]:
    body = json.dumps({"destination": BOT, "events": [event]}, ensure_ascii=False).encode()
    raw = Raw(key=event.get("webhookEventId", "x"), body=body, media_type="application/json", received_at=START)
    return list(LineConnector.parse(raw, make_settings(**settings)))


def test_a_text() -> None:
    event = make_text("ราคาผิด 订单 7741-20 收到的杯子碎了 😡 refund!")
    assert read(event) == [
        Message(
            text="ราคาผิด 订单 7741-20 收到的杯子碎了 😡 refund!",
            external_id=event["message"]["id"],
            thread=(USER,),
            author=Author(id=USER, profile=PROFILE),
            posted_at=SAID_AT,
        )
    ]


def test_what_quotes_another_belongs_to_it() -> None:
    event = make_text("就是这个", source=make_group())
    event["message"]["quotedMessageId"] = "468789577898262530"
    (message,) = read(event)
    assert message.thread == ("468789577898262530", GROUP)
    assert message.author.profile == Ref(locator={"user": USER, "group": GROUP})


def test_in_a_group_somebody_may_have_no_id() -> None:
    (message,) = read(make_text("谁来处理一下", source=make_group(None)))
    assert (message.author, message.thread) == (Author(), (GROUP,))


def test_a_room_of_several() -> None:
    (message,) = read(make_text("hello", source={"type": "room", "roomId": "Ra8dbf4673c", "userId": USER}))
    assert message.thread == ("Ra8dbf4673c",)
    assert message.author.profile == Ref(locator={"user": USER, "room": "Ra8dbf4673c"})


def test_your_own_people_are_the_company() -> None:
    (message,) = read(make_text("已安排补发", source=make_group()), staff=[USER], ask_profile=False)
    assert message.author == Author(role=Role.COMPANY, id=USER)


@pytest.mark.parametrize(
    ("kind", "media_type", "name"),
    [
        ("image", "image/jpeg", "image-20261122-035900-693859.jpg"),
        ("video", "video/mp4", "video-20261122-035900-693859.mp4"),
        ("audio", "audio/x-m4a", "audio-20261122-035900-693859.m4a"),
    ],
)
def test_media_are_fetched_afterwards(kind: str, media_type: str, name: str) -> None:
    (message,) = read(make_media(kind, duration=60000))
    ref = Ref(locator={"message": "354718705033693859", "name": name})
    assert (message.text, message.attachments) == (
        "",
        (Attachment(name=name, title=kind, media_type=media_type, ref=ref),),
    )


def test_a_file_says_how_large_it_is() -> None:
    (message,) = read(make_media("file", fileName="发票 2026.pdf", fileSize=2138))
    (file,) = message.attachments
    assert (file.name, file.media_type, file.size) == ("发票 2026.pdf", "application/pdf", 2138)


def test_a_picture_of_another_app_is_left_where_it_is() -> None:
    provider = {"type": "external", "originalContentUrl": "https://cdn.example.com/1.jpg"}
    (message,) = read(make_media("image", contentProvider=provider))
    (file,) = message.attachments
    assert (file.ref, file.skipped) == (None, "shared by another app, at https://cdn.example.com/1.jpg")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "sticker", "packageId": "446", "stickerId": "1988", "stickerResourceType": "STATIC"}, "[sticker]"),
        ({"type": "sticker", "stickerResourceType": "MESSAGE", "text": "还我钱"}, "还我钱"),
        (
            {
                "type": "location",
                "title": "新宿店",
                "address": "新宿区 4-1-6",
                "latitude": 35.688806,
                "longitude": 139.7,
            },
            "📍 新宿店, 新宿区 4-1-6 (35.688806, 139.700000)",
        ),
        ({"type": "location", "latitude": 1, "longitude": 2}, "📍 1.000000, 2.000000"),
        ({"type": "hologram"}, "[hologram]"),
        ({"type": "text", "text": ""}, "[text]"),
    ],
)
def test_what_has_no_words_is_written_out(message: dict[str, Any], text: str) -> None:
    assert read(make_event(message={"id": "1", **message}))[0].text == text


def test_a_message_taken_back() -> None:
    event = make_event("unsend", unsend={"messageId": "325708"})
    (message,) = read(event)
    assert (message.kind, message.external_id, message.text) == (Kind.WITHDRAWN, "325708", "")
    assert (message.revision, message.thread) == (event["webhookEventId"], (USER,))


def test_a_button_is_no_complaint() -> None:
    (message,) = read(make_event("postback", postback={"data": "action=refund&order=7741"}))
    assert (message.text, message.is_automatic) == ("action=refund&order=7741", True)


def test_while_another_module_answers_we_still_hear() -> None:
    assert read(make_text("投诉客服", mode="standby", replyToken=None))[0].text == "投诉客服"


@pytest.mark.parametrize(
    "event",
    [
        make_event(message={"type": "text"}),
        make_event(timestamp="yesterday", message={"id": "1", "type": "text"}),
        make_event(timestamp=10**17, message={"id": "1", "type": "text"}),
        make_event(message={"id": "1", "type": "text", "text": {"a": 1}}),
        make_event("unsend", unsend={}),
    ],
)
def test_what_cannot_be_read_becomes_a_letter(event: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        read(event)
