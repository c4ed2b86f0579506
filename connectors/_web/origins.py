"""Whose pages may talk to a channel: origins named in the settings (CORS), and the channel's own."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, urlsplit

from allears_sdk.connector import Request

ANY = "*"
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")


def cors(
    request: Request, allowed: Collection[str], *, methods: str, headers: str, seconds: int = 600
) -> dict[str, str]:
    """The headers by which the browser lets that page go on; none where the origin is not allowed."""
    origin = request.header("origin")
    if not origin or not (origin in allowed or ANY in allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": headers,
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }


def is_own(request: Request, public_address: str = "") -> bool:
    """Whether the page that asks was served from where we are: no page of another site can send such headers."""
    if request.header("sec-fetch-site") == "same-origin":
        return True
    host = urlsplit(request.header("origin")).netloc.lower()
    here = {request.header("host"), request.header("x-forwarded-host"), urlsplit(public_address).netloc}
    return bool(host) and host in {name.lower() for name in here}


def address_of(request: Request, name: str, public_address: str = "") -> str:
    """Where customers reach the channel. A made-up Host header misleads only whoever sent it."""
    if public_address:
        return public_address.rstrip("/")
    host = request.header("x-forwarded-host") or request.header("host")
    scheme = "https" if request.header("x-forwarded-proto") == "https" else "http"
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}/in/{quote(name)}"
