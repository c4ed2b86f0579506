"""What servers and chatbots send: who speaks, whole conversations, signed requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from allears_sdk.connector import Request
from allears_sdk.message import Author, Role
from allears_sdk.signing import OutsideWindow, sign_standard
from allears_sdk.testing.clock import START
from connectors.webchat import WebchatConnector
from tests.connectors.webchat.conftest import (
    REFERENCE,
    MakeChat,
    answered,
    post,
    program,
    read,
    refused,
    request,
    revised,
    taken,
    upload,
    visitor,
)

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))


async def test_a_program_says_who_speaks(chat: WebchatConnector) -> None:
    sent = post("已为您登记", conversation="s1", role="agent", contact={"name": "客服小王"}, by=program())
    (message,) = await read(chat, sent)
    assert message.author == Author(role=Role.COMPANY, name="客服小王")
    (said,) = await read(chat, post("坏了", visitor="u-4711", by=program()))
    assert (said.author.role, said.author.id) == (Role.CUSTOMER, "u-4711")
    assert "u-4711" not in said.thread[0]
    status, reason = await refused(chat, post("坏了", by=program()))
    assert (status, "conversation" in reason) == (400, True)


@pytest.mark.parametrize(
    "sent", [post(role="agent"), post(role="bot"), post(visitor="u-4711"), upload(JPEG, visitor="u-4711")]
)
async def test_a_visitor_may_not(chat: WebchatConnector, sent: Request) -> None:
    assert (await refused(chat, sent))[0] == 403


def transcript(*turns: dict[str, Any], by: Mapping[str, str] | None = None, **fields: Any) -> Request:
    body = json.dumps({"conversation": "s1", "messages": turns, **fields}, ensure_ascii=False).encode()
    return request("POST", "/transcripts", body, program() if by is None else by)


GREETS = {"role": "bot", "text": "您好，我是智能客服小智", "name": "小智"}
SAYS = {"role": "customer", "text": "我的包裹三天没动了", "said_at": "2026-06-01T09:30:00+08:00"}
ANSWERS = {"role": "agent", "text": "这边帮您催一下", "name": "小王"}


async def test_a_bots_conversation_is_handed_over_whole(chat: WebchatConnector) -> None:
    sent = transcript(GREETS, SAYS, ANSWERS, visitor="u-9", contact={"name": "韩梅梅"}, order="SO-1")
    messages = await read(chat, sent)
    assert [(one.author.role.value, one.author.name, one.author.id) for one in messages] == [
        ("bot", "小智", ""),
        ("customer", "韩梅梅", "u-9"),
        ("company", "小王", ""),
    ]
    assert {one.thread for one in messages} == {("program:s1",)}
    assert messages[1].order == "SO-1"
    assert json.loads(answered(await chat.receive(sent)).body) == {"reference": REFERENCE}


async def test_a_transcript_that_has_grown_repeats_nothing(chat: WebchatConnector) -> None:
    short = await taken(chat, transcript(GREETS, SAYS))
    longer = await taken(chat, transcript(GREETS, SAYS, ANSWERS))
    assert short.key == longer.key
    assert short.digest != longer.digest
    before = {(one.external_id, one.revision) for one in WebchatConnector.parse(short, None)}
    after = [(one.external_id, one.revision) for one in WebchatConnector.parse(revised(longer, 2), None)]
    assert set(after[:2]) == before
    assert after[2] not in before


async def test_a_message_and_the_transcript_that_holds_it_are_one(chat: WebchatConnector) -> None:
    (alone,) = await read(chat, post("我的包裹三天没动了", conversation="s1", id="q1", by=program()))
    _, within = await read(chat, transcript(GREETS, {**SAYS, "id": "q1"}))
    assert (alone.external_id, alone.revision) == (within.external_id, within.revision)


@pytest.mark.parametrize("by", [visitor(), program("wrong")])
async def test_transcripts_need_the_key(chat: WebchatConnector, by: dict[str, str]) -> None:
    assert (await refused(chat, transcript(SAYS, by=by)))[0] in (401, 403)


# Signed requests

SECRET = "whsec_" + "c2lnbmluZy1rZXkt" * 2


def signed(sent: Request, at: datetime = START, secret: str = SECRET) -> Request:
    seconds = int(at.timestamp())
    signature = sign_standard([secret], "msg-1", seconds, sent.body)
    headers = {"webhook-id": "msg-1", "webhook-timestamp": str(seconds), "webhook-signature": signature}
    return request(sent.method, sent.path, sent.body, headers, sent.query)


async def test_a_signed_request_is_a_programs(make_chat: MakeChat) -> None:
    chat = make_chat(signing_secret=SECRET, api_key=None)
    (message,) = await read(chat, signed(post("Done.", conversation="s1", role="agent", by={})))
    assert message.author.role is Role.COMPANY
    good = signed(post("Done.", conversation="s1", by={}))
    tampered = request(good.method, good.path, good.body.replace(b"Done", b"Gone"), dict(good.headers))
    assert (await refused(chat, tampered))[0] == 401
    late = signed(post("Done.", conversation="s1", by={}), START - timedelta(minutes=6))
    with pytest.raises(OutsideWindow):  # the core refuses it, and gives alarm when a clock must be wrong
        await chat.receive(late)
    assert (await refused(chat, signed(upload(JPEG, conversation="s1", by={}))))[0] == 401
    assert (await refused(make_chat(), good))[0] == 401


async def test_a_good_key_beside_a_bad_signature_does_not_count(make_chat: MakeChat) -> None:
    chat = make_chat(signing_secret=SECRET)
    assert (await refused(chat, post(by=program() | {"webhook-signature": "v1,AAAA"})))[0] == 401
