"""Who is let in, what is cut out of a delivery, and what is left."""

from __future__ import annotations

import json

import pytest

from allears_sdk.connector import Reception
from allears_sdk.errors import BadMessage
from allears_sdk.signing import hmac_hex
from allears_sdk.testing import RecordingLog
from connectors.whatsapp import WhatsappConnector
from tests.connectors._meta.graph_server import SECRET, deliver, make_request, shake_hands
from tests.connectors.whatsapp.conftest import Connect, make_contact, make_delivery, make_message

PAGE_BODY = (
    rb'{"object":"page","entry":[{"id":"1001","time":1750000000,"changes":[{"field":"feed","value":'
    rb'{"item":"comment","verb":"add","message":"\u9000\u6b3e"}}]}]}'
)
"""Vector V2 of the fact sheet."""
PAGE_SIGNATURE = "sha256=d53702db6b1b8a09bebd436079ed0f2aac80052ccfef26b744f903d36417a01a"


def answer_of(reception: Reception) -> tuple[int, bytes]:
    answer = reception.answer(())
    return answer.status, answer.body


def test_the_vectors_of_the_fact_sheet() -> None:
    assert "sha256=" + hmac_hex(SECRET, PAGE_BODY) == PAGE_SIGNATURE
    proof = "7c2d971b276cfdd52f1d805b0687814961a235974c4d139b2c4931e4e4c94aad"
    assert hmac_hex(SECRET, "page-token-01") == proof


async def test_the_console_checks_the_address(connect: Connect) -> None:
    reception = await connect().receive(shake_hands())
    assert not reception.refused
    assert answer_of(reception) == (200, b"1158201444")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"token": "another"}, 403),
        ({"token": ""}, 403),
        ({"token": "验证"}, 403),
        ({"mode": "unsubscribe"}, 400),
        ({"challenge": ""}, 400),
        ({"challenge": "<script>\n"}, 400),
        ({"challenge": "7" * 300}, 400),
    ],
)
async def test_others_are_told_nothing(connect: Connect, given: dict[str, str], status: int) -> None:
    reception = await connect().receive(shake_hands(**given))
    assert reception.refused
    assert answer_of(reception) == (status, b"")


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=zz", "sha1=32ee25c455ff07c9", "签名", "sha256=" + "0" * 64]
)
async def test_what_is_not_signed_is_refused(connect: Connect, signature: str) -> None:
    body = json.dumps(make_delivery(make_message("退款"))).encode()
    reception = await connect().receive(make_request(body, {"X-Hub-Signature-256": signature}))
    assert reception.refused
    assert not reception.raws
    assert answer_of(reception) == (401, b"")


async def test_signed_is_what_was_sent_not_what_it_means(connect: Connect) -> None:
    sent = deliver(make_delivery(make_message("退款")))
    rewritten = json.dumps(json.loads(sent.body), ensure_ascii=False).encode()
    reception = await connect().receive(make_request(rewritten, dict(sent.headers)))
    assert reception.refused


async def test_a_secret_can_be_replaced(connect: Connect) -> None:
    connector = connect(more_app_secrets=["the-next-secret"])
    for secret in (SECRET, "the-next-secret"):
        assert (await connector.receive(deliver(make_delivery(make_message("退款")), secret=secret))).raws
    assert (await connector.receive(deliver(make_delivery(make_message("退款")), secret="the-last"))).refused


async def test_a_page_is_sent_to_its_own_channel(connect: Connect) -> None:
    reception = await connect().receive(make_request(PAGE_BODY, {"X-Hub-Signature-256": PAGE_SIGNATURE}))
    assert "channel of their own" in reception.refused
    assert answer_of(reception) == (400, b"")


async def test_statuses_and_templates_are_answered_and_not_kept(connect: Connect, log: RecordingLog) -> None:
    status = {"id": "wamid.OURS", "status": "delivered", "timestamp": "1750000000", "recipient_id": "8613800138000"}
    connector = connect()
    delivery = make_delivery(statuses=[status])
    template = make_delivery(field="message_template_status_update")
    delivery["entry"] += template["entry"]
    for _ in range(2):
        reception = await connector.receive(deliver(delivery))
        assert (list(reception.raws), answer_of(reception)[0]) == ([], 200)
    ignored = [facts for _, event, facts in log.entries if event == "delivery_ignored"]
    assert ignored == [{"field": "message_template_status_update"}]


async def test_an_empty_delivery_is_answered(connect: Connect) -> None:
    reception = await connect().receive(deliver({"object": "whatsapp_business_account", "entry": []}))
    assert (list(reception.raws), answer_of(reception)[0]) == ([], 200)


async def test_contacts_go_with_their_messages(connect: Connect) -> None:
    """They are paired by ids; another customer's name stands in nobody else's raw."""
    mine, hers = make_message("还没退款"), make_message("发错货", **{"from": "8613900139000", "from_user_id": "CN.77"})
    contacts = [make_contact("韩梅梅", "8613900139000", "CN.77"), make_contact("李雷")]
    reception = await connect().receive(deliver(make_delivery(mine, hers, contacts=contacts)))
    first, second = (WhatsappConnector.parse(raw, connect().settings)[0] for raw in reception.raws)
    assert (first.author.name, second.author.name) == ("李雷", "韩梅梅")
    assert b"13900139000" not in reception.raws[0].body


async def test_a_bad_message_harms_no_other(connect: Connect) -> None:
    connector = connect()
    delivery = make_delivery(
        make_message("屏幕碎了"), {"id": "wamid.BAD", "timestamp": [], "text": 7}, {"type": "text"}
    )
    delivery["entry"] += [{"id": 7, "changes": "none"}, {"id": "1", "changes": [7, {"field": "messages", "value": 7}]}]
    reception = await connector.receive(deliver(delivery))
    assert len(reception.raws) == 6
    assert len({raw.key for raw in reception.raws}) == 6
    assert connector.parse(reception.raws[0], connector.settings)[0].text == "屏幕碎了"
    for raw in reception.raws[1:]:
        with pytest.raises(BadMessage):
            connector.parse(raw, connector.settings)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"[" * 100_000, b'{"object":"x","entry":' + b"[" * 100_000, b"\xff"]
)
async def test_what_is_no_delivery_becomes_a_letter(connect: Connect, body: bytes) -> None:
    connector = connect()
    signed = {"X-Hub-Signature-256": "sha256=" + hmac_hex(SECRET, body)}
    reception = await connector.receive(make_request(body, signed))
    (raw,) = reception.raws
    assert raw.body == body
    with pytest.raises(BadMessage):
        connector.parse(raw, connector.settings)


async def test_numbers_of_another_channel_are_left_to_it(connect: Connect, log: RecordingLog) -> None:
    connector = connect(phone_number_ids=["777"])
    reception = await connector.receive(deliver(make_delivery(make_message("退款"))))
    assert not reception.raws
    assert answer_of(reception)[0] == 200
    assert ("info", "delivery_ignored", {"phone_number_id": "106540352242922"}) in log.entries
    assert (await connector.receive(deliver(make_delivery(make_message("退款"), number_id="777")))).raws


async def test_what_whatsapp_reports_of_itself_is_logged(connect: Connect, log: RecordingLog) -> None:
    errors = [{"code": 130_429, "title": "Rate limit hit"}]
    await connect().receive(deliver(make_delivery(errors=errors)))
    assert ("warning", "whatsapp_reports", {"code": 130_429, "title": "Rate limit hit"}) in log.entries
