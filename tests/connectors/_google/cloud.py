"""What Google's services have in common, behind respx: tokens of a service account, checked by PyJWT, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allears_sdk.codec import encode

ROBOT = "allears@allears-reviews.iam.gserviceaccount.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def robot() -> dict[str, str]:
    """[channels.x.oauth] with the key as Google hands it out."""
    pem = _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    known = {"type": "service_account", "client_email": ROBOT, "private_key": pem, "private_key_id": "5f0c"}
    return {"provider": "google", "grant": "service_account", "service_account": encode(known).decode()}


def fault(
    status: int, reason: str = "", *, details: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """`reason` in the old style; `details` is an ErrorInfo of the new one."""
    error: dict[str, Any] = {"code": status, "message": "The request is refused.", "status": "PERMISSION_DENIED"}
    if reason:
        error["errors"] = [{"domain": "global", "reason": reason, "message": "The request is refused."}]
    if details:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **details}]
    return httpx.Response(status, json={"error": error}, headers=dict(headers or {}))


class Cloud:
    """`serve` answers who has a good token; `faults` are answered before, one to a request."""

    def __init__(self, scope: str, serve: Callable[[httpx.Request], httpx.Response]) -> None:
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens: list[str] = []
        """Given out; the last one is good."""
        self._scope = scope
        self._serve = serve

    def answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            return self._token(request)
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        if not self.tokens or request.headers.get("authorization") != f"Bearer {self.tokens[-1]}":
            return fault(401, "authError")
        return self._serve(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "aud"]}
        said = jwt.decode(form["assertion"], _key().public_key(), ["RS256"], options, audience=TOKEN_URL)
        assert (said["iss"], said["scope"], said["exp"] - said["iat"]) == (ROBOT, self._scope, 3600)
        assert "sub" not in said
        self.tokens.append(f"ya29.c-{len(self.tokens) + 1:06}")
        return json_of({"access_token": self.tokens[-1], "expires_in": 3599, "token_type": "Bearer"})


def json_of(body: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(body), headers={"Content-Type": "application/json"})
