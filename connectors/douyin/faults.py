"""The reaction that a code of Douyin asks for: it comes with 200, in `data`, in `extra`, or as `err_no`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import Response

STALE = frozenset({10008, 2190008})
"""The access token has ended: another is got."""
OVER = frozenset({10010})
KEY = frozenset({10003, 10013})
RIGHTS = frozenset({10004, 2190004})
LIMITS = frozenset({10020, 28003070})
LIMIT_SECONDS = 300.0
DOWN = frozenset({10001, 2100001, 2100004})


def code_of(answer: Mapping[str, Any]) -> int:
    """0: well."""
    told = [answer.get("err_no"), *(_inner(answer, name).get("error_code") for name in ("data", "extra"))]
    return next((code for code in (whole(one, 0) for one in told) if code), 0)


def error_of(code: int, answer: Mapping[str, Any], response: Response) -> AllearsError:
    said = _said(answer)
    what = f"{response.call.place}: Douyin says {code} {said}".rstrip()
    if code in STALE or code in OVER:
        return AuthError(f"{what}: the login has ended; log in again: allears channels login NAME", detail=said)
    if code in KEY:
        return AuthError(f"{what}: compare client_key and client_secret with the console", detail=said)
    if code in RIGHTS:
        return ConfigError(f"{what}: the app lacks this right, or the account has not granted it", detail=said)
    if code in LIMITS:
        return RetryLater(f"{what}: its limit is reached", after_seconds=LIMIT_SECONDS, detail=said)
    return (Unavailable if code in DOWN else Rejected)(what, detail=said)


def _said(answer: Mapping[str, Any]) -> str:
    words = [_inner(answer, name).get("description") for name in ("data", "extra")] + [answer.get("err_msg")]
    return next((str(one)[:200] for one in words if one), "")


def _inner(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}
