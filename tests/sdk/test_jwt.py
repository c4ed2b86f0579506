"""Tokens we sign are what PyJWT, written by others, takes for tokens."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurve, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allears_sdk.errors import ConfigError
from allears_sdk.jwt import sign_es256


def pem(curve: EllipticCurve) -> str:
    key = generate_private_key(curve)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_signed_with_a_key_of_p256() -> None:
    key = generate_private_key(SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for number in range(20):  # a short r or s keeps its leading zeros
        token = sign_es256(text, {"kid": "2X9R4HXF34"}, {"aud": "appstoreconnect-v1", "number": number})
        read = jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="appstoreconnect-v1")
        assert read["number"] == number
        assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "JWT", "kid": "2X9R4HXF34"}


@pytest.mark.parametrize("text", ["", "no key", pem(SECP384R1()), "-----BEGIN PRIVATE KEY-----\nsecret\n-----END"])
def test_any_other_key_is_refused_without_a_piece_of_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sign_es256(text, {}, {})
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
