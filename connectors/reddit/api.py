"""Calls to Reddit ("API documentation", "OAuth2", "API rules" of its archived wiki)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.access_token import AccessToken, Grant, grant_of
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response, basic_auth, check_status
from allears_sdk.remote.answers import detail_of
from allears_sdk.renewal import asked_with
from connectors.reddit.settings import RedditSettings

BURST = 20
WAIT_SECONDS = 60.0


class Refused(Rejected):
    """Not for us to read: private, banned or gone."""


class Api:
    """One application, and the account it acts for."""

    def __init__(self, settings: RedditSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"reddit:{settings.client_id}"
        who = settings.username if settings.has_login else ""
        self._token = AccessToken(context, (settings.login_url, settings.client_id, who), self._grant)
        context.remote.limit(self._account, per_second=settings.calls_per_minute / 60, burst=BURST)

    @property
    def _agent(self) -> str:
        return f"python:allears:1 (by /u/{self._settings.username})"

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Raises the SDK's errors, Refused for what is not to be read."""
        given = {name: value for name, value in params.items() if value != ""}
        response = await self._send("GET", path, params={**given, "raw_json": 1})
        if urlsplit(response.url).path != urlsplit(f"{self._settings.url}{path}").path:
            raise Refused(f"Reddit leads from {path} elsewhere: there is none of that name")
        return response.json_object()

    async def post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Raises InDoubt, too."""
        return (await self._send("POST", path, data={**form, "api_type": "json"})).json_object()

    async def picture(self, name: str) -> Response:
        url = f"{self._settings.images_url}/{name}"
        most = self._settings.max_attachment_bytes
        return await self._context.remote.request(
            "GET", url, headers={"User-Agent": self._agent}, max_bytes=most, account=self._account
        )

    async def _send(self, method: str, path: str, **given: Any) -> Response:
        response = await asked_with(
            self._token.get,
            lambda token: self._once(method, path, token, given),
            lambda response: response.status == 401,
        )
        if response.status == 401:
            raise AuthError("Reddit refuses the access token: look at the application and the account")
        if response.status in (403, 404):
            raise Refused(f"{path}: {response.status}, private, banned or gone", detail=detail_of(response))
        try:
            check_status(response, self._context.clock.now())
        except RetryLater as error:
            error.after_seconds = WAIT_SECONDS if error.after_seconds is None else error.after_seconds
            raise
        return response

    async def _once(self, method: str, path: str, token: str, given: Mapping[str, Any]) -> Response:
        self._check_quota()
        return await self._context.remote.request(
            method,
            f"{self._settings.url}{path}",
            headers={"Authorization": f"Bearer {token}", "User-Agent": self._agent},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
            **given,
        )

    def _check_quota(self) -> None:
        """As the newest answer told, whichever channel it was for."""
        now, quota = self._context.clock.now(), self._context.accounts.told(self._account, "calls")
        if quota is not None and quota.left < 1 and quota.resets_at is not None and now < quota.resets_at:
            seconds = (quota.resets_at - now).total_seconds()
            raise RetryLater("Reddit's quota is used up for now", after_seconds=seconds)

    async def _grant(self) -> Grant:
        settings = self._settings
        client = basic_auth(settings.client_id, settings.client_secret.get_secret_value())
        response = await self._context.remote.request(
            "POST",
            f"{settings.login_url}/api/v1/access_token",
            data=self._form(),
            headers={"Authorization": client, "User-Agent": self._agent},
            timeout_seconds=settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status == 401:
            raise AuthError("Reddit refuses client_id or client_secret")
        check_status(response, self._context.clock.now())
        return _granted(response.json_object())

    def _form(self) -> dict[str, str]:
        settings = self._settings
        if settings.refresh_token:
            return {"grant_type": "refresh_token", "refresh_token": settings.refresh_token.get_secret_value()}
        if settings.password:
            password = settings.password.get_secret_value()
            return {"grant_type": "password", "username": settings.username, "password": password}
        return {"grant_type": "client_credentials"}


def _granted(answer: Mapping[str, Any]) -> Grant:
    """A wrong password is told with status 200."""
    code = answer.get("error")
    if code == "invalid_grant":
        raise AuthError("Reddit refuses username and password, or the refresh token was withdrawn")
    if code is not None:
        raise ConfigError(f"Reddit does not grant access ({str(code)[:60]}): is the application of the type script?")
    return grant_of(answer, Unavailable("Reddit's answer holds no access token"))
