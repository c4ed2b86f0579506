"""Calls to Trustpilot's API ("Business Units API", "Authentication"), with a token where there is a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.access_token import AccessToken, Grant, grant_of
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected
from allears_sdk.remote import Response, basic_auth, check_status
from allears_sdk.remote.answers import detail_of
from allears_sdk.renewal import asked_with
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
            response = await asked_with(
                self._token.get,
                lambda token: self._send(f"/v1/private{path}", asked, {"Authorization": f"Bearer {token}"}),
                lambda response: response.status == 401,
            )
        self._check(response)
        return response.json_object()

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
        response = await self._context.remote.request(
            "POST",
            f"{self._settings.url}{TOKEN_PATH}",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": basic_auth(self._key, secret)},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401, 403):
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        check_status(response, self._context.clock.now())
        return grant_of(response.json_object(), AuthError(_CREDENTIALS))

    def _check(self, response: Response) -> None:
        if response.status == 401:
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        try:
            check_status(response, self._context.clock.now())
        except Rejected as error:
            raise ConfigError(f"{_UNIT} ({response.status})", detail=error.detail) from None
