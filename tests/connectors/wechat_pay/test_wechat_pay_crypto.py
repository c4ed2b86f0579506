"""Signatures and seals: the fact sheet's vector, tampering, and another client library against the same platform."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from wechatpayv3 import WeChatPay, WeChatPayType, utils

from connectors.wechat_pay import WechatPaySettings
from connectors.wechat_pay.crypto import load_private_key, load_public_key, open_field, open_resource, sign, verify
from tests.connectors.wechat_pay.conftest import make_settings
from tests.connectors.wechat_pay.pay_server import (
    API_V3_KEY,
    BEIJING,
    MCHID,
    PUBLIC_KEY,
    PUBLIC_KEY_ID,
    SERIAL,
    PayServer,
    private_pem,
    public_pem,
    rsa_key,
    seal,
)

SEALED = (
    "NRR4PjYGj0Bnxq2bCmM7lYK9kXEu+8QmZPY+817j7cdRPGe4wTd7LchAf+eT9ohLPZFhxWaRiIhAsWN0wgjQivEeM5bDrKU/"
    "JEwmyCl4PUcCSePZ5F9b1xin+NpQ1/U="
)
PLAIN = b'{"complaint_id":"200000020260101000000000001","action_type":"CREATE_COMPLAINT"}'


def test_the_fact_sheets_vector_opens() -> None:
    opened = open_resource(API_V3_KEY, nonce="AllEarsNonce", associated_data="complaint", ciphertext=SEALED)
    assert opened == PLAIN
    assert seal(PLAIN, "complaint")["ciphertext"] == SEALED
    assert utils.aes_decrypt("AllEarsNonce", SEALED, "complaint", API_V3_KEY) == PLAIN.decode()


@pytest.mark.parametrize(
    "change",
    [
        {"ciphertext": "A" + SEALED[1:]},
        {"ciphertext": SEALED[:-8] + "AAAAAAA="},
        {"ciphertext": ""},
        {"ciphertext": "not base64 汉字"},
        {"nonce": "AllEarsNonc2"},
        {"nonce": ""},
        {"associated_data": "refund"},
        {"associated_data": ""},
    ],
)
def test_tampered_vector_stays_shut(change: dict[str, str]) -> None:
    given = {"nonce": "AllEarsNonce", "associated_data": "complaint", "ciphertext": SEALED} | change
    with pytest.raises(ValueError, match="APIv3 key"):
        open_resource(API_V3_KEY, **given)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(ValueError, match="APIv3 key"):
        open_resource("x" * 32, nonce="AllEarsNonce", associated_data="complaint", ciphertext=SEALED)


def test_signatures_agree_with_the_other_library() -> None:
    key = load_private_key(private_pem("merchant"))
    ours = sign(key, "GET", "/v3/certificates", "1767225600", "nonce", b"")
    assert ours == utils.rsa_sign(rsa_key("merchant"), "GET\n/v3/certificates\n1767225600\nnonce\n\n")
    body = '{"投诉":"重复扣费 😡"}'
    theirs = utils.rsa_sign(rsa_key("platform"), f"1767225600\nnonce\n{body}\n")
    public = load_public_key(public_pem("platform"))
    assert verify(public, theirs, "1767225600", "nonce", body.encode())
    assert not verify(public, theirs, "1767225601", "nonce", body.encode())
    assert not verify(public, theirs, "1767225600", "nonce2", body.encode())
    assert not verify(public, theirs, "1767225600", "nonce", body.encode() + b" ")
    assert not verify(public, "WECHATPAY/SIGNTEST/" + theirs, "1767225600", "nonce", body.encode())
    assert not verify(public, "", "1767225600", "nonce", body.encode())
    assert not verify(public, "汉字", "1767225600", "nonce", body.encode())
    assert not verify(load_public_key(public_pem("merchant")), theirs, "1767225600", "nonce", body.encode())


def test_a_sealed_phone_number_opens() -> None:
    key = load_private_key(private_pem("merchant"))
    assert open_field(key, utils.rsa_encrypt("13800138000", rsa_key("merchant").public_key())) == "13800138000"
    for wrong in (utils.rsa_encrypt("1", rsa_key("platform").public_key()), "", "%%", base64.b64encode(b"x").decode()):
        with pytest.raises(ValueError):
            open_field(key, wrong)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"api_v3_key": "short"}, "32 characters"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nnonsense"}, "apiclient_key.pem"),
        ({"private_key": public_pem("merchant")}, "apiclient_key.pem"),
        ({"public_key_id": PUBLIC_KEY_ID}, "go together"),
        ({"public_key_id": PUBLIC_KEY_ID, "public_key": private_pem("public-key")}, "pub_key.pem"),
        ({"url": "http://api.mch.weixin.qq.com"}, "pattern"),
        ({"mchid": "me"}, "pattern"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, Any], said: str) -> None:
    given = {"mchid": MCHID, "serial_no": SERIAL, "private_key": private_pem("merchant"), "api_v3_key": API_V3_KEY}
    with pytest.raises(ValidationError, match=said) as caught:
        WechatPaySettings.model_validate(given | change)
    assert "nonsense" not in str(caught.value)


async def test_the_other_library_finds_this_platform_in_order(pay: PayServer) -> None:
    """What it signs is taken, and it takes what is signed: the platform in miniature is not merely ours."""
    pay.now = lambda: datetime.now(UTC)
    complaint = pay.complain("反馈一个重复扣费的问题")
    client = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=MCHID,
        private_key=private_pem("merchant"),
        cert_serial_no=SERIAL,
        apiv3_key=API_V3_KEY,
        appid="wx0123456789abcdef",
        notify_url="https://hooks.example.com/in/wechat-pay",
        public_key=public_pem("public-key"),
        public_key_id=PUBLIC_KEY_ID,
    )
    client._core._gate_way = pay.url
    today = pay.now().astimezone(BEIJING).strftime("%Y-%m-%d")
    code, listed = await asyncio.to_thread(client.complaint_list_query, today, today, 10, 0, MCHID)
    assert (code, json.loads(listed)["total_count"]) == (200, 1)
    code, found = await asyncio.to_thread(client.complaint_detail_query, complaint)
    assert (code, json.loads(found)["complaint_detail"]) == (200, "反馈一个重复扣费的问题")
    assert client.decrypt(json.loads(found)["payer_phone"]) == "13800138000"
    code, steps = await asyncio.to_thread(client.complaint_history_query, complaint, 50, 0)
    assert (code, json.loads(steps)["data"][0]["operate_type"]) == (200, "USER_CREATE_COMPLAINT")
    pushed = pay.push(pay.notice(complaint), PUBLIC_KEY)
    heard = client.callback(dict(pushed.headers), pushed.body)
    assert heard["resource"]["complaint_id"] == complaint


def test_settings_show_no_secret(pay: PayServer) -> None:
    assert API_V3_KEY not in repr(make_settings(pay))
