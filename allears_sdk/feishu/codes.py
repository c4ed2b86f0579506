"""What Feishu's codes ask for (pages "Common error codes" and those of each call). They come with HTTP 200 and 400."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater
from allears_sdk.remote import Response, check_status
from allears_sdk.remote.answers import lost

STALE = frozenset({99991661, 99991663, 99991664, 99991668, 99991671})
"""The access token is missing, expired or of another kind: get another."""
BUSY_SECONDS = 5.0
_BUSY = frozenset({99991400})
_LACKING = frozenset({99991672, 99991679})


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """What one part of the platform says beside what all parts say."""

    busy: frozenset[int] = frozenset()
    """Nothing was done: come again."""
    unsure: frozenset[int] = frozenset()
    """It broke in the middle, or is under way."""
    config: Mapping[int, str] = field(default_factory=dict)
    """What the admin is to do, by code."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why it is refused for good, by code."""


class Told(Rejected):
    """Feishu refuses this one call, and says by a number why."""

    def __init__(self, code: int, text: str, detail: str) -> None:
        super().__init__(text, detail=detail)
        self.code = code


class StaleToken(AuthError):
    """Feishu takes the access token no more."""


def check(response: Response, now: datetime, codes: Codes) -> dict[str, Any]:
    """The answer's JSON object, {} for other content. Raises what its code, else its status, asks for."""
    body = _json(response)
    code = body.get("code", 0)
    if isinstance(code, int) and code != 0:
        raise error_of(code, str(body.get("msg", ""))[:300], response, codes)
    check_status(response, now)
    return body


def error_of(code: int, text: str, response: Response, codes: Codes) -> AllearsError:
    what = f"{response.call.place}: {code}"
    if code in STALE:
        return StaleToken(f"Feishu refuses the access token ({what})", detail=text)
    if code in _BUSY | codes.busy or response.status == 429:
        return RetryLater(what, after_seconds=_seconds(response), detail=text)
    if code in _LACKING:
        advice = "the app lacks a permission: grant it in the console, and publish a version"
        return ConfigError(f"{advice} ({what})", detail=text)
    if code in codes.config:
        return ConfigError(f"{codes.config[code]} ({what})", detail=text)
    if code in codes.unsure or response.status >= 500:
        error = lost(what, response.call)
        error.detail = text
        return error
    return Told(code, f"{codes.reasons.get(code, 'Feishu refuses it')} ({code})", text)


def _seconds(response: Response) -> float:
    said = response.header("x-ogw-ratelimit-reset") or response.header("retry-after")
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 6 else BUSY_SECONDS


def _json(response: Response) -> dict[str, Any]:
    if "json" not in response.header("content-type"):
        return {}
    try:
        body = response.json()
    except AllearsError:
        return {}
    return body if isinstance(body, dict) else {}
