"""pywa at our deliveries: what we test with is what others take for WhatsApp's, and both read the same in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pywa.client import WhatsApp
from pywa.types.base_update import RawUpdate
from pywa.types.message import DeletedMessage, EditedMessage, Message, OutgoingMessage
from pywa.utils import webhook_updates_validator

from tests.connectors._meta.graph_server import SECRET, TOKEN, deliver
from tests.connectors.whatsapp.conftest import (
    NUMBER_ID,
    PHONE,
    USER_ID,
    Connect,
    make_contact,
    make_delivery,
    make_message,
)
from tests.connectors.whatsapp.test_whatsapp_messages import CARD, LI_LEI, ORDER, PLACE, read


@pytest.fixture
def client() -> WhatsApp:
    return WhatsApp(phone_id=NUMBER_ID, token=TOKEN)


def raw(delivery: dict[str, Any]) -> RawUpdate:
    return RawUpdate(json.dumps(delivery).encode(), hmac_header="", update_hash="")


def test_it_takes_our_signature_for_metas() -> None:
    request = deliver(make_delivery(make_message("退款 😡")))
    assert webhook_updates_validator(SECRET, request.body, request.header("X-Hub-Signature-256"))


async def test_it_knows_who_wrote_what_and_when(client: WhatsApp, connect: Connect) -> None:
    delivery = make_delivery(make_message("还没退款", context={"from": "8675512345678", "id": "wamid.BEFORE"}))
    theirs = Message.from_update(client, raw(delivery))
    (ours,) = await read(connect, delivery)
    assert (theirs.id, theirs.text, theirs.timestamp) == (ours.external_id, ours.text, ours.posted_at)
    assert (theirs.from_user.bsuid, theirs.from_user.wa_id, theirs.from_user.name) == (USER_ID, PHONE, "李雷")
    assert ours.author == LI_LEI
    assert theirs.reply_to_message
    assert theirs.reply_to_message.id == ours.thread[0]


async def test_a_hidden_number_is_none_for_it_too(client: WhatsApp, connect: Connect) -> None:
    said = make_message("退款", **{"from": None})
    delivery = make_delivery(said, contacts=[make_contact("Ana", None)])
    theirs = Message.from_update(client, raw(delivery))
    (ours,) = await read(connect, delivery)
    assert (theirs.from_user.bsuid, theirs.from_user.wa_id or "") == (ours.author.id, ours.author.phone)


FILE = {"id": "10033834", "mime_type": "image/jpeg", "sha256": "4654+8g=", "caption": "屏幕碎了"}


@pytest.mark.parametrize(
    ("fields", "theirs_is"),
    [
        ({"type": "image", "image": FILE}, lambda one: (one.image.id, one.caption) == ("10033834", "屏幕碎了")),
        (
            {"type": "audio", "audio": {**FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True}},
            lambda one: one.audio.voice,
        ),
        (
            {"type": "document", "document": {**FILE, "filename": "发票.pdf"}},
            lambda one: one.document.filename == "发票.pdf",
        ),
        ({"type": "location", "location": PLACE}, lambda one: one.location.name == PLACE["name"]),
        ({"type": "contacts", "contacts": [CARD]}, lambda one: one.contacts[0].phones[0].phone == "+86 139 0013 9000"),
        ({"type": "order", "order": ORDER}, lambda one: one.order.products[0].sku == "SKU-1"),
    ],
)
async def test_it_reads_every_kind(client: WhatsApp, connect: Connect, fields: dict[str, Any], theirs_is: Any) -> None:
    delivery = make_delivery(make_message(**fields))
    assert theirs_is(Message.from_update(client, raw(delivery)))
    assert len(await read(connect, delivery)) == 1


async def test_it_reads_edits_deletions_and_echoes(client: WhatsApp, connect: Connect) -> None:
    change = {"original_message_id": "wamid.FIRST", "message": {"type": "text", "text": {"body": "订单 7742"}}}
    edit = make_delivery(make_message(type="edit", edit=change))
    revoke = make_delivery(make_message(type="revoke", revoke={"original_message_id": "wamid.FIRST"}))
    echo = make_delivery(
        make_message("已退款", **{"from": "8675512345678", "from_user_id": None, "to": PHONE, "to_user_id": USER_ID}),
        field="smb_message_echoes",
        holds="message_echoes",
    )
    edited = EditedMessage.from_update(client, raw(edit))
    assert (edited.original_message_id, edited.message.text) == ("wamid.FIRST", "订单 7742")
    assert DeletedMessage.from_update(client, raw(revoke)).original_message_id == "wamid.FIRST"
    assert OutgoingMessage.from_update(client, raw(echo)).text == "已退款"
    ours = [one for delivery in (edit, revoke, echo) for one in await read(connect, delivery)]
    assert [(one.external_id, one.text) for one in ours[:2]] == [("wamid.FIRST", "订单 7742"), ("wamid.FIRST", "")]
    assert ours[2].text == "已退款"
