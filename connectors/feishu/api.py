"""Calls to the open platform, with the tenant's access token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, RetryLater, Unavailable
from allears_sdk.remote import Response
from connectors.feishu.faults import StaleToken, Told, check
from connectors.feishu.settings import FeishuSettings

_TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 - an address, not a token
_ENDPOINT_PATH = "/callback/ws/endpoint"
_CALLS_PER_SECOND = 10.0
"""A fifth of what Feishu lets an app call."""
_BUSY = frozenset({1, 1000040343})
_TOO_MANY = 1000040350
_TOO_MANY_SECONDS = 60.0


class FeishuApi:
    def __init__(self, settings: FeishuSettings, context: Context) -> None:
        self.settings = settings
        self.context = context
        self._token = AccessToken(context, ("feishu", settings.url, settings.app_id), self._grant)
        self._account = f"feishu:{settings.url}:{settings.app_id}"
        context.remote.limit(self._account, per_second=_CALLS_PER_SECOND, burst=int(_CALLS_PER_SECOND))

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The `data` of the answer."""
        given = {name: value for name, value in params.items() if value not in ("", None)}
        return _data(await self._call("GET", path, params=given))

    async def post(self, path: str, body: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any]:
        return _data(await self._call("POST", path, json=body, repeatable=repeatable))

    async def whole(self, path: str) -> dict[str, Any]:
        """The answer where it has no `data` (page "Obtain bot info")."""
        return (await self._call("GET", path))[1]

    async def download(self, path: str, *, max_bytes: int, **params: Any) -> Response:
        return (await self._call("GET", path, params=params, max_bytes=max_bytes))[0]

    async def endpoint(self) -> tuple[str, int, dict[str, Any]]:
        """Where to open the long connection: its URL, the number of our service in it, and its settings."""
        secret = self.settings.app_secret.get_secret_value()
        body = {"AppID": self.settings.app_id, "AppSecret": secret}
        try:
            answer = check(await self._send("POST", _ENDPOINT_PATH, json=body, repeatable=True), self._now())
        except Told as error:
            raise _connection_error(error) from None
        data = _data((None, answer))
        url, config = str(data.get("URL", "")), data.get("ClientConfig")
        service = parse_qs(urlsplit(url).query).get("service_id", [""])[0]
        if not service.isdecimal():
            raise Unavailable("Feishu gave no address for the long connection; try again, or use webhook mode")
        return url, int(service), config if isinstance(config, dict) else {}

    async def _call(self, method: str, path: str, **given: Any) -> tuple[Response, dict[str, Any]]:
        token = await self._token.get()
        try:
            return await self._authorised(token, method, path, given)
        except StaleToken:
            return await self._authorised(await self._token.get(stale=token), method, path, given)

    async def _authorised(
        self, token: str, method: str, path: str, given: Mapping[str, Any]
    ) -> tuple[Response, dict[str, Any]]:
        response = await self._send(method, path, headers={"Authorization": f"Bearer {token}"}, **given)
        return response, check(response, self._now())

    async def _grant(self) -> Grant:
        body = {"app_id": self.settings.app_id, "app_secret": self.settings.app_secret.get_secret_value()}
        try:
            answer = check(await self._send("POST", _TOKEN_PATH, json=body, repeatable=True), self._now())
        except Told as error:
            text = f"Feishu refuses app_id and app_secret of {self.settings.app_id} ({error.code})"
            raise AuthError(text, detail=error.detail) from None
        token, seconds = answer.get("tenant_access_token"), answer.get("expire")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise Unavailable("Feishu's answer holds no access token")
        return Grant(token=token, seconds=seconds)

    async def _send(self, method: str, path: str, **given: Any) -> Response:
        return await self.context.remote.request(
            method,
            f"{self.settings.url}{path}",
            timeout_seconds=self.settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
            **given,
        )

    def _now(self) -> Any:
        return self.context.clock.now()


def _data(answer: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
    data = answer[1].get("data", {})
    if not isinstance(data, dict):
        raise Unavailable("Feishu's answer is not what it documents")
    return data


def _connection_error(error: Told) -> AllearsError:
    if error.code in _BUSY:
        return Unavailable(f"Feishu's long connection is busy ({error.code})", detail=error.detail)
    if error.code == _TOO_MANY:
        return RetryLater("this app has 50 long connections already", after_seconds=_TOO_MANY_SECONDS)
    text = (
        f"Feishu gives this app no long connection ({error.code}): check app_id and app_secret, and choose "
        "the long connection in the console's event subscription"
    )
    return AuthError(text, detail=error.detail)
