"""JSON Web Tokens that we sign ourselves (RFC 7515, RFC 7518 §3.4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from allears_sdk.codec import encode
from allears_sdk.errors import ConfigError

_P256_BYTES = 32


def sign_es256(private_key: str, header: Mapping[str, str], claims: Mapping[str, str | int]) -> str:
    """`private_key`: PEM, PKCS #8, curve P-256. Raises ConfigError for any other, never with a piece of it."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigError("the private key is not one of an elliptic curve (P-256) in PEM")
    signed = b".".join((_part(encode({"alg": "ES256", "typ": "JWT", **header})), _part(encode(claims))))
    numbers = decode_dss_signature(key.sign(signed, ECDSA(SHA256())))
    return b".".join((signed, _part(b"".join(one.to_bytes(_P256_BYTES, "big") for one in numbers)))).decode()


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
