"""A signed request to act for somebody, without them: a JWT by RFC 7523.

Google: "Using OAuth 2.0 for Server to Server Applications"; Salesforce: "OAuth 2.0 JWT Bearer Flow".
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime

from allears_sdk.codec import encode
from allears_sdk.errors import ConfigError

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """Who signs. What of Google's JSON key is used; elsewhere `client_email` is the application's id."""

    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str = ""


def load_key(text: str) -> ServiceAccount:
    """Raises ConfigError, never with a piece of the key."""
    try:
        key = json.loads(text)
        return ServiceAccount(
            client_email=str(key["client_email"]),
            private_key=str(key["private_key"]),
            private_key_id=str(key.get("private_key_id", "")),
        )
    except (ValueError, KeyError, TypeError):
        raise ConfigError("service_account is not a service account's JSON key") from None


def sign(
    account: ServiceAccount,
    *,
    audience: str,
    scope: str,
    subject: str,
    now: datetime,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> str:
    """The assertion; takes tens of milliseconds. Raises ConfigError for a key that is none."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the private_key (in service_account, where that is given) is not an RSA key")
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": account.private_key_id} if account.private_key_id else {})
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {"iss": account.client_email, "scope": scope, "aud": audience, "sub": subject}
    claims |= {"iat": issued, "exp": issued + lifetime_seconds}
    signed = b".".join((_part(encode(header)), _part(encode(_said(claims)))))
    return b".".join((signed, _part(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _said(claims: dict[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in claims.items() if value != ""}


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
