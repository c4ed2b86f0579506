"""What customers send, and the messages it gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.message import Attachment, Author, Kind, Message, Ref, Role
from allears_sdk.testing.clock import START
from tests.connectors._meta.graph_server import deliver
from tests.connectors.whatsapp.conftest import (
    NUMBER_ID,
    PHONE,
    USER_ID,
    Connect,
    make_contact,
    make_delivery,
    make_message,
)

LI_LEI = Author(id=USER_ID, name="李雷", phone=f"+{PHONE}")
ROOMS = (f"{NUMBER_ID}/{PHONE}", f"{NUMBER_ID}/{USER_ID}")
MINUTE_AGO = START - timedelta(seconds=60)


async def read(connect: Connect, delivery: dict[str, Any], **settings: Any) -> list[Message]:
    connector = connect(**settings)
    raws = (await connector.receive(deliver(delivery))).raws
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def read_one(connect: Connect, **fields: Any) -> Message:
    (message,) = await read(connect, make_delivery(make_message(**fields)))
    return message


async def test_a_text(connect: Connect) -> None:
    said = make_message("还没退款，订单 7741 😡")
    assert await read(connect, make_delivery(said)) == [
        Message(
            text="还没退款，订单 7741 😡",
            external_id=said["id"],
            thread=ROOMS,
            author=LI_LEI,
            participants=(PHONE,),
            posted_at=MINUTE_AGO,
        )
    ]


async def test_a_hidden_number(connect: Connect) -> None:
    """Behind a username there is only the business-scoped id."""
    said = make_message("still no refund", **{"from": None})
    contact = make_contact("Ana P.", None)
    contact["profile"]["username"] = "ana.p"
    (message,) = await read(connect, make_delivery(said, contacts=[contact]))
    assert message.author == Author(id=USER_ID, name="Ana P.", handle="@ana.p")
    assert (message.thread, message.participants) == ((f"{NUMBER_ID}/{USER_ID}",), ())


async def test_empty_numbers_are_none(connect: Connect) -> None:
    said = make_message("退款", **{"from": "", "from_user_id": None})
    contact = make_contact("李雷", "")
    (message,) = await read(connect, make_delivery(said, contacts=[contact]))
    assert (message.author.id, message.author.phone) == (USER_ID, "")


async def test_an_old_delivery_knows_the_number_alone(connect: Connect) -> None:
    said = make_message("退款", from_user_id=None)
    (message,) = await read(connect, make_delivery(said, contacts=[make_contact("李雷", PHONE, None)]))
    assert message.author == Author(id=PHONE, name="李雷", phone=f"+{PHONE}")
    assert message.thread == (f"{NUMBER_ID}/{PHONE}",)


async def test_an_answer_to_a_message(connect: Connect) -> None:
    message = await read_one(connect, text="不是这个订单", context={"from": "8675512345678", "id": "wamid.BEFORE"})
    assert message.thread == ("wamid.BEFORE", *ROOMS)


async def test_in_a_group_everybody_has_a_matter_of_their_own(connect: Connect) -> None:
    message = await read_one(connect, text="我的也坏了", group_id="Y2FwaV9ncm91cDox")
    assert (message.thread, message.author.id) == ((f"{NUMBER_ID}/group:Y2FwaV9ncm91cDox",), USER_ID)


@pytest.mark.parametrize(
    ("kind", "file", "attachment"),
    [
        (
            "image",
            {"id": "10033834", "mime_type": "image/jpeg", "sha256": "4654+8g=", "caption": "屏幕碎了"},
            ("image-20261122-035900-033834.jpg", "image", "image/jpeg"),
        ),
        (
            "document",
            {"id": "10033834", "mime_type": "application/pdf", "filename": "发票.pdf", "caption": "invoice attached"},
            ("发票.pdf", "document", "application/pdf"),
        ),
        (
            "audio",
            {"id": "10033834", "mime_type": "audio/ogg; codecs=opus", "voice": True},
            ("voice-20261122-035900-033834.ogg", "voice", "audio/ogg"),
        ),
        (
            "video",
            {"id": "10033834", "mime_type": "video/mp4"},
            ("video-20261122-035900-033834.mp4", "video", "video/mp4"),
        ),
    ],
)
async def test_a_file(connect: Connect, kind: str, file: dict[str, Any], attachment: tuple[str, str, str]) -> None:
    message = await read_one(connect, type=kind, **{kind: file})
    name, title, media_type = attachment
    ref = Ref(locator={"media": "10033834", "name": name}, fetch_before=MINUTE_AGO + timedelta(days=7))
    assert message.attachments == (Attachment(name=name, title=title, media_type=media_type, ref=ref),)
    assert message.text == file.get("caption", "")


PLACE = {"latitude": 31.230416, "longitude": 121.473701, "name": "人民广场店", "address": "西藏中路 1 号"}
CARD = {
    "name": {"formatted_name": "王师傅", "first_name": "师傅"},
    "phones": [{"phone": "+86 139 0013 9000", "type": "CELL"}],
}
LIST_REPLY = {
    "type": "list_reply",
    "list_reply": {"id": "r1", "title": "Damaged item", "description": "It came broken"},
}
FLOW = {"name": "flow", "body": "Sent", "response_json": '{"flow_token": "x", "order": "7741", "photos": [1]}'}
ORDER = {
    "catalog_id": "1",
    "text": "尽快发货",
    "product_items": [{"product_retailer_id": "SKU-1", "quantity": 2, "item_price": 9.9, "currency": "CNY"}],
}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"type": "location", "location": PLACE}, "📍 人民广场店, 西藏中路 1 号 (31.230416, 121.473701)"),
        ({"type": "location", "location": {"latitude": 1, "longitude": 2}}, "📍 1.000000, 2.000000"),
        ({"type": "contacts", "contacts": [CARD]}, "☎ 王师傅 +86 139 0013 9000"),
        ({"type": "sticker", "sticker": {"id": "9", "mime_type": "image/webp", "animated": False}}, "[sticker]"),
        ({"type": "button", "button": {"text": "我要投诉", "payload": "COMPLAIN"}}, "我要投诉"),
        ({"type": "interactive", "interactive": LIST_REPLY}, "Damaged item\nIt came broken"),
        (
            {
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "No"}},
            },
            "No",
        ),
        ({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": FLOW}}, "order: 7741\nphotos: [1]"),
        ({"type": "order", "order": ORDER}, "尽快发货\n2 × SKU-1"),
        (
            {"type": "unsupported", "errors": [{"code": 131_051, "title": "Message type unknown", "message": "x"}]},
            "[unsupported message] (131051 Message type unknown)",
        ),
        ({"text": "看这个", "context": {"forwarded": True}}, "↪\n看这个"),
        ({"type": "something_new", "something_new": {"a": 1}}, "[something_new]"),
    ],
)
async def test_what_else_can_be_read(connect: Connect, fields: dict[str, Any], text: str) -> None:
    assert (await read_one(connect, **fields)).text == text


async def test_the_product_that_is_asked_about(connect: Connect) -> None:
    product = {"catalog_id": "1", "product_retailer_id": "SKU-7"}
    message = await read_one(connect, text="坏了", context={"from": "1", "id": "wamid.X", "referred_product": product})
    assert message.product == "SKU-7"
    assert (await read_one(connect, type="order", order=ORDER)).product == "SKU-1"


async def test_an_edit_follows_what_was_said(connect: Connect) -> None:
    edit = {"original_message_id": "wamid.FIRST", "message": {"type": "text", "text": {"body": "订单 7742，不是 7741"}}}
    message = await read_one(connect, id="wamid.EDIT", type="edit", edit=edit)
    assert (message.kind, message.external_id, message.revision) == (Kind.EDITED, "wamid.FIRST", "wamid.EDIT")
    assert (message.text, message.thread) == ("订单 7742，不是 7741", ROOMS)


async def test_what_was_said_is_taken_back(connect: Connect) -> None:
    revoke = {"original_message_id": "wamid.FIRST"}
    message = await read_one(connect, id="wamid.REVOKE", type="revoke", revoke=revoke)
    assert (message.kind, message.external_id, message.revision) == (Kind.WITHDRAWN, "wamid.FIRST", "wamid.REVOKE")
    assert message.text == ""


async def test_reactions_say_nothing(connect: Connect) -> None:
    reaction = make_message(type="reaction", reaction={"message_id": "wamid.X", "emoji": "👍"})
    assert await read(connect, make_delivery(reaction)) == []


@pytest.mark.parametrize("field", ["smb_message_echoes", "standby"])
async def test_what_the_business_says_is_context(connect: Connect, field: str) -> None:
    ids = {"from": "8675512345678", "from_user_id": None, "to": PHONE, "to_user_id": USER_ID}
    echo = make_message("已为您退款", **ids)
    (message,) = await read(connect, make_delivery(echo, field=field, holds="message_echoes"))
    assert (message.author.role, message.participants, message.thread) == (Role.COMPANY, (PHONE, USER_ID), ROOMS)


async def test_what_is_said_while_metas_agent_has_the_chat_is_heard(connect: Connect) -> None:
    (message,) = await read(connect, make_delivery(make_message("我要人工客服"), field="standby"))
    assert (message.text, message.author.role) == ("我要人工客服", Role.CUSTOMER)


async def test_a_new_number_leads_to_the_same_chat(connect: Connect) -> None:
    system = {"body": "User A changed from 8613800138000 to 8613700137000", "wa_id": "8613700137000"}
    said = make_message(type="system", from_user_id=None, system={**system, "type": "user_changed_number"})
    (message,) = await read(connect, make_delivery(said, contacts=[]))
    assert message.is_automatic
    assert message.thread == (f"{NUMBER_ID}/{PHONE}", f"{NUMBER_ID}/8613700137000")
    assert message.participants == (PHONE, "8613700137000")


async def test_a_new_id_behind_a_hidden_number(connect: Connect) -> None:
    system = {
        "body": "User changed",
        "user_id": "MX.0987",
        "previous_user_id": "CO.1234",
        "type": "user_changed_user_id",
    }
    nobody: dict[str, Any] = {"from": None, "from_user_id": None}
    said = make_message(type="system", system=system, **nobody)
    (message,) = await read(connect, make_delivery(said, contacts=[]))
    assert (message.author.id, message.participants) == ("CO.1234", ("CO.1234", "MX.0987"))


@pytest.mark.parametrize(
    ("timestamp", "posted_at"),
    [
        ("1750000000", datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)),
        (1_750_000_000, datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)),
        ("", None),
        ("soon", None),
        ("9" * 400, None),
        ("nan", None),
    ],
)
async def test_times(connect: Connect, timestamp: str | int, posted_at: datetime | None) -> None:
    assert (await read_one(connect, text="退款", timestamp=timestamp)).posted_at == posted_at


async def test_files_of_numbers_without_storage_are_wanted_within_the_hour(connect: Connect) -> None:
    said = make_message(type="image", image={"id": "1", "mime_type": "image/jpeg"})
    (message,) = await read(connect, make_delivery(said), media_days=1 / 24)
    ref = message.attachments[0].ref
    assert ref
    assert ref.fetch_before == MINUTE_AGO + timedelta(hours=1)
