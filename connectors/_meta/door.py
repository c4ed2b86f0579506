"""The door of a callback address: is it Meta who knocks? ("Webhooks: Getting started")."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from allears_sdk.connector import Answer, Reception, Request
from allears_sdk.signing import hmac_hex, same
from connectors._meta.settings import MetaSettings

SIGNATURE = "X-Hub-Signature-256"
PREFIX = "sha256="
MAX_CHALLENGE = 256
_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}


class Door:
    def __init__(self, settings: MetaSettings) -> None:
        self._secrets = settings.secrets
        self._verify_token = settings.verify_token.get_secret_value()

    async def pass_through(self, request: Request, accept: Callable[[], Awaitable[Reception]]) -> Reception:
        """`accept` is asked about a POST that Meta has signed. A good GET is the console's check of the address."""
        if request.method == "GET":
            return self._handshake(request)
        if request.method != "POST":
            return refuse(f"method {request.method[:10]}", HTTPStatus.METHOD_NOT_ALLOWED)
        given = request.header(SIGNATURE)
        if not given:
            return refuse(f"not signed: no {SIGNATURE}")
        if not self._is_signed(request.body, given):
            return refuse("the signature does not fit: is app_secret the secret of this app?")
        return await accept()

    def _is_signed(self, body: bytes, given: str) -> bool:
        """Meta signs the bytes that it sends. Every secret is tried: no early end to time."""
        fits = [same(given, PREFIX + hmac_hex(secret, body)) for secret in self._secrets]
        return any(fits)

    def _handshake(self, request: Request) -> Reception:
        challenge = request.parameter("hub.challenge")
        is_fit = challenge.isascii() and challenge.isprintable() and 0 < len(challenge) <= MAX_CHALLENGE
        if request.parameter("hub.mode") != "subscribe" or not is_fit:
            return refuse("neither a delivery nor Meta's check of the address", HTTPStatus.BAD_REQUEST)
        if not same(request.parameter("hub.verify_token"), self._verify_token):
            return refuse("another verify_token than in the console", HTTPStatus.FORBIDDEN)
        echo = Answer(body=challenge.encode(), headers=_NO_SNIFFING)
        return Reception(answer=lambda accepted: echo)


def refuse(reason: str, status: int = HTTPStatus.UNAUTHORIZED) -> Reception:
    headers = {"Allow": "GET, POST"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    answer = Answer(status=int(status), headers=headers)
    return Reception(refused=reason, answer=lambda accepted: answer)
