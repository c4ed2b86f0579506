"""The door of a callback address: whose request is it, and what does it carry.

"接入概述" and "消息加解密说明" of developers.weixin.qq.com; 企业微信 document 96466.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from allears_sdk.codec import encode
from allears_sdk.connector import Answer, Reception, Request
from allears_sdk.signing import check_window, same
from connectors._wechat.crypto import Envelope, Unreadable, signature
from connectors._wechat.fields import Fields, Hostile, read, write_xml

_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
_ALLOWED = {"Allow": "GET, POST"}


class Refused(Exception):
    """A request that is not ours to store."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def reception(self) -> Reception:
        answer = Answer(status=self.status, headers=_ALLOWED if self.status == 405 else {})
        return Reception(refused=str(self), answer=lambda accepted: answer)


class Door:
    """Opens what the platform signed; raises Refused for all else, OutsideWindow for what was signed at another time
    (the house answers that, and tells a replay from a wrong clock).

    Without an envelope the channel is in plain mode. With one, a message that is not encrypted is refused: what lies
    open beside the cipher text (compatible mode) is never read. `is_echo_sealed`: 企业微信 encrypts `echostr` too.
    """

    def __init__(self, token: str, envelope: Envelope | None, *, tolerance: timedelta, is_echo_sealed: bool) -> None:
        self._token = token
        self._envelope = envelope
        self._tolerance = tolerance
        self._is_echo_sealed = is_echo_sealed

    def pass_through(self, request: Request, accept: Callable[[bytes], Reception]) -> Reception:
        """`accept` gets the message of a good POST; a good GET is the console's check of the address."""
        try:
            if request.method == "GET":
                echo = Answer(body=self.echo(request), headers=_NO_SNIFFING)
                return Reception(answer=lambda accepted: echo)
            if request.method != "POST":
                raise Refused(f"method {request.method[:10]}", 405)
            body = self.open(request)
        except Refused as refused:
            return refused.reception
        return accept(body)

    def echo(self, request: Request) -> bytes:
        """What the console wants to hear when the address is entered there: `echostr`, in clear."""
        given = request.parameter("echostr")
        if not given:
            raise Refused("no echostr", 400)
        if not self._is_echo_sealed:
            self._check_plain(request)
            return given.encode("utf-8", "replace")
        return self._open_sealed(request, given.replace(" ", "+"))  # a proxy may have decoded it twice

    def open(self, request: Request) -> bytes:
        """The message in clear."""
        if self._envelope is None:
            self._check_plain(request)
            if request.parameter("msg_signature"):
                raise Refused("it is encrypted, and this channel is in plain mode", 400)
            return _harmless(request.body)
        if not request.parameter("msg_signature"):
            raise Refused("not encrypted, and this channel takes encrypted messages only")
        return self._open_sealed(request, _read(request.body).word("Encrypt"))

    def seal(self, message: bytes, *, nonce: str, timestamp: int) -> bytes:
        """An answer, encrypted in an encrypted channel: the same bytes for the same message, nonce and time. JSON is
        answered as JSON."""
        if self._envelope is None:
            return message
        random = hmac.new(self._token.encode(), f"{timestamp}.{nonce}".encode() + message, hashlib.sha256).digest()[:16]
        sealed = self._envelope.seal(message, random)
        signed = signature(self._token, str(timestamp), nonce, sealed)
        fields: dict[str, str | int] = {
            "Encrypt": sealed,
            "MsgSignature": signed,
            "TimeStamp": timestamp,
            "Nonce": nonce,
        }
        return encode(fields) if message[:1] == b"{" else write_xml(fields)

    def _check_plain(self, request: Request) -> None:
        self._check_signature(request, request.parameter("signature"))

    def _open_sealed(self, request: Request, sealed: str) -> bytes:
        self._check_signature(request, request.parameter("msg_signature"), sealed)
        if self._envelope is None:
            raise Refused("it is encrypted, and this channel has no EncodingAESKey", 400)
        try:
            return self._envelope.open(sealed)
        except Unreadable as error:
            raise Refused(f"it cannot be decrypted ({error}): are EncodingAESKey and app id right?", 400) from None

    def _check_signature(self, request: Request, given: str, *sealed: str) -> None:
        timestamp, nonce = request.parameter("timestamp"), request.parameter("nonce")
        if not given or not nonce or not all(sealed):
            raise Refused("not signed")
        if not same(given, signature(self._token, timestamp, nonce, *sealed)):
            raise Refused("wrong signature: is the token the one in the console?")
        check_window(_moment(timestamp), request.received_at, self._tolerance)


def _moment(timestamp: str) -> datetime:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 11):
        raise Refused("the timestamp is not Unix seconds")
    return datetime.fromtimestamp(int(timestamp), UTC)


def _read(body: bytes) -> Fields:
    try:
        return read(body)
    except ValueError as error:
        raise Refused(f"unreadable: {error}", 400) from None


def _harmless(body: bytes) -> bytes:
    """What a signed request carries is kept even when it cannot be read, but nothing that was made to harm."""
    try:
        read(body)
    except Hostile as error:
        raise Refused(str(error), 400) from None
    except ValueError:
        pass
    return body
