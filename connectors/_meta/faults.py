"""The reaction that an error of the Graph API asks for ("Error handling", and WhatsApp's "Error codes")."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.quota import usages_of
from allears_sdk.remote import Response

LATER = frozenset({4, 17, 32, 341, 613, *range(80_000, 80_015), 130_429, 131_048, 131_056, 133_016})
"""Limits: of the app, the user, the Page, the number, the pair of numbers."""
DOWN = frozenset({1, 2, 131_000, 131_016, 131_052})
TOKEN = frozenset({0, 102, 190, 463, 467})
RIGHTS = frozenset({3, 10, 12, *range(200, 300), 131_005, 131_031, 131_042, 130_497})
TOO_LATE = frozenset({131_047})
BLOCKED = 368
BLOCKED_SECONDS = 6 * 3600.0
NO_SUCH = frozenset({100, 803})
_WHY = {458: "the app was removed", 460: "the password was changed", 463: "it has expired", 467: "it is invalid"}
_WINDOW = 2018278
"""Subcode at Messenger and Instagram: outside the window in which a message may be sent."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
    code: int = -1
    error_subcode: int = 0
    fbtrace_id: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    error: Told | None = None


class Gone(Rejected):
    """There is no such thing at Meta, or not for this token."""


def told(response: Response) -> Told | None:
    """The error in an answer, if it holds one."""
    try:
        return decode(response.content, Answer).error
    except (ValueError, RecursionError):
        return None


def error_of(error: Told, response: Response, what: str) -> AllearsError:
    code, said = error.code, error.message[:300]
    text = f"{what}: Meta says {code}"
    if code in TOKEN:
        why = _WHY.get(error.error_subcode, "it is refused")
        return AuthError(f"{what}: access_token: {why}; make another in the console", detail=said)
    if code in LATER or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return RetryLater(f"{text}, its limit is reached", after_seconds=regained_in(response.headers), detail=said)
    if code == BLOCKED:
        return RetryLater(f"{text}, blocked for its policies: look into the console", after_seconds=BLOCKED_SECONDS)
    if code in TOO_LATE or error.error_subcode == _WINDOW:
        return Void(f"{text}, the time in which a customer may be answered is over")
    if code in RIGHTS:
        return ConfigError(f"{text}, the token lacks a right, or the account may not do this: {said}", detail=said)
    if code in DOWN or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        lost = Unavailable if response.call.repeatable else InDoubt
        return lost(text, detail=said)
    return (Gone if code in NO_SUCH else Rejected)(f"{text}: {said}", detail=said)


def regained_in(headers: Mapping[str, str]) -> float | None:
    """Seconds until a limit is lifted, where Meta says so (it does in minutes)."""
    minutes = (_figure(one, "estimated_time_to_regain_access") for one in usages_of(headers))
    return max(minutes, default=0.0) * 60 or None


def _figure(usage: Mapping[str, Any], name: str) -> float:
    value = usage.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
