"""Who is asking: a visitor of a page, or a program with a key. Looked at before anything of the body is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import SecretStr

from allears_sdk.connector import Request
from allears_sdk.signing import BadSignature, hmac_hex, same, sha256_hex, verify_standard
from connectors._web.origins import ANY, is_own
from connectors.webchat.settings import WebchatSettings

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,100}")
"""Whoever knows it is that visitor: 22 letters of base64 hold 128 random bits."""
_MAX_USER_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    visitor: str = ""
    """What stands for a visitor in keys and records: a hash, so that nobody who reads those can write as them."""
    user: str = ""
    """The website's own id of a visitor who is logged in there, proven by its signature."""
    is_program: bool = False
    is_disbelieved: bool = False
    """It named a user without proving it."""


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Door:
    def __init__(self, settings: WebchatSettings) -> None:
        self._settings = settings
        key = _secret(settings.api_key)
        self._bearer = f"Bearer {key}" if key else ""
        self._signing = [secret] if (secret := _secret(settings.signing_secret)) else []
        self._identity = _secret(settings.identity_secret)

    def admit(self, request: Request) -> Caller:
        """Raises Refused; OutsideWindow where a good signature is too old, which the core wants to know of."""
        authorization = request.header("authorization")
        if request.header("webhook-signature"):
            self._check_signature(request)
            return Caller(is_program=True)
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            if not self._bearer or not same(f"Bearer {value.strip()}", self._bearer):
                raise Refused(401, "the key is wrong")
            return Caller(is_program=True)
        if scheme.lower() == "visitor":
            return self._visitor(request, value.strip())
        raise Refused(401, "say who you are: Authorization: Visitor TOKEN, or Bearer KEY")

    def is_welcome(self, request: Request) -> bool:
        """Whether the page it comes from may carry the widget. Apps come from no page."""
        origin, allowed = request.header("origin"), self._settings.allowed_origins
        names_one = any(name.lower() == "origin" for name, _ in request.headers)
        return not names_one or origin in allowed or ANY in allowed or is_own(request, self._settings.public_address)

    def _check_signature(self, request: Request) -> None:
        if request.method == "PUT" or not self._signing:  # what stands in a file's address would not be signed
            raise Refused(401, "signed requests are not taken here; use the key as bearer")
        try:
            verify_standard(
                self._signing,
                webhook_id=request.header("webhook-id"),
                timestamp=request.header("webhook-timestamp"),
                signature=request.header("webhook-signature"),
                body=request.body,
                now=request.received_at,
            )
        except BadSignature:
            raise Refused(401, "the signature does not fit") from None

    def _visitor(self, request: Request, token: str) -> Caller:
        if not self._settings.visitors:
            raise Refused(403, "only programs with a key may write here")
        if not self.is_welcome(request):
            raise Refused(403, "pages of this site may not write here; add it to allowed_origins")
        if not _TOKEN.fullmatch(token):
            raise Refused(401, "a visitor's token is 22 to 100 letters, digits, - and _, made at random")
        user = unquote(request.header("x-user"))[:_MAX_USER_CHARS]
        is_proven = self._is_proven(user, request.header("x-user-signature"))
        return Caller(
            visitor=sha256_hex(f"allears webchat visitor {token}")[:32],
            user=user if is_proven else "",
            is_disbelieved=bool(user) and not is_proven,
        )

    def _is_proven(self, user: str, signature: str) -> bool:
        return bool(user and self._identity) and same(hmac_hex(self._identity, user), signature.lower())


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""
