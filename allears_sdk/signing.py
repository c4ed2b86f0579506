"""Signatures of webhooks: Standard Webhooks both ways, plain HMACs, and the replay window."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
"""How far a signed timestamp may lie from now, either way."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of secrets, not one
_SECRET_BYTES = range(24, 65)


class BadSignature(ValueError):
    """The signature does not fit."""


class OutsideWindow(ValueError):
    """The signature is good but its time is not: a replay, or one of two clocks is wrong."""


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compares in constant time; text of any script counts as its UTF-8 bytes."""
    return hmac.compare_digest(_bytes(left), _bytes(right))


def hmac_hex(key: str | bytes, data: str | bytes, algorithm: str = "sha256") -> str:
    """Lower-case hex, as GitHub, Meta and Shopee send it."""
    return hmac.new(_bytes(key), _bytes(data), algorithm).hexdigest()


def hmac_base64(key: str | bytes, data: str | bytes, algorithm: str = "sha256") -> str:
    """Standard base64 with padding, as LINE and Shopify send it."""
    return base64.b64encode(hmac.new(_bytes(key), _bytes(data), algorithm).digest()).decode()


def check_window(timestamp: datetime, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Call it after the signature was verified. Raises OutsideWindow."""
    if abs(now - timestamp) > tolerance:
        raise OutsideWindow(f"signed {abs(now - timestamp).total_seconds():.0f} s away from now")


def standard_key(secret: str) -> bytes:
    """The key inside `whsec_…` (prefix optional), 24 to 64 bytes. Raises ValueError without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a webhook secret is whsec_ and base64") from None
    if len(key) not in _SECRET_BYTES:
        raise ValueError(f"a webhook secret holds 24 to 64 bytes, not {len(key)}")
    return key


def sign_standard(secrets: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` per secret, two while a secret is being rotated.

    Standard Webhooks, `spec/standard-webhooks.md`. `timestamp` is Unix seconds of this attempt. Raises ValueError.
    """
    signed = _signed(webhook_id, str(timestamp), body)
    return " ".join(f"v1,{hmac_base64(standard_key(secret), signed)}" for secret in secrets)


def verify_standard(
    secrets: Sequence[str],
    *,
    webhook_id: str,
    timestamp: str,
    signature: str,
    body: bytes,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> None:
    """Checks the three `webhook-*` headers against the raw body. Raises BadSignature or OutsideWindow."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 11):
        raise BadSignature("webhook-timestamp is not Unix seconds")
    try:
        signed = _signed(webhook_id, timestamp, body)
    except ValueError as error:
        raise BadSignature(str(error)) from None
    expected = [f"v1,{hmac_base64(standard_key(secret), signed)}" for secret in secrets]
    given = signature.split(" ")
    fits = [same(one, other) for one in expected for other in given]  # every pair: no early end to time
    if not any(fits):
        raise BadSignature
    check_window(datetime.fromtimestamp(int(timestamp), now.tzinfo), now, tolerance)


def _signed(webhook_id: str, timestamp: str, body: bytes) -> bytes:
    if not webhook_id or not webhook_id.isascii() or not webhook_id.isprintable() or set(webhook_id) & set(". "):
        raise ValueError("a webhook-id is printable ASCII without dots and spaces")
    return f"{webhook_id}.{timestamp}.".encode() + body


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def sha256_hex(data: str | bytes) -> str:
    """For digests of bodies."""
    return hashlib.sha256(_bytes(data)).hexdigest()
