"""The envelope of encrypted callbacks, the same for 公众号, 小程序 and 企业微信 ("消息加解密说明", 企业微信 91144).

Plain text = 16 random bytes, length (4 bytes, big-endian), message, receiver; padded to 32, AES-256-CBC, base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from allears_sdk.signing import same

KEY_CHARACTERS = 43
_BLOCK_BYTES = 32
_RANDOM_BYTES = 16
_FRAME_BYTES = _RANDOM_BYTES + 4


class Unreadable(ValueError):
    """An envelope that was not sealed for us."""


def signature(*parts: str) -> str:
    """SHA-1 over the parts in the order of their bytes, lower-case hex: what `signature` and `msg_signature` hold."""
    ordered = sorted(part.encode("utf-8", "surrogatepass") for part in parts)
    return hashlib.sha1(b"".join(ordered), usedforsecurity=False).hexdigest()


class Envelope:
    """Opens and seals with one EncodingAESKey. `receiver` is the AppID, or the CorpID in 企业微信.

    Raises ValueError for a key that is none, without showing it.
    """

    def __init__(self, encoding_aes_key: str, receiver: str) -> None:
        self._key = key_of(encoding_aes_key)
        self._receiver = receiver.encode()

    def open(self, sealed: str) -> bytes:
        """The message. Raises Unreadable."""
        try:
            data = base64.b64decode(sealed.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable("not base64") from None
        if not data or len(data) % _RANDOM_BYTES:
            raise Unreadable("not whole blocks")
        plain = _unpad(self._decrypt(data))
        end = _FRAME_BYTES + int.from_bytes(plain[_RANDOM_BYTES:_FRAME_BYTES], "big")
        if len(plain) < _FRAME_BYTES or end > len(plain):
            raise Unreadable("cut short")
        if not same(plain[end:], self._receiver):
            raise Unreadable("sealed for another receiver")
        return plain[_FRAME_BYTES:end]

    def seal(self, message: bytes, random: bytes) -> str:
        """`random` is 16 bytes that nobody can guess."""
        plain = random + len(message).to_bytes(4, "big") + message + self._receiver
        count = _BLOCK_BYTES - len(plain) % _BLOCK_BYTES
        return base64.b64encode(self._encrypt(plain + bytes([count]) * count)).decode()

    def _decrypt(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        decryptor = Cipher(algorithms.AES256(self._key), modes.CBC(self._key[:16])).decryptor()
        return decryptor.update(data) + decryptor.finalize()

    def _encrypt(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        encryptor = Cipher(algorithms.AES256(self._key), modes.CBC(self._key[:16])).encryptor()
        return encryptor.update(data) + encryptor.finalize()


def key_of(encoding_aes_key: str) -> bytes:
    """The 32 bytes of an EncodingAESKey. Raises ValueError, without showing it."""
    if len(encoding_aes_key) != KEY_CHARACTERS or not encoding_aes_key.isascii() or not encoding_aes_key.isalnum():
        raise ValueError(f"an EncodingAESKey has {KEY_CHARACTERS} letters and digits")
    return base64.b64decode(encoding_aes_key + "=")


def _unpad(plain: bytes) -> bytes:
    count = plain[-1]
    if not 1 <= count <= _BLOCK_BYTES or plain[-count:] != bytes([count]) * count:
        raise Unreadable("wrong padding")
    return plain[:-count]
