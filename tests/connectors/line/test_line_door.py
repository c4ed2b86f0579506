"""Who is let in, and what is cut out of a delivery."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from allears_sdk.connector import Reception
from allears_sdk.errors import BadMessage
from allears_sdk.testing import RecordingLog
from tests.connectors.line.conftest import Connect, make_event, make_settings, make_text
from tests.connectors.line.line_server import deliver, make_request, sign

CONSOLE_BODY = b'{"destination":"U00000000000000000000000000000001","events":[]}'
"""Vector V4 of the fact sheet: the console's check of the address."""
CONSOLE_SIGNATURE = "gb7kyPO5HQGuxobI7F5WqGpdl1TqHzs10Z3a9dP5tlg="


def answer_of(reception: Reception) -> tuple[int, bytes]:
    answer = reception.answer(())
    return answer.status, answer.body


async def test_the_console_checks_the_address(connect: Connect) -> None:
    reception = await connect().receive(make_request(CONSOLE_BODY, CONSOLE_SIGNATURE))
    assert not reception.refused
    assert (list(reception.raws), answer_of(reception)) == ([], (200, b""))


@pytest.mark.parametrize("signature", ["", "签名", "AAAA", CONSOLE_SIGNATURE[:-1], f" {CONSOLE_SIGNATURE}", "0" * 9000])
async def test_what_is_not_signed_is_refused(connect: Connect, signature: str) -> None:
    reception = await connect().receive(make_request(CONSOLE_BODY, signature))
    assert reception.refused
    assert answer_of(reception) == (401, b"")


async def test_signed_is_what_was_sent_not_what_it_means(connect: Connect) -> None:
    sent = deliver(make_text("退款"))
    rewritten = json.dumps(json.loads(sent.body)).encode()
    assert (await connect().receive(make_request(rewritten, sign(sent.body)))).refused


async def test_a_page_of_a_browser_is_refused(connect: Connect) -> None:
    reception = await connect().receive(make_request(b"", "", method="GET"))
    assert answer_of(reception) == (405, b"")


async def test_a_delivery_of_several_is_cut(connect: Connect) -> None:
    first, second = make_text("屏幕碎了"), make_text("refund please")
    reception = await connect().receive(deliver(first, make_event("follow"), second))
    assert [raw.key for raw in reception.raws] == [first["webhookEventId"], second["webhookEventId"]]
    assert [json.loads(raw.body)["events"] for raw in reception.raws] == [[first], [second]]


async def test_a_redelivery_is_known_by_its_event(connect: Connect) -> None:
    connector, event = connect(), make_text("退款")
    again = {**event, "deliveryContext": {"isRedelivery": True}, "replyToken": "another"}
    (first,), (second,) = [(await connector.receive(deliver(one))).raws for one in (event, again)]
    assert first.key == second.key


async def test_what_line_did_not_have_before_is_kept_and_told_of_once(connect: Connect, log: RecordingLog) -> None:
    connector = connect()
    for _ in range(2):
        (raw,) = (await connector.receive(deliver(make_event("voiceCall", call={"id": "1"})))).raws
        assert connector.parse(raw, connector.settings) == ()
    assert [facts for _, event, facts in log.entries if event == "unknown_event"] == [{"type": "voiceCall"}]


async def test_a_bad_event_harms_no_other(connect: Connect) -> None:
    connector = connect()
    bad = [7, {"type": 7}, {"type": "message", "message": 7}, make_event(message={"id": 7, "type": "text"})]
    reception = await connector.receive(deliver(make_text("屏幕碎了"), *bad))
    assert len({raw.key for raw in reception.raws}) == 5
    assert connector.parse(reception.raws[0], connector.settings)[0].text == "屏幕碎了"
    for raw in reception.raws[1:]:
        with pytest.raises(BadMessage):
            connector.parse(raw, connector.settings)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 100_000, b'{"destination":"U","events":7}', b"\xff"])
async def test_what_is_no_delivery_becomes_a_letter(connect: Connect, body: bytes) -> None:
    connector = connect()
    (raw,) = (await connector.receive(make_request(body, sign(body)))).raws
    assert raw.body == body
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)


def test_one_way_to_a_token() -> None:
    with pytest.raises(ValidationError, match="two ways to the same"):
        make_settings(access_token="long-lived")
