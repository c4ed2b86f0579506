"""What the platform's `errcode` asks for: one table for each of the two worlds, since they number differently.

公众号 and 小程序: "全局返回码" of developers.weixin.qq.com.
企业微信 and 微信客服: "全局错误码" of developer.work.weixin.qq.com.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable, Void

MAX_DETAIL = 300
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,7}\b")
_MINUTE = 60.0
_HOUR = 3600.0


class Reaction(Enum):
    RENEW = "another access token, once"
    LATER = "RetryLater"
    BUSY = "Unavailable"
    AUTH = "AuthError"
    CONFIG = "ConfigError"
    REJECTED = "Rejected"
    VOID = "Void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    reaction: Reaction
    text: str = ""
    """What the admin is to do, or what people read where a file is missing."""
    after_seconds: float | None = None


Codes = Mapping[int, Meaning]

_BUSY = Meaning(reaction=Reaction.BUSY, text="the platform is busy")
_STALE = Meaning(reaction=Reaction.RENEW, text="the access token is refused again and again: check app id and secret")
_PER_MINUTE = Meaning(reaction=Reaction.LATER, text="too many calls in a minute", after_seconds=_MINUTE)
_PER_DAY = Meaning(reaction=Reaction.LATER, text="the day's calls are used up", after_seconds=_HOUR)
_GONE = Meaning(reaction=Reaction.REJECTED, text="the platform no longer has this file")
_SECRET = Meaning(reaction=Reaction.AUTH, text="the secret is wrong or was reset: take the new one from the console")
_TOO_LATE = Meaning(reaction=Reaction.VOID, text="the customer wrote too long ago, or follows no more")
_USED_UP = Meaning(reaction=Reaction.VOID, text="the messages allowed after the customer's last word are used up")
_UNLISTED = Meaning(
    reaction=Reaction.CONFIG, text="add this server's address{address} to the IP whitelist (IP白名单) in the console"
)
_NOT_GRANTED = Meaning(reaction=Reaction.CONFIG, text="this account has no permission for that interface (接口权限)")

OFFICIAL: Codes = {
    -1: _BUSY,
    40001: _STALE,
    40014: _STALE,
    42001: _STALE,
    41001: _STALE,
    40125: _SECRET,
    41004: Meaning(reaction=Reaction.CONFIG, text="the app secret is missing"),
    40243: Meaning(reaction=Reaction.AUTH, text="the app secret is frozen: unfreeze it in the console"),
    40013: Meaning(reaction=Reaction.CONFIG, text="there is no such app id"),
    40164: _UNLISTED,
    89503: Meaning(reaction=Reaction.CONFIG, text="an administrator has to confirm this server's address in WeChat"),
    50002: Meaning(reaction=Reaction.CONFIG, text="the account is restricted by the platform"),
    48001: _NOT_GRANTED,
    48004: Meaning(reaction=Reaction.CONFIG, text="the platform has banned that interface for this account"),
    45009: _PER_DAY,
    45011: _PER_MINUTE,
    40007: _GONE,
    40003: Meaning(reaction=Reaction.REJECTED, text="no such user of this account"),
    43004: Meaning(reaction=Reaction.VOID, text="the customer does not follow the account"),
    45015: _TOO_LATE,
    45047: _USED_UP,
    45002: Meaning(reaction=Reaction.REJECTED, text="the text is too long"),
    87014: Meaning(reaction=Reaction.REJECTED, text="the platform's content check refused the text"),
}
"""Of 40125, 40164, 40243, 41004, 45002, 87014 and 89503 the meaning is known from clients, not from trying."""

WORK: Codes = {
    -1: _BUSY,
    40014: _STALE,
    42001: _STALE,
    41001: _STALE,
    40001: _SECRET,
    40013: Meaning(reaction=Reaction.CONFIG, text="there is no such corp id"),
    40056: Meaning(reaction=Reaction.CONFIG, text="there is no such agent id"),
    40201: Meaning(reaction=Reaction.CONFIG, text="the account is banned by the platform"),
    60020: Meaning(
        reaction=Reaction.CONFIG, text="add this server's address{address} to the app's trusted IPs (企业可信IP)"
    ),
    48002: _NOT_GRANTED,
    60011: Meaning(
        reaction=Reaction.REJECTED, text="the app may not see this member: widen its visible range (可见范围)"
    ),
    60111: Meaning(reaction=Reaction.REJECTED, text="there is no such member"),
    45009: _PER_MINUTE,
    45033: Meaning(reaction=Reaction.LATER, text="too many calls at once", after_seconds=5.0),
    40007: _GONE,
    81013: Meaning(reaction=Reaction.VOID, text="the member has left, or cannot see the app"),
}


def error_of(code: int, message: str, codes: Codes, what: str) -> AllearsError:
    """The error that an `errcode` other than 0 asks for; an unknown one is refused for good."""
    meaning = codes.get(code, Meaning(reaction=Reaction.REJECTED))
    text = f"{what}: {code} {meaning.text.format(address=_address_in(message))}".rstrip()
    detail = message[:MAX_DETAIL]
    match meaning.reaction:
        case Reaction.LATER:
            return RetryLater(text, after_seconds=meaning.after_seconds, detail=detail)
        case Reaction.BUSY:
            return Unavailable(text, detail=detail)
        case Reaction.AUTH | Reaction.RENEW:
            return AuthError(text, detail=detail)
        case Reaction.CONFIG:
            return ConfigError(text, detail=detail)
        case Reaction.VOID:
            return Void(text, detail=detail)
    return Rejected(text, detail=detail)


def asks_renewal(code: int, codes: Codes) -> bool:
    return code in codes and codes[code].reaction is Reaction.RENEW


def _address_in(message: str) -> str:
    """The address the platform saw: the admin behind a proxy does not know it."""
    found = _ADDRESS.search(message)
    return f" {found[0]}" if found else ""
