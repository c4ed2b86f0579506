"""Calls to Trustpilot's API ("Business Units API", "Authentication"), with a token where there is a secret."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response
from allears_sdk.remote.answers import check_status, detail_of
from connectors.trustpilot.settings import TrustpilotSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 2.5, 10
"""Below 833 in five minutes and 10,000 an hour."""
TOKEN_PATH = "/v1/oauth/oauth-business-users-for-applications/accesstoken"  # noqa: S105 - an address
_CREDENTIALS = (
    "Trustpilot refuses the API application: compare api_key and api_secret with Integrations → Developers → APIs"
)
_UNIT = (
    "Trustpilot does not give this company's reviews: is business_unit_id right, and the application this company's?"
)


class Api:
    """One application and one company. Every call may be made again."""

    def __init__(self, settings: TrustpilotSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._account = f"trustpilot:{settings.business_unit_id}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self._token = AccessToken(context, (settings.url, self._key), self._ask_token)

    async def get(self, path: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """`path` begins behind /v1/private, or without a secret behind /v1. Raises the SDK's errors."""
        if self._settings.api_secret is None:
            response = await self._send(f"/v1{path}", asked, {"apikey": self._key})
        else:
            token = await self._token.get()
            response = await self._send_as(token, path, asked)
            if response.status == 401:
                response = await self._send_as(await self._token.get(stale=token), path, asked)
        self._check(response)
        return _object(response)

    async def _send_as(self, token: str, path: str, asked: Mapping[str, Any]) -> Response:
        return await self._send(f"/v1/private{path}", asked, {"Authorization": f"Bearer {token}"})

    async def _send(self, path: str, asked: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
        return await self._context.remote.request(
            "GET",
            f"{self._settings.url}{path}",
            params=asked,
            headers=headers,
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )

    async def _ask_token(self) -> Grant:
        secret = self._settings.api_secret.get_secret_value() if self._settings.api_secret else ""
        basic = base64.b64encode(f"{self._key}:{secret}".encode()).decode()
        response = await self._context.remote.request(
            "POST",
            f"{self._settings.url}{TOKEN_PATH}",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {basic}"},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401, 403):
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        check_status(response, self._context.clock.now())
        answer = _object(response)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise AuthError(_CREDENTIALS)
        return Grant(token=token, seconds=_seconds(answer.get("expires_in")))

    def _check(self, response: Response) -> None:
        if response.status == 401:
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        try:
            check_status(response, self._context.clock.now())
        except Rejected as error:
            raise ConfigError(f"{_UNIT} ({response.status})", detail=error.detail) from None


def _object(response: Response) -> Mapping[str, Any]:
    answer = response.json()
    if not isinstance(answer, dict):
        raise Unavailable("Trustpilot's answer is not what it documents")
    return answer


def _seconds(lasts: object) -> float:
    """A number, or one in quotes; an hour for anything else."""
    text = str(lasts)
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 3600.0
