"""A NATS user's credentials file: a JWT, and the seed of the key that signs the server's nonce.

Source: nats-io/nkeys, README ("seed": base32 of two prefix bytes, 32 bytes and a CRC-16).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from allears_sdk.errors import ConfigError

SEED_BYTES = slice(2, 34)
SIZE = 36
_PART = r"-----BEGIN {name}-----\s+(\S+)\s+-+END {name}-----"
_JWT = re.compile(_PART.format(name="NATS USER JWT"))
_SEED = re.compile(_PART.format(name="USER NKEY SEED"))


@dataclass(frozen=True, slots=True)
class Credentials:
    """As the client's callbacks want them."""

    token: bytes = field(repr=False)
    key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def read(cls, file: Path) -> Credentials:
        """Raises ConfigError for a file that holds none."""
        try:
            text = file.read_text("ascii")
        except (OSError, ValueError) as error:
            raise ConfigError(f"credentials_file {file}: {getattr(error, 'strerror', '') or 'not a text'}") from None
        jwt, seed = _JWT.search(text), _SEED.search(text)
        if not (jwt and seed):
            raise ConfigError(f"credentials_file {file}: holds no user JWT and seed")
        return cls(jwt[1].encode(), _key(seed[1], file))

    def jwt(self) -> bytes:
        return self.token

    def sign(self, nonce: str) -> bytes:
        """Of the server's challenge, in base64."""
        return base64.b64encode(self.key.sign(nonce.encode()))


def _key(seed: str, file: Path) -> Ed25519PrivateKey:
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
        if len(raw) != SIZE or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
            raise ValueError("not a seed")
    except ValueError:
        raise ConfigError(f"credentials_file {file}: its seed is damaged") from None
    return Ed25519PrivateKey.from_private_bytes(raw[SEED_BYTES])
