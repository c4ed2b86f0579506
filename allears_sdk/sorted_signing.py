"""Signatures over sorted parameters, as Taobao, Pinduoduo, JD and their kin want them.

What is signed is what is sent: make one dict of strings, sign it, send that very dict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from allears_sdk.signing import hmac_hex


def joined(parameters: Mapping[str, str]) -> str:
    """Names in the order of ASCII, each with its value behind it; what is empty does not count."""
    return "".join(name + value for name, value in sorted(parameters.items()) if value)


def sign_md5(secret: str, parameters: Mapping[str, str]) -> str:
    """Upper-case hex of MD5 over the parameters between two secrets."""
    return hashlib.md5(f"{secret}{joined(parameters)}{secret}".encode(), usedforsecurity=False).hexdigest().upper()


def sign_hmac(secret: str, parameters: Mapping[str, str], algorithm: str = "md5") -> str:
    """Upper-case hex of an HMAC over the parameters, with nothing around them."""
    return hmac_hex(secret, joined(parameters), algorithm).upper()
