"""The Events API: is this from Slack? "Verifying requests from Slack". Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from allears_sdk.codec import encode
from allears_sdk.connector import Answer, Request
from allears_sdk.signing import check_window, hmac_hex, same

VERSION = "v0"
REFUSED = Answer(status=401)
MAX_CHALLENGE = 4096


def refusal(request: Request, secret: str) -> str:
    """Why the request is not to be believed, or "". Raises OutsideWindow for one that was signed at another time: the
    core hears of those, since a clock may be wrong."""
    stamp, given = request.header("x-slack-request-timestamp"), request.header("x-slack-signature")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 11):
        return "no x-slack-request-timestamp"
    if not given:
        return "no x-slack-signature"
    expected = f"{VERSION}={hmac_hex(secret, b':'.join((VERSION.encode(), stamp.encode(), request.body)))}"
    if not same(expected, given):
        return "the signature does not fit: is signing_secret this app's?"
    check_window(datetime.fromtimestamp(int(stamp), UTC), request.received_at)
    return ""


def challenge(value: object) -> Answer:
    """What Slack wants to read before it sends events to an address."""
    text = value if isinstance(value, str) and len(value) <= MAX_CHALLENGE else ""
    return Answer(body=encode({"challenge": text}), media_type="application/json")
