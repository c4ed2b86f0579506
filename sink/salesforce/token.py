"""Access tokens of the org's app: client credentials, or an assertion signed with a key (JWT bearer)."""

from __future__ import annotations

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError
from allears_sdk.oauth.answers import Told, ask, named, tokens_of
from allears_sdk.oauth.assertion import GRANT_TYPE, ServiceAccount, sign
from sink.salesforce.settings import SalesforceSettings

ASSERTION_SECONDS = 180
"""Salesforce takes none that lives longer than some minutes."""
_ASKED_WRONG = frozenset({"unsupported_grant_type", "invalid_request", "invalid_scope"})


class Token(AccessToken):
    """Salesforce does not say how long a token lives: the session settings of the user decide. One that ended sooner is
    replaced when it is refused."""

    def __init__(self, context: Context, settings: SalesforceSettings) -> None:
        super().__init__(context, (settings.base, settings.client_id, settings.username), self._grant)
        self._of, self._settings = context, settings

    async def _grant(self) -> Grant:
        try:
            body = await ask(self._of, f"{self._settings.base}/services/oauth2/token", await self._form())
        except Told as told:
            raise _error_of(told) from None
        now = self._of.clock.now()
        tokens = tokens_of(body, now)
        return Grant(token=tokens.access_token, seconds=(tokens.renew_at - now).total_seconds())

    async def _form(self) -> dict[str, str]:
        settings = self._settings
        if settings.private_key is not None:
            return {
                "grant_type": GRANT_TYPE,
                "assertion": await self._assertion(settings.private_key.get_secret_value()),
            }
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        return {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": secret}

    async def _assertion(self, private_key: str) -> str:
        return await self._of.blocking(
            sign,
            ServiceAccount(client_email=self._settings.client_id, private_key=private_key),
            audience=self._settings.audience,
            scope="",
            subject=self._settings.username,
            now=self._of.clock.now(),
            lifetime_seconds=ASSERTION_SECONDS,
        )


def _error_of(told: Told) -> AllearsError:
    what = f"Salesforce gives no token ({named(told.code)})"
    if told.code in _ASKED_WRONG:
        return ConfigError(f"{what}: is this flow enabled in the app?", detail=told.description)
    text = "look at the app: consumer key, secret or certificate, its flow's user, its policies"
    return AuthError(f"{what}: {text}", detail=told.description)
