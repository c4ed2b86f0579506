"""How a mailbox lets us in: by password, or by an access token that is renewed when it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.mail.xoauth2 import mail_scopes
from allears_sdk.oauth import OAuth
from connectors.email.faults import TokenRefused
from connectors.email.settings import EmailSettings

R = TypeVar("R")


class Account:
    """The tokens of one mailbox, if it has any."""

    def __init__(self, settings: EmailSettings, context: Context) -> None:
        self._settings = settings
        self._name = context.name
        self.oauth: OAuth | None = None
        if settings.oauth is not None:
            sends = settings.outgoing is not None and not settings.outgoing.password
            scopes = mail_scopes(settings.oauth, "imap", "smtp") if sends else mail_scopes(settings.oauth, "imap")
            self.oauth = OAuth(context, settings.oauth, scopes, account=settings.username)

    async def enter(self, attempt: Callable[[str], Awaitable[R]]) -> R:
        """`attempt` with an access token ("" where a password serves), and once more with a new one when that is
        refused. Raises what the attempt and `OAuth.access_token` raise, AuthError when both tokens are refused."""
        if self.oauth is None:
            return await attempt("")
        token = await self.oauth.access_token()
        try:
            return await attempt(token)
        except TokenRefused:
            token = await self.oauth.access_token(stale=token)
        try:
            return await attempt(token)
        except TokenRefused as refused:
            raise AuthError(self._advice(str(refused)), detail=refused.detail) from refused

    async def login(self, person: Ask) -> None:
        if self.oauth is None:
            raise ConfigError("this mailbox is entered with its password: there is nothing to log in to")
        await self.oauth.login(person)

    def _advice(self, refusal: str) -> str:
        if self._settings.oauth is None or not self._settings.oauth.is_personal:
            return f"{refusal}; may the application use IMAP, and this mailbox?"
        return f"{refusal}; is IMAP on, was it this account that logged in? allears channels login {self._name}"
