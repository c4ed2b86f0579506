"""Requests as WeChat and 企业微信 send them. Encrypted ones are sealed by wechatpy, not by us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WorkCrypto
from wechatpy.utils import WeChatSigner

from allears_sdk.connector import Request
from allears_sdk.testing.clock import START
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, CORP_ID, NONCE, TOKEN

OURS = "gh_0a1b2c3d4e5f"
CUSTOMER = "oABCD1234efgh5678ijkl"
SECONDS = int(START.timestamp())


def make_xml(**fields: Any) -> str:
    """Texts as CDATA, numbers bare, dicts as elements, as the platform writes them."""
    return "<xml>" + "".join(_element(name, value) for name, value in fields.items()) + "</xml>"


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(*pair) for pair in value.items())}</{name}>"
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{value}]]></{name}>" if "]]>" not in value else f"<{name}>{escape(value)}</{name}>"


def make_fields(content: str = "", *, number: int = 24681357908642135, **more: Any) -> dict[str, Any]:
    """A text message of a customer; `more` replaces what is different."""
    fields: dict[str, Any] = {"ToUserName": OURS, "FromUserName": CUSTOMER, "CreateTime": SECONDS}
    fields |= {"MsgType": "text", "Content": content} if "MsgType" not in more else {}
    return {**fields, **({"MsgId": number} if more.get("MsgType") != "event" else {}), **more}


def sign(*parts: str) -> str:
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)


def make_request(
    method: str = "POST",
    query: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    at: datetime = START,
    media_type: str = "text/xml",
) -> Request:
    return Request(
        method=method,
        path="",
        query=tuple((query or {}).items()),
        headers=(("Content-Type", media_type),),
        body=body,
        remote_address="101.226.103.61",
        received_at=at,
    )


def push_plain(message: str | bytes, *, nonce: str = NONCE, at: datetime = START) -> Request:
    timestamp = str(int(at.timestamp()))
    body = message.encode() if isinstance(message, str) else message
    signature = sign(TOKEN, timestamp, nonce)
    query = {"signature": signature, "timestamp": timestamp, "nonce": nonce, "openid": CUSTOMER}
    return make_request(query=query, body=body, at=at)


def push_sealed(message: str, *, nonce: str = NONCE, at: datetime = START, beside: str = "") -> Request:
    """Of 公众号 and 小程序 with XML. `beside`: the clear fields of compatible mode."""
    timestamp = str(int(at.timestamp()))
    sealed = str(WeChatCrypto(TOKEN, AES_KEY, APP_ID).encrypt_message(message, nonce, timestamp))
    encrypted = sealed.partition("<Encrypt>")[2].partition("</Encrypt>")[0]
    signature = sealed.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    body = f"<xml><ToUserName><![CDATA[{OURS}]]></ToUserName>{beside}<Encrypt>{encrypted}</Encrypt></xml>".encode()
    query = {
        "signature": sign(TOKEN, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "openid": CUSTOMER,
        "encrypt_type": "aes",
        "msg_signature": signature,
    }
    return make_request(query=query, body=body, at=at)


def push_sealed_json(message: dict[str, Any], *, nonce: str = NONCE, at: datetime = START) -> Request:
    """Of a 小程序 whose console says JSON."""
    request = push_sealed(json.dumps(message, ensure_ascii=False), nonce=nonce, at=at)
    encrypted = request.body.decode().partition("<Encrypt><![CDATA[")[2].partition("]]>")[0]
    body = json.dumps({"ToUserName": OURS, "Encrypt": encrypted}).encode()
    return make_request(query=dict(request.query), body=body, at=at, media_type="application/json")


def push_work(message: str, *, nonce: str = NONCE, at: datetime = START) -> Request:
    """Of an app of 企业微信."""
    timestamp = str(int(at.timestamp()))
    sealed = str(WorkCrypto(TOKEN, AES_KEY, CORP_ID).encrypt_message(message, nonce, timestamp))
    encrypted = sealed.partition("<Encrypt>")[2].partition("</Encrypt>")[0]
    signature = sealed.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    agent = f"<AgentID><![CDATA[1000002]]></AgentID><Encrypt>{encrypted}</Encrypt>"
    body = f"<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName>{agent}</xml>".encode()
    query = {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
    return make_request(query=query, body=body, at=at)
