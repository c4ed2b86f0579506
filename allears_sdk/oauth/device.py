"""Logging in by a code that is typed on another device: RFC 8628."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, RetryLater, Unavailable
from allears_sdk.oauth.answers import Told, ask, error_of
from allears_sdk.oauth.settings import OAuthSettings

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_SECONDS = 5.0
_DENIED = frozenset({"access_denied", "authorization_declined"})
_EXPIRED = frozenset({"expired_token", "code_expired"})


async def log_in(
    context: Context, settings: OAuthSettings, scope: str, person: Ask, sleep: Callable[[float], Awaitable[None]]
) -> Mapping[str, Any]:
    """Show the code, and ask until it was entered. The token endpoint's answer; raises AuthError when it was
    declined or came too late."""
    form = {"client_id": settings.client_id, **_secret(settings)}
    try:
        code = await ask(context, settings.effective_device_url, {**form, "scope": scope})
    except Told as told:
        raise error_of(told, settings, context.name, again=False) from None
    url, user_code, device_code = _page(code), str(code.get("user_code", "")), str(code.get("device_code", ""))
    if not (url and user_code.isprintable() and user_code and device_code):
        raise Unavailable("the answer to the request for a device code makes no sense")
    await person.show(url, user_code)
    form |= {"grant_type": GRANT_TYPE, "device_code": device_code}
    interval, lifetime = _number(code.get("interval"), 5.0, 60.0), _number(code.get("expires_in"), 900.0, 3600.0)
    return await _wait(context, settings, form, interval, lifetime, sleep)


async def _wait(
    context: Context,
    settings: OAuthSettings,
    form: Mapping[str, str],
    interval: float,
    lifetime: float,
    sleep: Callable[[float], Awaitable[None]],
) -> Mapping[str, Any]:
    until = context.clock.monotonic() + lifetime
    while context.clock.monotonic() + interval < until:
        await sleep(interval)
        try:
            return await ask(context, settings.effective_token_url, form)
        except Told as told:
            if told.code == "slow_down":
                interval += SLOWER_SECONDS
            elif told.code in _DENIED:
                raise AuthError("the log-in was declined", detail=told.description) from None
            elif told.code in _EXPIRED:
                break
            elif told.code != "authorization_pending":
                raise error_of(told, settings, context.name, again=False) from None
        except (Unavailable, RetryLater):
            interval = min(interval * 2, 60.0)  # RFC 8628 §3.5 asks for it after a lost connection
    raise AuthError("the code was not entered in time; run the command again")


def _page(code: Mapping[str, Any]) -> str:
    """Some servers write `verification_url`, as drafts of the standard did."""
    page = str(code.get("verification_uri") or code.get("verification_url") or "")
    return page if page.startswith(("https://", "http://")) and page.isprintable() else ""


def _secret(settings: OAuthSettings) -> dict[str, str]:
    return {"client_secret": settings.client_secret.get_secret_value()} if settings.client_secret else {}


def _number(value: Any, usual: float, most: float) -> float:
    return min(float(value), most) if isinstance(value, int | float) and value > 0 else usual
