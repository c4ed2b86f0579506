"""A Google service account that acts for a mailbox."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import respx
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.oauth import OAuth, OAuthSettings
from allears_sdk.testing import FakeClock
from tests.sdk.oauth.desk import GOOGLE, sent


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(key: rsa.RSAPrivateKey, **more: Any) -> OAuthSettings:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {
        "type": "service_account",
        "client_email": "intake@kefu-123456.iam.gserviceaccount.com",
        "private_key_id": "5e8a1c",
        "private_key": pem,
        "token_uri": GOOGLE,
    }
    given = {"provider": "google", "grant": "service_account", "service_account": json.dumps(account)}
    return OAuthSettings.model_validate(given | more)


async def test_a_service_account_signs_for_the_mailbox(
    context: Context, router: respx.MockRouter, key: rsa.RSAPrivateKey, clock: FakeClock
) -> None:
    route = router.post(GOOGLE).respond(json={"access_token": "ya29.c", "expires_in": 3599, "token_type": "Bearer"})
    account = OAuth(context, service_account(key), ["https://mail.google.com/"], account="kefu@example.com")
    assert await account.access_token() == "ya29.c"
    form = sent(route)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, body, signature = form["assertion"].split(".")
    key.public_key().verify(_decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256())
    assert json.loads(_decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "5e8a1c"}
    issued = int(clock.now().timestamp())
    assert json.loads(_decoded(body)) == {
        "iss": "intake@kefu-123456.iam.gserviceaccount.com",
        "scope": "https://mail.google.com/",
        "aud": GOOGLE,
        "sub": "kefu@example.com",
        "iat": issued,
        "exp": issued + 3600,
    }


async def test_a_service_account_without_delegation(
    context: Context, router: respx.MockRouter, key: rsa.RSAPrivateKey
) -> None:
    text = "Client is unauthorized to retrieve access tokens using this method, or not for the scopes requested."
    router.post(GOOGLE).respond(401, json={"error": "unauthorized_client", "error_description": text})
    account = OAuth(context, service_account(key), ["https://mail.google.com/"], account="kefu@example.com")
    with pytest.raises(AuthError, match="delegated these scopes") as caught:
        await account.access_token()
    assert caught.value.detail == text


@pytest.mark.parametrize("text", ["{", "[]", '{"client_email": "a", "private_key": "-----BEGIN"}', '"x"'])
async def test_a_key_that_is_none(context: Context, text: str) -> None:
    settings = OAuthSettings.model_validate({"provider": "google", "grant": "service_account", "service_account": text})
    with pytest.raises(ConfigError, match="service_account"):
        await OAuth(context, settings, ["s"], account="kefu@example.com").access_token()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
