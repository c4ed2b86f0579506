"""What went wrong at a POP3 server, as the reaction it asks for."""

from __future__ import annotations

import re

from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.mail.wire import Broken, why_lost
from connectors.pop3.client import Negative

BUSY_SECONDS = 120.0
LOCKED_SECONDS = 60.0

_CODE = re.compile(r"^-ERR\s+\[([A-Z0-9/-]+)\]", re.I)
_WRONG_LOGIN = re.compile(r"incorrect|invalid|wrong|password|credential|authori[sz]ation code|密码|授权码", re.I)
_LOCKED = re.compile(r"\block(ed)?\b|already|in use|another (?:session|client|pop)", re.I)
_BUSY = re.compile(
    r"too many|too often|temporar|try (?:again )?later|try again|frequen|rate limit|unavailable|频繁|稍后|系统繁忙",
    re.I,
)
_HINTS = (
    (
        r"(^|\.)(qq|foxmail)\.com$",
        "QQ mail wants an authorisation code (授权码) instead of the password: 设置 → 账号 → 开启 POP3",
    ),
    (
        r"(^|\.)(163|126|188)\.com$|(^|\.)yeah\.net$",
        "NetEase mail wants an authorisation code (客户端授权码) instead of the password: 设置 → POP3/SMTP/IMAP",
    ),
    (
        r"(^|\.)(gmail|googlemail)\.com$",
        "Gmail wants an app password, which needs 2-step verification, and POP switched on",
    ),
    (r"(^|\.)(outlook|office365|hotmail|live)\.com$", "Microsoft takes no passwords over POP3 any more"),
)


class Refused(Unavailable):
    """The server said -ERR to one command; the connection is still good."""


def translate(error: Exception, host: str) -> AllearsError:
    """An exception of the client, ssl or the socket → the SDK's error."""
    if not isinstance(error, Negative):
        return Broken(why_lost(error, host), detail=f"{type(error).__name__}: {error}"[:300])
    text = str(error)
    code = _code(text)
    if code == "IN-USE":
        return RetryLater(_locked(host), after_seconds=LOCKED_SECONDS, detail=text)
    if code in ("SYS/TEMP", "LOGIN-DELAY"):
        return RetryLater(f"{host} asks to come back later", after_seconds=BUSY_SECONDS, detail=text)
    return Refused("the server refused a command", detail=text)


def login_failed(error: Exception, host: str) -> AllearsError:
    """What a refused USER or PASS means: by its code (RFC 2449, RFC 3206), else by its words."""
    fault = translate(error, host)
    if not isinstance(fault, Refused):
        return fault
    text = fault.detail
    code = _code(text)
    if code == "SYS/PERM":
        return ConfigError(f"{host} says that somebody has to put this mailbox right: {text}")
    if code != "AUTH" and not _WRONG_LOGIN.search(text):
        if _LOCKED.search(text):
            return RetryLater(_locked(host), after_seconds=LOCKED_SECONDS, detail=text)
        if _BUSY.search(text):
            return RetryLater(f"{host} takes no login now", after_seconds=BUSY_SECONDS, detail=text)
    return _wrong_login(host, text)


def _code(text: str) -> str:
    found = _CODE.match(text)
    return found[1].upper() if found else ""


def _locked(host: str) -> str:
    return f"another client has this mailbox open at {host}; POP3 lets in one at a time"


def _wrong_login(host: str, text: str) -> AuthError:
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, host, re.I)), "")
    return AuthError(f"{host} refused the login" + (f"; {hint}" if hint else ""), detail=text)
