"""The door of 粉丝服务平台 ("消息推送服务"): the App Secret signs the time and a nonce, not what is said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from allears_sdk.connector import Answer, Reception, Request
from allears_sdk.signing import check_window, same

MAX_ECHO = 256
_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}


def signature(secret: str, timestamp: str, nonce: str) -> str:
    joined = "".join(sorted((secret, timestamp, nonce)))
    return hashlib.sha1(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def pass_through(request: Request, secret: str, tolerance: timedelta, accept: Callable[[], Reception]) -> Reception:
    """`accept` is asked about a signed POST; a signed GET is the console's check of the address. Raises OutsideWindow
    for what was signed at another time."""
    if request.method not in ("GET", "POST"):
        return Reception.refuse(f"method {request.method[:10]}", 405, allow="GET, POST")
    timestamp, nonce = request.parameter("timestamp"), request.parameter("nonce")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 14 and nonce):
        return Reception.refuse("not signed")
    if not same(request.parameter("signature"), signature(secret, timestamp, nonce)):
        return Reception.refuse("wrong signature: is app_secret the secret of the app that is entered at 粉丝服务平台?")
    check_window(_moment(timestamp), request.received_at, tolerance)
    return accept() if request.method == "POST" else _echo(request)


def _moment(timestamp: str) -> datetime:
    """Milliseconds; seconds are understood too."""
    seconds = int(timestamp) / (1000 if len(timestamp) > 11 else 1)
    return datetime.fromtimestamp(seconds, UTC)


def _echo(request: Request) -> Reception:
    given = request.parameter("echostr")
    if not (given.isascii() and given.isprintable() and 0 < len(given) <= MAX_ECHO):
        return Reception.refuse("no echostr", 400)
    echo = Answer(body=given.encode(), headers=_NO_SNIFFING)
    return Reception(answer=lambda accepted: echo)
