"""A seller's grant to an application: a code once, from then on a refresh token; each platform has its own call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from allears_sdk.codec import encode_stable
from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.oauth.answers import Tokens, advice, announce, load, tokens_of
from allears_sdk.oauth.browser import PASTE, Visit
from allears_sdk.renewal import Renewals
from allears_sdk.signing import sha256_hex
from connectors._marketplace.settings import ShopSettings

Exchange = Callable[[Mapping[str, str]], Awaitable[Mapping[str, Any]]]
"""`{"code": …}` or `{"refresh_token": …}` → the platform's answer: `access_token`, `refresh_token`, `expires_in`."""


class Session:
    """Of one shop. What a settings file gives as `access_token` serves until the platform refuses it."""

    def __init__(self, context: Context, settings: ShopSettings, app: str, exchange: Exchange) -> None:
        self._context = context
        self._settings = settings
        self._exchange = exchange
        identity = [settings.connector, app, settings.shop]
        self._name = f"shop-{sha256_hex(encode_stable(identity))[:24]}"
        self._renewals = Renewals()

    async def token(self, *, stale: str = "") -> str:
        """One that is valid for some minutes. `stale` was just refused: another is got, once for all who ask.
        Raises AuthError, and what the platform's call raises."""
        if self._settings.access_token is not None:
            return self._given(self._settings.access_token.get_secret_value(), stale)
        kept = self._usable(await self._kept(), stale)
        return kept or await self._renewals.finish(self._renew(stale))

    async def _renew(self, stale: str) -> str:
        async with self._context.tokens.lock(self._name):
            stored = await self._kept()
            return self._usable(stored, stale) or await self._renewed(stored)

    async def login(self, person: Ask, page: str, query: Mapping[str, str]) -> None:
        """The seller grants access at `page` and pastes the address it leads to."""
        if not self._settings.redirect_url:
            raise ConfigError("redirect_url is missing: the call-back address that is registered at the application")
        visit = Visit()
        back = {"response_type": "code", "redirect_uri": self._settings.redirect_url, "state": visit.state}
        await person.show(f"{page}?{urlencode({**query, **back})}", "")
        while line := await person.prompt(PASTE):
            if (found := visit.answer(line)) and found.get("code"):
                await self._keep(tokens_of(await self._exchange({"code": found["code"]}), self._context.clock.now()))
                return
        raise AuthError("nobody granted access; run the command again")

    def _given(self, token: str, stale: str) -> str:
        if token == stale:
            raise AuthError("the platform refuses access_token: it has expired or was withdrawn; get another one")
        return token

    async def _kept(self) -> Tokens | None:
        kept = load(await self._context.tokens.get(self._name))
        announce(self._context, kept)
        return kept

    def _usable(self, kept: Tokens | None, stale: str) -> str:
        is_fresh = kept is not None and kept.access_token != stale and self._context.clock.now() < kept.renew_at
        return kept.access_token if kept is not None and is_fresh else ""

    async def _renewed(self, stored: Tokens | None) -> str:
        if stored is None or not stored.refresh_token:
            raise AuthError(f"nobody has logged in yet, or access has expired; {advice(self._context.name)}")
        answer = await self._exchange({"refresh_token": stored.refresh_token})
        earlier, until = stored.refresh_token, stored.refresh_until
        return await self._keep(tokens_of(answer, self._context.clock.now(), earlier=earlier, earlier_until=until))

    async def _keep(self, tokens: Tokens) -> str:
        """On disk before it is used: a platform that replaces refresh tokens takes the old one no more."""
        await self._context.tokens.put(self._name, tokens.dump())
        announce(self._context, tokens)
        return tokens.access_token
