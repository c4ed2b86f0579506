"""The reaction that an error of Weibo asks for ("Error code"): it comes with 400 or 403, sometimes with 200."""

from __future__ import annotations

from datetime import datetime

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.numbers import whole
from allears_sdk.remote import Response, check_status
from allears_sdk.remote.answers import retry_after

DOWN = frozenset({10001, 10002, 10003, 10009, 10010})
LIMITS = frozenset({10022, 10023, 10024})
"""Calls an hour: of the address, of the user, of the user with this call."""
LIMIT_SECONDS = 600.0
TOKEN = frozenset({21315, 21316, 21317, 21319, 21327, 21332})
RIGHTS = frozenset({10004, 10005, 10006, 10014, 21321})
GONE = frozenset({20101, 20201})
TOO_LATE = frozenset({26403})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""
    error_code: int | str = 0


def check(response: Response, now: datetime, *, secret: str, advice: str) -> None:
    """Raises the SDK's errors, Rejected for what Weibo does not have. `advice`: how to get another token."""
    told = _told(response)
    code = whole(told.error_code, 0)
    if code:
        said = told.error[:200].replace(secret, "…")
        if code in TOKEN:
            raise AuthError(f"{response.call.place}: Weibo says {code} {said}: {advice}", detail=said)
        raise _error_of(code, said, response, now)
    check_status(response, now)


def _told(response: Response) -> Told:
    try:
        return decode(response.content, Told)
    except (ValueError, RecursionError):
        return Told()


def _error_of(code: int, said: str, response: Response, now: datetime) -> AllearsError:
    what = f"{response.call.place}: Weibo says {code} {said}".rstrip()
    if code in LIMITS or response.status == 429:
        after = retry_after(response.headers, now)
        return RetryLater(
            f"{what}: its hourly limit is reached", after_seconds=LIMIT_SECONDS if after is None else after
        )
    if code in RIGHTS:
        return ConfigError(f"{what}: the app may not do this; take it out of `lists`, or ask Weibo for the right")
    if code in TOO_LATE:
        return Void(f"{what}: answered already, or too late")
    if code in DOWN or response.status >= 500:
        return (Unavailable if response.call.repeatable else InDoubt)(what, detail=said)
    if code in GONE or not response.call.repeatable:
        return Rejected(what, detail=said)
    return Unavailable(what, detail=said)
