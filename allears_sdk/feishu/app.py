"""Calls to the open platform, with the tenant's access token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, Unavailable
from allears_sdk.feishu.codes import Codes, StaleToken, Told, check
from allears_sdk.remote import Response
from allears_sdk.remote.answers import lost
from allears_sdk.settings import SecretStr

_TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 - an address, not a token
CALLS_PER_SECOND = 10.0
"""A fifth of what Feishu lets an app call."""


class FeishuApp:
    """One application of one tenant. Channels and destinations of the same one share its token and its pace."""

    def __init__(
        self,
        context: Context,
        *,
        url: str,
        app_id: str,
        app_secret: SecretStr,
        timeout_seconds: float,
        requests_per_minute: float | None = None,
        codes: Codes | None = None,
    ) -> None:
        """With `requests_per_minute` it has a pace of its own beside the one that it shares."""
        self.context = context
        self.codes = codes or Codes()
        self._url = url
        self._app_id = app_id
        self._app_secret = app_secret
        self._timeout_seconds = timeout_seconds
        self._token = AccessToken(context, ("feishu", url, app_id), self._grant)
        self._account = f"feishu:{url}:{app_id}"
        if requests_per_minute is None:
            context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=int(CALLS_PER_SECOND))
        else:
            self._account += f":{context.name}"
            context.remote.limit(self._account, per_second=requests_per_minute / 60)

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The `data` of the answer."""
        given = {name: value for name, value in params.items() if value not in ("", None)}
        return await self.data("GET", path, params=given)

    async def post(
        self, path: str, body: Mapping[str, Any], *, repeatable: bool, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The `data` of the answer. A lost one is InDoubt where the call is not `repeatable`."""
        return await self.data("POST", path, json=body, repeatable=repeatable, params=params)

    async def data(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """The `data` of the answer to `call`."""
        return _data(*await self.call(method, path, **given))

    async def call(self, method: str, path: str, **given: Any) -> tuple[Response, dict[str, Any]]:
        """`given` is what `Remote.request` takes. A call that is refused for its token is made again with a new one:
        nothing was done."""
        token = await self._token.get()
        try:
            return await self._authorised(token, method, path, given)
        except StaleToken:
            token = await self._token.get(stale=token)
        try:
            return await self._authorised(token, method, path, given)
        except StaleToken as error:
            raise AuthError(f"Feishu refuses a token it has just given: {error}", detail=error.detail) from None

    async def send(self, method: str, path: str, **given: Any) -> Response:
        """Without an access token; any answer."""
        return await self.context.remote.request(
            method,
            f"{self._url}{path}",
            timeout_seconds=self._timeout_seconds,
            account=self._account,
            raise_for_status=False,
            **given,
        )

    def now(self) -> datetime:
        return self.context.clock.now()

    async def _authorised(
        self, token: str, method: str, path: str, given: Mapping[str, Any]
    ) -> tuple[Response, dict[str, Any]]:
        response = await self.send(method, path, headers={"Authorization": f"Bearer {token}"}, **given)
        return response, check(response, self.now(), self.codes)

    async def _grant(self) -> Grant:
        body = {"app_id": self._app_id, "app_secret": self._app_secret.get_secret_value()}
        try:
            answer = check(await self.send("POST", _TOKEN_PATH, json=body, repeatable=True), self.now(), self.codes)
        except Told as error:
            text = f"Feishu refuses app_id and app_secret of {self._app_id} ({error.code})"
            raise AuthError(text, detail=error.detail) from None
        token, seconds = answer.get("tenant_access_token"), answer.get("expire")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise Unavailable("Feishu's answer holds no access token")
        return Grant(token=token, seconds=seconds)


def _data(response: Response, body: Mapping[str, Any]) -> dict[str, Any]:
    data = body.get("data", {})
    if "code" not in body or not isinstance(data, dict):
        raise lost("Feishu's answer is not what it documents", response.call)
    return data
