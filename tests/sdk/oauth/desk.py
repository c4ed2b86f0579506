"""Token endpoints as Microsoft ("Microsoft identity platform and OAuth 2.0 …") and Google ("Using OAuth 2.0 to Access
Google APIs") document them, and accounts that ask there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import respx

from allears_sdk.context import Context
from allears_sdk.oauth import OAuth, OAuthSettings

MICROSOFT = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
GOOGLE = "https://oauth2.googleapis.com/token"
IMAP = "https://outlook.office365.com/IMAP.AccessAsUser.All"
SECRET = "q8Q~long-application-secret"
TRACE = (
    "Trace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333 Correlation ID: aaaa0000-bb11-2222-33cc-444444dddddd "
    "Timestamp: 2026-11-22 04:00:00Z"
)


def microsoft_says(code: str, number: int, text: str) -> dict[str, Any]:
    """An error as Microsoft's token endpoint words it."""
    return {
        "error": code,
        "error_description": f"AADSTS{number}: {text}\r\n{TRACE}",
        "error_codes": [number],
        "timestamp": "2026-11-22 04:00:00Z",
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }


def granted(number: int, *, refresh: bool = True, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"token_type": "Bearer", "scope": IMAP, "expires_in": 3599, "access_token": f"at-{number}"}
    return answer | ({"refresh_token": f"rt-{number}"} if refresh else {}) | more


def device_settings(**more: Any) -> OAuthSettings:
    given = {"provider": "microsoft", "tenant": "contoso.onmicrosoft.com", "client_id": "6731de76"} | more
    return OAuthSettings.model_validate(given)


def application() -> OAuthSettings:
    return device_settings(grant="client_credentials", client_secret=SECRET)


def oauth(context: Context, settings: OAuthSettings | None = None) -> OAuth:
    return OAuth(context, settings or device_settings(), [IMAP], account="support@contoso.com")


async def log_in(context: Context, router: respx.MockRouter, first: Mapping[str, Any] | None = None) -> OAuth:
    """Somebody who has logged in by device code; the tokens are at-1 and rt-1."""
    code = {"device_code": "dc", "user_code": "FJC3ABCDE", "verification_uri": "https://microsoft.com/devicelogin"}
    router.post(MICROSOFT.replace("token", "devicecode")).respond(json=code | {"expires_in": 900, "interval": 5})
    router.post(MICROSOFT).respond(json=dict(first or granted(1)))
    account = OAuth(context, device_settings(), [IMAP], account="support@contoso.com", sleep=context.clock.sleep)  # type: ignore[attr-defined]  # a FakeClock
    await account.login(Nobody())
    router.reset()
    return account


class Nobody:
    async def show(self, url: str, code: str) -> None:
        return None

    async def prompt(self, text: str) -> str:
        return ""


def sent(route: respx.Route, number: int = -1) -> dict[str, str]:
    """The form of one request."""
    return {name: values[0] for name, values in parse_qs(route.calls[number].request.content.decode()).items()}
