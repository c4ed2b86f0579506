"""Encrypted callbacks of an Official Account, as WeChat posts them in its secure mode."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from bench.texts import TEXTS
from connectors._wechat.crypto import Envelope, signature

APP_ID = "wx7a1c04e29d5b83f6"
TOKEN = "benchtoken2026"
AES_KEY = "Kq3vXz8Lm1NpRs5TuVw7Yb2Cd4Ef6Gh9Jk0AaBcDeFg"

_PLAIN = (
    "<xml><ToUserName><![CDATA[gh_5a2f9c3e1b70]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>"
    "<MsgId>{id}</MsgId></xml>"
)
_SEALED = "<xml><ToUserName><![CDATA[gh_5a2f9c3e1b70]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"


class Sealer:
    """Makes whole HTTP requests, each with a message of its own."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._target = f"POST {path}?{{query}} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: text/xml\r\n"
        self._envelope = Envelope(AES_KEY, APP_ID)
        self._first_id = time.time_ns()

    def request(self, number: int, user: str, text: str) -> bytes:
        at = int(time.time())
        plain = _PLAIN.format(user=user, at=at, text=text, id=self._first_id + number)
        sealed = self._envelope.seal(plain.encode(), f"{number:016}".encode())
        signed = signature(TOKEN, str(at), str(number), sealed)
        query = urlencode({"timestamp": at, "nonce": number, "encrypt_type": "aes", "msg_signature": signed})
        body = _SEALED.format(sealed=sealed).encode()
        return f"{self._target.format(query=query)}Content-Length: {len(body)}\r\n\r\n".encode() + body


def prepare(host: str, port: int, path: str, count: int) -> list[bytes]:
    """Of a customer each."""
    sealer = Sealer(host, port, path)
    return [
        sealer.request(number, f"o6_bench{number:020}", f"{TEXTS[number % len(TEXTS)]} #{number}")
        for number in range(count)
    ]
