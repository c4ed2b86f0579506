"""Anything that posts JSON or forms: verified, stored as it came, mapped to messages in a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from allears_sdk.codec import encode
from allears_sdk.connector import (
    Accepted,
    Answer,
    Connector,
    ConnectorSpec,
    Hears,
    Identity,
    Media,
    Reception,
    Request,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.errors import Rejected
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.signing import hmac_base64, hmac_hex, same
from connectors.webhook.body import decode_body
from connectors.webhook.gate import Gate
from connectors.webhook.parse import parse_request
from connectors.webhook.paths import find
from connectors.webhook.raws import raws_of
from connectors.webhook.settings import REFERENCE, WebhookSettings
from connectors.webhook.values import as_text

_LARGE_BYTES = 32 << 10
"""From here on a body is read in a thread."""
_MAX_CHALLENGE_CHARS = 1000
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}


class WebhookConnector(Connector[WebhookSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="webhook",
        title_en="Generic webhook",
        title_zh="通用 webhook",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.ITEM,
        signed=True,
        verified="signature vectors of a dozen platforms, and their documented requests",
        verified_zh="十来个平台的签名样例，以及它们文档中的请求",
    )
    Settings = WebhookSettings

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._gate = Gate(settings.auth, settings.public_address)
        self._own_spec = replace(
            self.spec,
            threading=Threading(settings.threading),
            signed=settings.auth.method != "none",
            answer_within_seconds=settings.answer_within_seconds,
        )

    @property
    def own_spec(self) -> ConnectorSpec:
        return self._own_spec

    async def check(self) -> Identity:
        address = self.settings.public_address or f"/in/{self.context.name}"
        method = self.settings.auth.method
        proof = Words(f"senders prove themselves by {method}", zh=f"发送方以 {method} 证明身份")
        if method == "none":
            proof = Words("anyone may post", zh="任何人都可以提交")
        secret = Words("the address ends with /SECRET", zh="地址以 /密钥 结尾")
        ending = (secret,) if self.settings.auth.place == "path" else ()
        return Identity(account=address, details=(proof, *ending))

    async def receive(self, request: Request) -> Reception:
        if request.method in ("GET", "HEAD"):
            return self._asked(request)
        if request.method not in ("POST", "PUT"):
            return _refuse("neither POST nor PUT", 405, Allow="POST, PUT")
        if fault := self._gate.fault(request):
            asks = {"basic": "Basic", "bearer": "Bearer"}.get(self.settings.auth.method)
            return _refuse(fault, 401, **({"WWW-Authenticate": asks} if asks else {}))
        if (challenge := self._challenge(request)) is not None:
            return challenge
        raws = await self._read(request)
        if not raws:
            self.context.log.debug("nothing_wanted")
        return Reception(raws=raws, answer=self._answer())

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse_request(raw, settings)

    async def fetch(self, ref: Ref) -> Media:
        """Only from where the settings allow, and with their header only there."""
        url, files = str(ref.locator["url"]), self.settings.files
        host = (urlsplit(url).hostname or "").lower()
        if files.hosts and host not in {one.lower() for one in files.hosts}:
            raise Rejected(f"files are not fetched from {host}: see files.hosts")
        headers = {"Authorization": files.authorization.get_secret_value()} if files.authorization else {}
        limit = self.settings.max_attachment_bytes
        answer = await self.context.remote.request("GET", url, headers=headers, max_bytes=limit, allow_private=False)
        return Media(content=answer.content, media_type=answer.header("content-type"))

    async def _read(self, request: Request) -> Sequence[Raw]:
        if len(request.body) < _LARGE_BYTES:
            return raws_of(request, self.settings)
        return await self.context.blocking(raws_of, request, self.settings)

    def _asked(self, request: Request) -> Reception:
        """A GET: the handshake, or nothing of ours."""
        handshake = self.settings.handshake
        if request.method == "HEAD":
            return Reception()
        if handshake is None or not handshake.parameter:
            return _refuse("a GET, and no handshake is set", 405, Allow="POST, PUT")
        token = handshake.token.get_secret_value() if handshake.token else ""
        if token and not same(request.parameter(handshake.token_parameter), token):
            return _refuse("bad handshake token", 403)
        return self._echo(request.parameter(handshake.parameter))

    def _challenge(self, request: Request) -> Reception | None:
        """The echo a signed request asks for; None for all others."""
        handshake = self.settings.handshake
        if handshake is None or handshake.field is None or len(request.body) > _LARGE_BYTES:
            return None
        try:
            body = decode_body(request.body, request.header("content-type"))
            found = find(handshake.field, body, body)
        except ValueError:
            return None
        return self._echo(as_text(found[0])) if found else None

    def _echo(self, text: str) -> Reception:
        if not text or len(text) > _MAX_CHALLENGE_CHARS or not text.isprintable():
            return _refuse("a handshake without a challenge", 400)
        handshake = self.settings.handshake
        key = handshake.answer_key if handshake else ""
        if handshake and handshake.secret:
            sign = hmac_hex if handshake.encoding == "hex" else hmac_base64
            text = handshake.prefix + sign(handshake.secret.get_secret_value(), text)
        body, media_type = (encode({key: text}), "application/json") if key else (text.encode(), "text/plain")
        answer = Answer(body=body, media_type=f"{media_type}; charset=utf-8", headers=_NOSNIFF)
        return Reception(answer=lambda accepted: answer)

    def _answer(self) -> Callable[[Sequence[Accepted]], Answer]:
        given = self.settings.answer

        def answer(accepted: Sequence[Accepted]) -> Answer:
            reference = accepted[0].reference if accepted else ""
            body = given.body.replace(REFERENCE, reference).encode()
            return Answer(status=given.status, body=body, media_type=given.media_type)

        return answer


def _refuse(why: str, status: int, **headers: str) -> Reception:
    answer = Answer(status=status, headers=headers)
    return Reception(refused=why, answer=lambda accepted: answer)
