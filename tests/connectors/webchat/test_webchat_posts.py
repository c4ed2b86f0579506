"""What visitors send: what is stored, what it says, what is refused, and whose it is."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from allears_sdk.connector import Request
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Role
from allears_sdk.signing import hmac_hex
from allears_sdk.testing import RecordingLog
from allears_sdk.testing.clock import START
from connectors.webchat import WebchatConnector, WebchatSettings
from connectors.webchat.protocol import MESSAGE
from tests.connectors.webchat.conftest import (
    IDENTITY,
    OTHER_TOKEN,
    REFERENCE,
    SITE,
    TOKEN,
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


async def test_a_message_is_stored_as_it_came(chat: WebchatConnector) -> None:
    sent = post("耳机左边没声音了😡", conversation="c1", said_at="2026-06-01T09:30:00+08:00")
    raw = await taken(chat, sent)
    assert (raw.body, raw.media_type, raw.received_at) == (sent.body, MESSAGE, START)
    assert TOKEN not in repr(raw)
    assert raw.thread in raw.key
    assert not raw.body.count(b"Visitor")


async def test_what_it_says(chat: WebchatConnector) -> None:
    contact = {"name": " 李雷\n", "phone": "138 0013 8000", "email": "Li@Example.com"}
    sent = post(
        "  坏了\r\n要求退款 ", conversation="c1", contact=contact, order="SO-7788", product="耳机", language="zh-CN"
    )
    (message,) = await read(chat, sent)
    raw = await taken(chat, sent)
    assert message == Message(
        text="坏了\n要求退款",
        external_id=f"{raw.thread}:m1",
        revision=hashlib.sha256("  坏了\r\n要求退款 ".encode()).hexdigest()[:16],
        thread=(raw.thread,),
        author=Author(
            id=raw.thread.split(":")[1], name="李雷", email="li@example.com", phone="138 0013 8000", role=Role.CUSTOMER
        ),
        order="SO-7788",
        product="耳机",
        language="zh-CN",
    )


async def test_the_time_it_was_said_at_is_a_claim_with_a_zone(chat: WebchatConnector) -> None:
    (message,) = await read(chat, post("Late again.", said_at="2026-06-01T09:30:00+08:00"))
    assert message.posted_at == datetime(2026, 6, 1, 1, 30, tzinfo=UTC)
    status, reason = await refused(chat, post("Late again.", said_at="2026-06-01T09:30:00"))
    assert (status, "timezone" in reason and "said_at" in reason) == (400, True)


async def test_the_same_id_again_is_the_same_message_and_the_same_answer(chat: WebchatConnector) -> None:
    first = await chat.receive(post("坏了", conversation="c1"))
    again = await chat.receive(post("坏了", conversation="c1"))
    assert [(raw.key, raw.digest) for raw in first.raws] == [(raw.key, raw.digest) for raw in again.raws]
    assert answered(first) == answered(again, is_new=False)
    assert json.loads(answered(first).body) == {"id": "m1", "reference": REFERENCE}
    assert answered(first).status == 200


async def test_spacing_and_order_of_the_json_change_nothing(chat: WebchatConnector) -> None:
    one = await taken(chat, request("POST", "/messages", b'{"id":"m1","text":"x"}', visitor()))
    other = await taken(chat, request("POST", "/messages", b'{ "text": "x",\n "id": "m1" }', visitor()))
    assert (one.key, one.digest) == (other.key, other.digest)


async def test_other_words_under_the_same_id_are_an_edit(chat: WebchatConnector) -> None:
    first, second = await taken(chat, post("坏了")), await taken(chat, post("坏了，已退货"))
    assert first.key == second.key
    assert first.digest != second.digest
    (said,) = WebchatConnector.parse(first, None)
    (edited,) = WebchatConnector.parse(revised(second, 2), None)
    (back,) = WebchatConnector.parse(revised(first, 3), None)
    assert (said.kind, edited.kind, edited.text) == (Kind.SAID, Kind.EDITED, "坏了，已退货")
    assert said.external_id == edited.external_id
    assert len({said.revision, edited.revision, back.revision}) == 3


async def test_a_message_can_be_taken_back(chat: WebchatConnector) -> None:
    raw = await taken(chat, post("", withdrawn=True))
    (message,) = WebchatConnector.parse(revised(raw, 2), None)
    assert message.kind is Kind.WITHDRAWN


# Whose conversation


async def test_a_visitor_has_conversations_nobody_else_can_reach(chat: WebchatConnector) -> None:
    mine = await taken(chat, post(conversation="c1"))
    threads = {
        (await taken(chat, post(conversation="c1", by=visitor(OTHER_TOKEN)))).thread,
        (await taken(chat, post(conversation="c2"))).thread,
        (await taken(chat, post())).thread,
        (await taken(chat, post(conversation="c1", by=program()))).thread,
        (await taken(chat, post(conversation=mine.thread.replace(":", "."), by=program()))).thread,
    }
    assert len(threads | {mine.thread}) == 6


async def test_no_ids_can_be_put_together_to_be_those_of_another(chat: WebchatConnector) -> None:
    for message, conversation in (("b:c", "a"), ("c", "a:b")):
        status, _ = await refused(chat, post(id=message, conversation=conversation))
        assert status == 400


async def test_a_contact_can_come_alone(chat: WebchatConnector) -> None:
    (message,) = await read(chat, post("", contact={"phone": "13800138000"}))
    assert (message.text, message.author.phone) == ("", "13800138000")


@pytest.mark.parametrize("user", ["4711", "用户-李雷", "a b%2F"])
async def test_a_signed_user_is_believed(chat: WebchatConnector, user: str) -> None:
    signature = hmac_hex(IDENTITY, user)
    headers = visitor() | {"X-User": quote(user, safe=""), "X-User-Signature": signature}
    reception = await chat.receive(post(by=headers))
    (message,) = WebchatConnector.parse(reception.raws[0], None)
    assert message.author.id == user
    assert "user" not in json.loads(answered(reception).body)
    assert signature not in repr(reception.raws)


@pytest.mark.parametrize("signature", ["", "0" * 64, "用户", hmac_hex("another secret of theirs", "4711")])
async def test_an_unproven_user_is_heard_as_a_stranger(
    chat: WebchatConnector, log: RecordingLog, signature: str
) -> None:
    """The site may have made a mistake; the customer has not."""
    for _ in range(3):
        reception = await chat.receive(post(by=visitor() | {"X-User": "4711", "X-User-Signature": signature}))
        (message,) = WebchatConnector.parse(reception.raws[0], None)
        assert message.author.id not in ("", "4711")
        assert json.loads(answered(reception).body)["user"] == "not verified"
    assert [event for _, event, _ in log.entries] == ["user_not_verified"]


async def test_the_users_proof_of_one_is_none_for_another(chat: WebchatConnector) -> None:
    headers = {"X-User": "4712", "X-User-Signature": hmac_hex(IDENTITY, "4711")}
    (message,) = await read(chat, post(by=visitor() | headers))
    assert message.author.id != "4712"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Visitor short"}, 401),
        ({"Authorization": f"Visitor {TOKEN}; DROP"}, 401),
        ({"Authorization": "Visitor"}, 401),
        ({"Authorization": "Basic dTpw"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer 错"}, 401),
        (visitor(origin="https://evil.example"), 403),
        (visitor(origin="null"), 403),
        (visitor(origin=f"{SITE}.evil.example"), 403),
        (visitor(origin=SITE.replace("https", "http")), 403),
    ],
)
async def test_who_is_not_let_in(chat: WebchatConnector, headers: dict[str, str], status: int) -> None:
    assert (await refused(chat, post(by=headers)))[0] == status
    assert (await refused(chat, upload(JPEG, by=headers)))[0] == status


async def test_two_origins_are_none(chat: WebchatConnector) -> None:
    sent = post()
    doubled = Request(
        method=sent.method,
        path=sent.path,
        query=(),
        headers=[*sent.headers, ("origin", "https://evil.example")],
        body=sent.body,
        remote_address="192.0.2.7",
        received_at=START,
    )
    assert (await refused(chat, doubled))[0] == 403


async def test_a_wrong_key_is_refused_before_the_body_is_read(chat: WebchatConnector) -> None:
    sent = request("POST", "/messages", b"\xff{", program("wrong"))
    assert (await refused(chat, sent)) == (401, "the key is wrong")


async def test_apps_come_from_no_page_and_own_pages_need_no_mention(make_chat: MakeChat) -> None:
    chat = make_chat(allowed_origins=[])
    await taken(chat, post(by={"Authorization": f"Visitor {TOKEN}"}))
    own = visitor(origin="https://hear.shop.example") | {"Host": "hear.shop.example"}
    await taken(chat, post(by=own))
    await taken(chat, post(by=visitor() | {"Sec-Fetch-Site": "same-origin"}))


async def test_programs_alone(make_chat: MakeChat) -> None:
    chat = make_chat(visitors=False)
    assert (await refused(chat, post()))[0] == 403
    await taken(chat, post(conversation="c1", by=program()))
    without = make_chat(api_key=None)
    assert (await refused(without, post(conversation="c1", by=program())))[0] == 401


# What is not taken


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b'{"text": "x"}', "`id`"),
        (b'{"id": "", "text": "x"}', "$.id"),
        (b'{"id": "m1\\n", "text": "x"}', "$.id"),
        (b'{"id": 1, "text": "x"}', "$.id"),
        (b'{"id": "m1", "text": 1}', "$.text"),
        (b'{"id": "m1", "text": " \\n "}', "empty"),
        (b'{"id": "m1", "contact": {}}', "empty"),
        (b'{"id": "m1", "text": "x", "contcat": {}}', "contcat"),
        (b'{"id": "m1", "text": "x", "contact": {"wechat": "x"}}', "wechat"),
        (b'{"id": "m1", "text": "x", "role": "admin"}', "$.role"),
        (b'{"id": "m1", "text": "\xff\xfe"}', ""),
        (json.dumps({"id": "m1", "text": "x" * 5001}).encode(), "5000"),
        (json.dumps({"id": "m1", "text": "x", "order": "x" * 301}).encode(), "$.order"),
    ],
)
async def test_a_bad_message_says_why(chat: WebchatConnector, body: bytes, says: str) -> None:
    status, reason = await refused(chat, request("POST", "/messages", body, visitor()))
    assert status == 400
    assert says in reason


async def test_too_much_is_413(chat: WebchatConnector) -> None:
    message = b'{"id": "m1", "text": "x"}'
    assert (await refused(chat, request("POST", "/messages", b" " * (256 << 10) + message, visitor())))[0] == 413
    assert (await taken(chat, request("POST", "/messages", b" " * (255 << 10) + message, visitor()))).digest
    assert (await refused(chat, request("POST", "/transcripts", b" " * ((1 << 20) + 1), program())))[0] == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("POST", "/"), ("POST", "/files/f1"), ("PUT", "/messages"), ("DELETE", "/messages"), ("PUT", "/..")],
)
async def test_other_paths(chat: WebchatConnector, method: str, path: str) -> None:
    assert (await refused(chat, request(method, path, b"{}", visitor())))[0] == 404


async def test_stored_bytes_that_are_none_of_ours_are_a_letter() -> None:
    raw = Raw(key="k", body=b'{"text": 1}', media_type=MESSAGE, received_at=START)
    with pytest.raises(BadMessage, match=r"\$\.text|id"):
        WebchatConnector.parse(raw, None)


# From the browser


async def test_a_page_that_may_is_told_so_also_when_it_is_refused(chat: WebchatConnector) -> None:
    asks = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = request("OPTIONS", "/messages", headers=asks)
    answer = answered(await chat.receive(preflight))
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, PUT"
    assert {"Authorization", "X-User"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    for sent in (post(), post(id="a b")):
        assert answered(await chat.receive(sent)).headers["Access-Control-Allow-Origin"] == SITE
    theirs = request("OPTIONS", "/messages", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answered(await chat.receive(theirs)).headers


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_origins": ["www.shop.example"]},
        {"allowed_origins": ["https://www.shop.example/"]},
        {"allowed_origins": ["https://*.shop.example"]},
        {"visitors": False},
        {"api_key": "short"},
        {"signing_secret": "whsec_x"},
        {"accent": "red;}"},
        {"max_file_bytes": 1 << 30},
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebchatSettings.model_validate(settings)


async def test_check_says_who_may_write(make_chat: MakeChat) -> None:
    identity = await make_chat().check()
    assert identity.account == "/in/support"
    assert identity.details == (f"visitors write from {SITE}", "programs write with a key")
    alone = await make_chat(allowed_origins=[], demo_page=False, api_key=None).check()
    assert alone.details == ("visitors write from nowhere: set allowed_origins",)
