"""Credentials as HTTP carries them."""

from __future__ import annotations

import base64


def basic_auth(user: str, password: str) -> str:
    """The value of `Authorization` (RFC 7617), in UTF-8."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"
