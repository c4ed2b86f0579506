"""Access tokens of one account: from the store while they last, renewed once for all who wait, persisted before use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from allears_sdk.codec import encode_stable
from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError
from allears_sdk.oauth import assertion, browser, device
from allears_sdk.oauth.answers import Tokens, Told, advice, announce, ask, error_of, load, tokens_of
from allears_sdk.oauth.settings import OAuthSettings
from allears_sdk.renewal import Renewals
from allears_sdk.signing import sha256_hex

_IDLE = {"microsoft": timedelta(days=90), "google": timedelta(days=180)}
"""How long a refresh token lives unused ("Refresh tokens in the Microsoft identity platform", "Using OAuth 2.0")."""


class OAuth:
    """`scopes` are what the caller needs as a person would grant it (Microsoft: full addresses of one resource);
    `account` is the mailbox or user they are for."""

    def __init__(
        self,
        context: Context,
        settings: OAuthSettings,
        scopes: Sequence[str],
        *,
        account: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._settings = settings
        self._scope = " ".join(settings.effective_scopes(scopes))
        self._account = settings.subject or account
        self._sleep = sleep
        identity = (settings.effective_token_url, settings.client_id, self._account, self._scope)
        self._name = "oauth-" + sha256_hex(encode_stable([*identity, settings.effective_grant]))[:24]
        self._kept: Tokens | None = None
        self._renewals = Renewals()

    async def access_token(self, *, stale: str = "") -> str:
        """A token that is valid for some minutes. `stale` is one that a server has just refused: another is got,
        unless somebody has done that meanwhile.

        Raises AuthError (nobody has logged in, or access was withdrawn), ConfigError, RetryLater, Unavailable.
        """
        if self._kept is not None and self._serves(self._kept, stale):
            return self._kept.access_token
        return (await self._renewals.finish(self._renew(stale))).access_token

    async def _renew(self, stale: str) -> Tokens:
        async with self._context.tokens.lock(self._name):
            self._kept = await self._current(stale)
            return self._kept

    async def login(self, person: Ask) -> None:
        """Have somebody grant access, and keep it. Without a person to ask (client_credentials, service accounts)
        a token is got at once, as proof. Raises as `access_token`."""
        body = await self._granted(person)
        tokens = tokens_of(body, self._context.clock.now())
        if self._settings.is_personal and not tokens.refresh_token:
            raise AuthError("the provider gave no refresh token; is the scope for offline access granted?")
        async with self._context.tokens.lock(self._name):
            await self._keep(tokens)

    async def _granted(self, person: Ask) -> Mapping[str, Any]:
        context, settings = self._context, self._settings
        if settings.effective_grant == "device":
            return await device.log_in(context, settings, self._scope, person, self._sleep)
        if settings.effective_grant == "browser":
            return await browser.log_in(context, settings, self._scope, person, self._account)
        return await self._request(None)

    def _serves(self, tokens: Tokens, stale: str) -> bool:
        return tokens.access_token != stale and self._context.clock.now() < tokens.renew_at

    async def _current(self, stale: str) -> Tokens:
        """The stored tokens, or new ones; only while holding the lock."""
        stored = load(await self._context.tokens.get(self._name))
        self._announce(stored)
        if stored is not None and self._serves(stored, stale):
            return stored
        if self._settings.is_personal and (stored is None or not stored.refresh_token):
            raise AuthError(f"nobody has logged in yet; {advice(self._context.name)}")
        try:
            body = await self._request(stored)
        except AuthError:
            other = await self._replacement(stored, stale)
            if other is None:
                raise
            return other
        return await self._replacement(stored, stale) or await self._keep(
            tokens_of(
                body,
                self._context.clock.now(),
                earlier=stored.refresh_token if stored else "",
                earlier_until=stored.refresh_until if stored else None,
            )
        )

    async def _replacement(self, used: Tokens | None, stale: str) -> Tokens | None:
        """What another process (a log-in, say) has stored while we asked: the lock does not reach that far."""
        stored = load(await self._context.tokens.get(self._name))
        return stored if stored is not None and stored != used and self._serves(stored, stale) else None

    async def _keep(self, tokens: Tokens) -> Tokens:
        """On disk before anybody uses it: a server that replaces refresh tokens takes the old one no more."""
        await self._context.tokens.put(self._name, tokens.dump())
        self._kept = tokens
        self._announce(tokens)
        return tokens

    def _announce(self, tokens: Tokens | None) -> None:
        if self._settings.is_personal:
            announce(self._context, tokens, idle=_IDLE.get(self._settings.provider))

    async def _request(self, stored: Tokens | None) -> Mapping[str, Any]:
        settings = self._settings
        form = await self._form(stored)
        try:
            return await ask(self._context, settings.effective_token_url, form)
        except Told as told:
            raise error_of(told, settings, self._context.name) from None

    async def _form(self, stored: Tokens | None) -> dict[str, str]:
        settings = self._settings
        if settings.effective_grant == "service_account":
            return {"grant_type": assertion.GRANT_TYPE, "assertion": await self._assertion()}
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        form = {"client_id": settings.client_id, "client_secret": secret}
        if settings.effective_grant == "client_credentials":
            return {**form, "grant_type": "client_credentials", "scope": self._scope}
        form |= {"grant_type": "refresh_token", "refresh_token": stored.refresh_token if stored else ""}
        return {**form, "scope": self._scope} if settings.provider == "microsoft" else form

    async def _assertion(self) -> str:
        key = self._settings.service_account
        account = assertion.load_key(key.get_secret_value() if key else "")
        return await self._context.blocking(
            assertion.sign,
            account,
            audience=self._settings.effective_token_url,
            scope=self._scope,
            subject=self._account,
            now=self._context.clock.now(),
        )
