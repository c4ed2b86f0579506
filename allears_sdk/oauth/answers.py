"""What a token endpoint answers (RFC 6749 §5), and which reaction its errors ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.oauth.settings import OAuthSettings
from allears_sdk.remote.answers import check_status, retry_after
from allears_sdk.remote.exchange import Response

_TOLD = frozenset({400, 401, 403, 428})
"""Statuses whose body names the error; 403 and 428 are Google's."""
_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
_ASKED_WRONG = frozenset({"invalid_scope", "invalid_request", "unsupported_grant_type", "invalid_resource"})
_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_SECRET_FIELDS = ("client_secret", "refresh_token", "device_code", "code", "code_verifier", "assertion")
_NUMBERS = {
    "AADSTS65001": "an administrator has to consent to the permissions",
    "AADSTS90002": "there is no such tenant",
    "AADSTS700016": "no application has this client_id in this tenant",
    "AADSTS700025": "leave client_secret out: this application is a public client",
    "AADSTS7000215": "the client_secret is wrong; its value is wanted, not its id",
    "AADSTS7000218": 'switch on "Allow public client flows" at the application',
    "AADSTS7000222": "the client_secret has expired; make a new one",
}
"""Microsoft Entra authentication and authorization error codes: those an admin can mend."""
_REFRESH_LIVES = ("refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in", "re_expires_in")
"""No standard names it. Google has the first for access that is granted for a time, Taobao the last."""
LOG_IN = "log-in"
_USUAL_SECONDS = 3600.0
_MARGIN_SECONDS = 300.0


class Told(Exception):
    """The endpoint named an error."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What is kept of an account, encrypted by the house."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    renew_at: datetime
    """Shortly before it expires."""
    refresh_until: datetime | None = None
    """When the refresh token ends, where the provider tells."""

    def dump(self) -> dict[str, Any]:
        return {
            "version": 1,
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "renew_at": self.renew_at.isoformat(),
            "refresh_until": self.refresh_until.isoformat() if self.refresh_until else "",
        }


def load(value: Mapping[str, Any] | None) -> Tokens | None:
    """None for what is not there, or was written by another version: somebody logs in again."""
    if not value or value.get("version") != 1:
        return None
    try:
        until = str(value.get("refresh_until") or "")
        return Tokens(
            access_token=str(value["access_token"]),
            refresh_token=str(value["refresh_token"]),
            renew_at=datetime.fromisoformat(value["renew_at"]),
            refresh_until=datetime.fromisoformat(until) if until else None,
        )
    except (KeyError, TypeError, ValueError):
        return None


async def ask(context: Context, url: str, data: Mapping[str, str]) -> Mapping[str, Any]:
    """POST the form and read the JSON object. Raises Told for an error the endpoint names, else RetryLater,
    Unavailable (also when the answer was lost: it is asked again), AuthError or ConfigError."""
    given = {name: value for name, value in data.items() if value}
    try:
        response = await context.remote.request(
            "POST", url, data=given, headers={"Accept": "application/json"}, raise_for_status=False
        )
    except InDoubt as error:
        raise Unavailable(str(error), detail=error.detail) from None
    body = _object(response)
    code = body.get("error")
    if response.status in _TOLD and isinstance(code, str):
        raise Told(code, _scrubbed(str(body.get("error_description") or ""), given))
    _check(response, context.clock.now())
    if not body:
        raise Unavailable(f"{response.call.place}: the answer makes no sense")
    return body


def _object(response: Response) -> Mapping[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _check(response: Response, now: datetime) -> None:
    """A failing token server has changed nothing we rely on: Unavailable, never InDoubt."""
    try:
        check_status(response, now)
    except InDoubt as error:
        raise Unavailable(str(error)) from None
    except Rejected as error:
        raise ConfigError(f"this is no token server: {error}; are tenant and addresses right?") from None
    except AllearsError as error:
        error.detail = ""  # it may quote the form, which holds secrets
        if isinstance(error, RetryLater) and error.after_seconds is None:
            error.after_seconds = retry_after(response.headers, now)
        raise


def _scrubbed(text: str, sent: Mapping[str, str]) -> str:
    for name in _SECRET_FIELDS:
        if len(sent.get(name, "")) >= 8:
            text = text.replace(sent[name], "…")
    return " ".join(text.split())[:300]


def tokens_of(
    body: Mapping[str, Any], now: datetime, *, earlier: str = "", earlier_until: datetime | None = None
) -> Tokens:
    """`earlier` is the refresh token that stays valid, until its end if that is known, when the answer brings no new
    one."""
    access = body.get("access_token")
    if not isinstance(access, str) or not access.isascii() or not access.isprintable() or not access:
        raise Unavailable("the token server's answer holds no access token")
    refresh = body.get("refresh_token")
    is_new = isinstance(refresh, str) and refresh != ""
    lifetime = _seconds(body.get("expires_in"))
    return Tokens(
        access_token=access,
        refresh_token=str(refresh) if is_new else earlier,
        renew_at=now + timedelta(seconds=lifetime - min(_MARGIN_SECONDS, lifetime / 4)),
        refresh_until=_refresh_until(body, now) or (None if is_new else earlier_until),
    )


def _refresh_until(body: Mapping[str, Any], now: datetime) -> datetime | None:
    told = [body[name] for name in _REFRESH_LIVES if body.get(name)]
    return now + timedelta(seconds=_seconds(told[0])) if told else None


def _seconds(value: Any) -> float:
    """Some vendors send the number as a string, some none at all."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return _USUAL_SECONDS
    return min(max(seconds, 0.0), 86_400.0 * 365) if seconds == seconds else _USUAL_SECONDS


def announce(context: Context, tokens: Tokens | None, *, idle: timedelta | None = None) -> None:
    """Tells the house when the log-in ends: as the provider told, or by how long it may lie `idle`."""
    until = tokens.refresh_until if tokens is not None else None
    if until is None and tokens is not None and idle is not None:
        until = tokens.renew_at + idle
    context.accounts.expires(LOG_IN, until, advice=advice(context.name))


def error_of(told: Told, settings: OAuthSettings, channel: str, *, again: bool = True) -> AllearsError:
    """The SDK's error for what a token endpoint told; `again`: logging in anew may help."""
    what, detail = _named(told), told.description
    if told.code in _LATER:
        return RetryLater(f"the token server asks to come back later ({what})", detail=detail)
    if told.code in _ASKED_WRONG:
        return ConfigError(
            f"the token server does not take the request ({what}): look at scopes, tenant, grant", detail=detail
        )
    if settings.effective_grant == "service_account":
        text = "is it delegated these scopes, is there such an account, is the clock right?"
        return AuthError(f"the service account is refused ({what}): {text}", detail=detail)
    if told.code in _CLIENT or not (again and settings.is_personal):
        return AuthError(f"the application is refused ({what}): look at its registration", detail=detail)
    return AuthError(f"access was withdrawn or has expired ({what}); {advice(channel)}", detail=detail)


def named(code: str) -> str:
    """An error's code, unless it is something else that a hostile server wants to show."""
    return code if re.fullmatch(r"[\w.-]{1,60}", code) else "an unknown error"


def advice(channel: str) -> str:
    return f"log in again: allears channels login {channel}"


def _named(told: Told) -> str:
    """The error's code, and Microsoft's number, by which its meaning is found."""
    number = re.search(r"AADSTS\d+", told.description)
    code = named(told.code)
    meaning = _NUMBERS.get(number[0], "") if number else ""
    return ", ".join(part for part in (code, number[0] if number else "", meaning) if part)
