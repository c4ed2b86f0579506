"""What Feishu posts: signature, encryption, handshake (pages "Event overview", "Configure Encrypt Key")."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime

import msgspec

from allears_sdk.signing import same, sha256_hex

_BLOCK = 16


class Refused(ValueError):
    """This is not from Feishu, or not for us; the text never changes with what was sent."""


class Header(msgspec.Struct, omit_defaults=True):
    """Of an event of version 2.0."""

    event_id: str = ""
    event_type: str = ""
    create_time: str | int = ""
    app_id: str = ""
    tenant_key: str = ""
    token: str = ""


class Envelope(msgspec.Struct, omit_defaults=True):
    """An event of version 2.0, 1.0 (`uuid`), or the check of our address (`challenge`)."""

    schema: str = ""
    header: Header | None = None
    event: msgspec.Raw = msgspec.Raw()
    uuid: str = ""
    token: str = ""
    type: str = ""
    challenge: str = ""

    @property
    def claimed_token(self) -> str:
        return self.header.token if self.header else self.token

    @property
    def is_handshake(self) -> bool:
        return self.type == "url_verification"


class _Sealed(msgspec.Struct):
    encrypt: str = ""


def open_envelope(plain: bytes) -> Envelope:
    """Raises Refused."""
    try:
        return msgspec.json.decode(plain, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("not an event of Feishu") from None


def sealed_in(body: bytes) -> str:
    """The `encrypt` field, "" where there is none. Raises Refused for what is not an object."""
    try:
        return msgspec.json.decode(body, type=_Sealed).encrypt
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("not an event of Feishu") from None


def check_signature(key: str, *, timestamp: str, nonce: str, signature: str, body: bytes) -> datetime:
    """When it was signed. Raises Refused. The signature is SHA-256 of timestamp, nonce, key and the raw body."""
    given = signature.encode("utf-8", "surrogatepass")
    signed = f"{timestamp}{nonce}{key}".encode("utf-8", "surrogatepass") + body
    if not same(sha256_hex(signed), given):
        raise Refused("bad signature")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 13):
        raise Refused("the signature's time is none")
    seconds = int(timestamp)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 10**11 else seconds, UTC)


def decrypt(key: str, sealed: str) -> bytes:
    """AES-256-CBC under SHA-256 of the key; the first block is the IV. Raises Refused, always in the same words."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("cannot be decrypted") from None
    if len(data) < 2 * _BLOCK or len(data) % _BLOCK:
        raise Refused("cannot be decrypted")
    cipher = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(data[:_BLOCK]))
    decryptor = cipher.decryptor()
    plain = decryptor.update(data[_BLOCK:]) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes([padding]) * padding:
        raise Refused("cannot be decrypted")
    return plain[:-padding]
