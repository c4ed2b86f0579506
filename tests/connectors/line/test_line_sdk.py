"""LINE's own library at our deliveries: what we test with is what it takes for LINE's, and both read the same in it."""

from __future__ import annotations

from typing import Any

import pytest
from linebot.v3.webhook import SignatureValidator, WebhookParser
from linebot.v3.webhooks import (
    FileMessageContent,
    MessageContent,
    MessageEvent,
    PostbackEvent,
    TextMessageContent,
    UnsendEvent,
)

from connectors.line import LineConnector
from tests.connectors.line.conftest import Connect, make_event, make_group, make_media, make_text
from tests.connectors.line.line_server import SECRET, deliver


def theirs(event: dict[str, Any]) -> Any:
    """What its parser makes of a delivery of one event, signature and all."""
    request = deliver(event)
    [read] = WebhookParser(SECRET).parse(request.body.decode(), request.header("X-Line-Signature"))
    return read


async def ours(connector: LineConnector, event: dict[str, Any]) -> Any:
    [raw] = (await connector.receive(deliver(event))).raws
    [message] = connector.parse(raw, connector.settings)
    return message


def test_it_takes_our_signature_for_lines() -> None:
    request = deliver(make_text("退款 😡"))
    assert SignatureValidator(SECRET).validate(request.body.decode(), request.header("X-Line-Signature"))
    assert not SignatureValidator("another").validate(request.body.decode(), request.header("X-Line-Signature"))


async def test_it_knows_who_wrote_what_and_when(connect: Connect) -> None:
    event = make_text("还没退款", source=make_group())
    read, message = theirs(event), await ours(connect(), event)
    assert isinstance(read, MessageEvent)
    assert isinstance(read.message, TextMessageContent)
    assert (read.message.id, read.message.text) == (message.external_id, message.text)
    assert read.timestamp == int(message.posted_at.timestamp() * 1000)
    assert (read.source.user_id, read.source.group_id) == (message.author.id, message.thread[-1])


async def test_it_knows_what_is_quoted(connect: Connect) -> None:
    message = {
        "id": "444861691800",
        "type": "text",
        "text": "同上",
        "quoteToken": "q3",
        "quotedMessageId": "4448616917",
    }
    event = make_event(message=message, replyToken="nHuyWiB7yP5Zw52FIkcQobQuGDXCTA")
    assert theirs(event).message.quoted_message_id == (await ours(connect(), event)).thread[0]


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
async def test_it_knows_media(connect: Connect, kind: str) -> None:
    read, message = theirs(make_media(kind)).message, await ours(connect(), make_media(kind))
    assert (read.type, read.content_provider.type) == (kind, "line")
    assert type(read) is not MessageContent, "a kind that it does not know"
    assert message.attachments[0].ref.locator["message"] == read.id


async def test_it_knows_files(connect: Connect) -> None:
    event = make_media("file")
    event["message"] |= {"fileName": "发票.pdf", "fileSize": 2138}
    read, message = theirs(event).message, await ours(connect(), event)
    assert isinstance(read, FileMessageContent)
    assert (read.file_name, read.file_size) == (message.attachments[0].name, message.attachments[0].size)


async def test_it_knows_what_was_taken_back_and_pressed(connect: Connect) -> None:
    unsent = make_event("unsend", unsend={"messageId": "325708"})
    read = theirs(unsent)
    assert isinstance(read, UnsendEvent)
    assert read.unsend.message_id == (await ours(connect(), unsent)).external_id
    pressed = make_event("postback", postback={"data": "action=refund"}, replyToken="b60d432864f44d079f6d8efe86cf404b")
    assert isinstance(theirs(pressed), PostbackEvent)


def test_a_redelivery_is_told_as_one() -> None:
    assert theirs(make_text("退款", deliveryContext={"isRedelivery": True})).delivery_context.is_redelivery
