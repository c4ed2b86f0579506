"""How an instance knows us: a user's password, or an application's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AuthError
from allears_sdk.remote import Response, basic_auth
from allears_sdk.tickets import answered
from sink.servicenow.settings import ServiceNowSettings

USUAL_SECONDS = 1799


class Login:
    def __init__(self, settings: ServiceNowSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._token = AccessToken(context, ("servicenow", settings.url, settings.client_id), self._ask)

    async def run(self, call: Callable[[str], Awaitable[Response]]) -> Response:
        """`call` gets the Authorization header. A token that is refused is renewed once: what was answered by 401 was
        not done."""
        if not self._settings.client_id:
            return await call(self._basic())
        token = await self._token.get()
        try:
            return await call(f"Bearer {token}")
        except AuthError:
            return await call(f"Bearer {await self._token.get(stale=token)}")

    def _basic(self) -> str:
        secret = self._settings.password.get_secret_value() if self._settings.password else ""
        return basic_auth(self._settings.username, secret)

    async def _ask(self) -> Grant:
        """ "OAuth 2.0: client credentials"."""
        secret = self._settings.client_secret.get_secret_value() if self._settings.client_secret else ""
        answer = await self._context.remote.request(
            "POST",
            f"{self._settings.url}/oauth_token.do",
            data={
                "grant_type": "client_credentials",
                "client_id": self._settings.client_id,
                "client_secret": secret,
            },
            timeout_seconds=self._settings.timeout_seconds,
            repeatable=True,
        )
        seconds = answered(answer).get("expires_in", USUAL_SECONDS)
        return Grant(token=str(answered(answer, "access_token")), seconds=float(seconds))
