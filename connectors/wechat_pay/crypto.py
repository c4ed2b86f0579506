"""APIv3 cryptography: RSA-SHA256 signatures, AES-256-GCM resources, RSA-OAEP fields. Pure.

WeChat Pay, "签名生成", "签名验证", "证书和回调报文解密", "敏感信息加密说明".
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.x509 import Certificate

SCHEME = "WECHATPAY2-SHA256-RSA2048"


@lru_cache(maxsize=16)
def load_private_key(pem: str) -> RSAPrivateKey:
    """Raises ValueError without showing the key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("this is no RSA private key in PEM form; it is the file apiclient_key.pem")  # noqa: TRY004 - a wrong file
    return key


@lru_cache(maxsize=16)
def load_public_key(pem: str) -> RSAPublicKey:
    """Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("this is no RSA public key in PEM form; it is the file pub_key.pem")  # noqa: TRY004 - a wrong file
    return key


def load_certificate(pem: str) -> Certificate:
    """Raises ValueError."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem.encode())


def serial_of(certificate: Certificate) -> str:
    """As WeChat Pay names it in `Wechatpay-Serial`: upper-case hex."""
    return f"{certificate.serial_number:X}"


def public_key_of(certificate: Certificate) -> RSAPublicKey:
    """Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate holds no RSA key")  # noqa: TRY004 - a wrong file
    return key


def sign(key: RSAPrivateKey, *parts: str | bytes) -> str:
    """Base64 over the parts, each followed by a line break."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(key.sign(_lines(parts), PKCS1v15(), SHA256())).decode()


def verify(key: RSAPublicKey, signature: str, *parts: str | bytes) -> bool:
    """Whether `signature` (base64) is the key's over the parts, each followed by a line break."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(base64.b64decode(signature, validate=True), _lines(parts), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):  # WECHATPAY/SIGNTEST/… is a probe that must fail, and no base64
        return False
    return True


def open_resource(api_v3_key: str, *, nonce: str, associated_data: str, ciphertext: str) -> bytes:
    """What a notification or a downloaded certificate hides. Raises ValueError: another key, or tampered with."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        return AESGCM(api_v3_key.encode()).decrypt(nonce.encode(), sealed, associated_data.encode())
    except (InvalidTag, binascii.Error, ValueError):
        raise ValueError("it cannot be decrypted with this APIv3 key") from None


def open_field(key: RSAPrivateKey, ciphertext: str) -> str:
    """A field that is sealed for the merchant (a phone number). Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1

    sealing = OAEP(mgf=MGF1(algorithm=SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - WeChat Pay's choice
    return key.decrypt(base64.b64decode(ciphertext, validate=True), sealing).decode()


def _lines(parts: tuple[str | bytes, ...]) -> bytes:
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\n" for part in parts)
