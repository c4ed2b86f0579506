"""What Feishu's codes ask for (pages "Common error codes" and those of each call). They come with HTTP 200 and 400."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response, check_status

STALE = frozenset({99991661, 99991663, 99991664, 99991668, 99991671})
"""The access token is missing, expired or of another kind: get another."""
BUSY = frozenset({99991400, 230020, 230049, 1000040350})
LEFT = frozenset({230002, 232009})
"""The bot is not in this chat any more, or it was dissolved."""
TOO_LATE = frozenset({230002, 230011, 230013, 230019, 230050, 230110, 230111, 232009})
"""There is nothing, or nobody, left to answer."""

_BUSY_SECONDS = 5.0
_CONFIG: Mapping[int, str] = {
    230006: "switch the bot on for the app, and publish a version",
    99991672: "the app lacks a permission: grant it in the console, and publish a version",
    99991679: "the app lacks a permission: grant it in the console, and publish a version",
}
_REASONS: Mapping[int, str] = {
    230110: "the message was deleted",
    234003: "the file is not in this message",
    234004: "the bot has left the chat",
    234009: "files of groups with outsiders are not handed out",
    234037: "larger than the 100 MB that Feishu hands out",
    234038: "a restricted message: its files are not handed out",
    234040: "the message is hidden from the bot",
    234041: "the organisation has deleted its key",
    234043: "files in cards and merged messages are not handed out",
    41050: "the app may not see this person",
}


class Told(Rejected):
    """Feishu refuses this one call, and says by a number why."""

    def __init__(self, code: int, text: str, detail: str) -> None:
        super().__init__(text, detail=detail)
        self.code = code


class StaleToken(AuthError):
    """Feishu takes the access token no more."""


def check(response: Response, now: datetime) -> dict[str, Any]:
    """The answer's JSON object, {} for other content. Raises what its code, else its status, asks for."""
    body = _json(response)
    code = body.get("code", 0)
    if isinstance(code, int) and code != 0:
        raise error_of(code, str(body.get("msg", ""))[:300], response)
    check_status(response, now)
    return body


def error_of(code: int, text: str, response: Response) -> AllearsError:
    what = f"{response.call.place}: {code}"
    if code in STALE:
        return StaleToken(f"Feishu refuses the access token ({what})", detail=text)
    if code in BUSY or response.status == 429:
        seconds = response.header("x-ogw-ratelimit-reset")
        after = float(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) < 6 else _BUSY_SECONDS
        return RetryLater(what, after_seconds=after, detail=text)
    if code in _CONFIG:
        return ConfigError(f"{_CONFIG[code]} ({what})", detail=text)
    if response.status >= 500:
        return Unavailable(what, detail=text)
    return Told(code, f"{_REASONS.get(code, 'Feishu refuses it')} ({code})", text)


def _json(response: Response) -> dict[str, Any]:
    if "json" not in response.header("content-type"):
        return {}
    try:
        body = response.json()
    except AllearsError:
        return {}
    return body if isinstance(body, dict) else {}
