"""Calls to AppGallery Connect ("AppGallery Connect API: Reviews", its table of return codes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.access_token import AccessToken, Grant, grant_of
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import Response
from allears_sdk.remote.answers import check_status, detail_of
from allears_sdk.renewal import asked_with
from connectors.huawei_appgallery.settings import HuaweiAppGallerySettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 1.0, 10
"""Huawei tells no limit."""
_NOTHING_YET = 50010025
_ADVICE = {
    50010027: "there is no such app: compare `apps` with AppGallery Connect → App information → App ID",
    50010028: "the app is another developer's: make the API client in the team that has it",
    50010040: "these countries are not of this site: `countries` and `url` go together",
}
_CREDENTIALS = (
    "AppGallery Connect refuses the API client: compare client_id and client_secret with Users and permissions → API "
    "key → Connect API (a service account is not accepted), and see that its role may read reviews"
)


class Api:
    """One API client. Every call may be made again."""

    def __init__(self, settings: HuaweiAppGallerySettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"huawei_appgallery:{settings.client_id}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self._token = AccessToken(context, (settings.url, settings.client_id), self._ask_token)

    async def reviews(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `data` of a page; empty where the app has no reviews yet. Raises the SDK's errors."""
        response = await asked_with(
            self._token.get, lambda token: self._send(asked, token), lambda response: response.status == 401
        )
        self._check(response)
        answer = response.json_object()
        code = _code_of(answer)
        if code == _NOTHING_YET:
            return {"reviewList": []}
        if code:
            raise _error(code, detail_of(response))
        data = answer.get("data", answer)
        if not isinstance(data, dict):
            raise Unavailable("AppGallery Connect's answer is not what it documents")
        return data

    async def _send(self, asked: Mapping[str, Any], token: str) -> Response:
        return await self._context.remote.request(
            "GET",
            f"{self._settings.url}{self._settings.effective_reviews_path}",
            params=asked,
            headers={"client_id": self._settings.client_id, "Authorization": f"Bearer {token}"},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )

    async def _ask_token(self) -> Grant:
        settings = self._settings
        secret = settings.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": secret}
        response = await self._context.remote.request(
            "POST",
            f"{settings.url}/api/oauth2/v1/token",
            json=form,
            timeout_seconds=settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401, 403):
            raise AuthError(_CREDENTIALS)
        check_status(response, self._context.clock.now())
        answer = response.json_object()
        return grant_of(answer, AuthError(f"{_CREDENTIALS} ({_code_of(answer)})"))

    def _check(self, response: Response) -> None:
        if response.status in (401, 403):
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        try:
            check_status(response, self._context.clock.now())
        except Rejected as error:
            raise ConfigError(
                "AppGallery Connect does not know this call: see `url`, `system` and `reviews_path`",
                detail=error.detail,
            ) from None


def _error(code: int, detail: str) -> AllearsError:
    if code in _ADVICE:
        return ConfigError(f"{_ADVICE[code]} (AppGallery Connect: {code})", detail=detail)
    return Unavailable(f"AppGallery Connect answers {code}", detail=detail)


def _code_of(answer: Mapping[str, Any]) -> int:
    """0: well."""
    ret = answer.get("ret")
    return whole(ret.get("code", 0), -1) if isinstance(ret, dict) else 0
