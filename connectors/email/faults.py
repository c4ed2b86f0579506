"""What went wrong at a mail server, as the reaction it asks for."""

from __future__ import annotations

import random
import re
from imaplib import IMAP4

from allears_sdk.errors import AllearsError, AuthError, RetryLater, Unavailable
from allears_sdk.mail.wire import why_lost

_WRONG_LOGIN = re.compile(r"AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|incorrect|invalid cred|password", re.I)
_BUSY = re.compile(
    r"\[(?:LIMIT|INUSE|UNAVAILABLE|OVERQUOTA)\b|too many|maximum number|temporar|try again|frequen|rate limit"
    r"|连接数|频繁|稍后",
    re.I,
)
_LOST = re.compile(r"socket error|EOF")  # imapclient turns imaplib's abort into a LoginError
_NOT_CONNECTED = re.compile(r"authenticated but not connected", re.I)
BUSY_SECONDS = (120.0, 180.0)
"""Somewhere between: the mailboxes a server turned away together do not come back together."""

_HINTS = (
    (
        r"(^|\.)(qq|foxmail)\.com$",
        "QQ mail wants an authorisation code (授权码) instead of the password: 设置 → 账号 → 开启 IMAP",
    ),
    (
        r"(^|\.)(163|126|188)\.com$|(^|\.)yeah\.net$",
        "NetEase mail wants an authorisation code (客户端授权码) instead of the password: 设置 → POP3/SMTP/IMAP",
    ),
    (r"(^|\.)(gmail|googlemail)\.com$", "Gmail wants an app password, which needs 2-step verification"),
    (
        r"(^|\.)(outlook|office365|hotmail|live)\.com$",
        "Microsoft takes no passwords over IMAP any more: use oauth",
    ),
)


class Refused(Unavailable):
    """The server said NO or BAD to one command; the connection is still good."""


class TokenRefused(AuthError):
    """The access token was refused: it may have expired or been withdrawn."""


class Broken(Unavailable):
    """The connection is lost or in an unknown state; nothing was done that will not be done again."""


def translate(error: Exception, host: str) -> AllearsError:
    """An exception of imapclient, imaplib, ssl or the socket → the SDK's error."""
    text = _text(error)
    if isinstance(error, IMAP4.error) and not isinstance(error, IMAP4.abort):
        return _refusal(error, text)
    if _BUSY.search(text):
        return _later(f"{host} asks to come back later", text)
    return Broken(why_lost(error, host), detail=text)


def login_failed(error: Exception, host: str) -> AllearsError:
    """What a refused LOGIN means. QQ answers a wrong code and a busy system with one sentence: it counts as wrong."""
    text = _text(error)
    if _LOST.search(text):
        return Broken(f"{host} hung up on the login", detail=text)
    if _BUSY.search(text) and not _WRONG_LOGIN.search(text):
        return _later(f"{host} takes no login now", text)
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, host, re.I)), "")
    return AuthError(f"{host} refused the login" + (f"; {hint}" if hint else ""), detail=text)


def token_refused(error: Exception, host: str, refusal: bytes) -> AllearsError:
    """What a refused AUTHENTICATE means; `refusal` is the challenge by which servers say why."""
    fault = login_failed(error, host)
    if not isinstance(fault, AuthError):
        return fault
    said = " ".join(refusal.decode("utf-8", "replace").split())[:200]
    return TokenRefused(f"{host} refused the access token", detail=f"{fault.detail} {said}".strip())


def _later(what: str, text: str) -> RetryLater:
    return RetryLater(what, after_seconds=random.uniform(*BUSY_SECONDS), detail=text)  # noqa: S311 - spreads load


def _refusal(error: Exception, text: str) -> AllearsError:
    if error.__class__.__name__ == "ProtocolError":
        return Broken("the server's answer makes no sense", detail=text)
    if _BUSY.search(text):
        return _later("the server asks to come back later", text)
    if _NOT_CONNECTED.search(text):
        # Exchange Online takes any good token and says only now that the mailbox is not ours, or not to be had.
        return Broken("the token is good, but not for this mailbox: is username its address?", detail=text)
    return Refused("the server refused a command", detail=text)


def _text(error: Exception) -> str:
    return f"{error.__class__.__name__}: {error}"[:300]
