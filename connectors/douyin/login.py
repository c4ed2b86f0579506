"""The account's login: an access token of 15 days, refreshed by one of 30, which some apps may renew five times
("account-permission" of the open platform)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from allears_sdk.codec import convert, plain
from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, InDoubt, Rejected, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.oauth.browser import code_in
from allears_sdk.remote import check_status
from allears_sdk.renewal import Renewals
from connectors.douyin.faults import code_of, error_of
from connectors.douyin.settings import DouyinSettings

EARLY = timedelta(days=1)
RENEWED_BEFORE = timedelta(days=7)
TRIED_AGAIN = timedelta(days=1)
TOKEN_SECONDS, LOGIN_SECONDS = 15 * 86_400, 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """In the house's token store."""

    version: int = 1
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_until: datetime
    refresh_until: datetime


class Login:
    def __init__(self, settings: DouyinSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._name = f"douyin-{settings.client_key}-{settings.open_id}"
        self._tried: datetime | None = None
        self._renewals = Renewals()

    async def token(self, *, stale: str = "") -> str:
        """One that lasts for a day at least; another than `stale`. Raises AuthError when somebody has to log in."""
        kept = self._load(await self._context.tokens.get(self._name))
        if not self._is_good(kept, stale):
            kept = await self._renewals.finish(self._another(stale))
        self._context.accounts.expires("login", kept.refresh_until, advice=self._advice)
        return kept.access_token

    async def _another(self, stale: str) -> Kept:
        async with self._context.tokens.lock(self._name):
            kept = self._load(await self._context.tokens.get(self._name))
            return kept if self._is_good(kept, stale) else await self._refreshed(kept)

    async def log_in(self, ask: Ask) -> None:
        """A code by the page of the platform, or from inside a mini-app ("showDouyinOpenAuth")."""
        await ask.show(self._page(), "")
        code = code_in(await ask.prompt("The code, or the address of the page you were led to: "))
        if not code:
            raise AuthError("no code in it: log in, and paste the code or the whole address")
        secret = self._settings.client_secret.get_secret_value()
        found = await self._post("access_token", grant_type="authorization_code", code=code, client_secret=secret)
        who = str(found.get("open_id", self._settings.open_id))
        if who != self._settings.open_id:
            raise AuthError(f"you are logged in as {who[:60]}, and open_id is {self._settings.open_id}")
        async with self._context.tokens.lock(self._name):
            await self._keep(found, None)

    async def _refreshed(self, kept: Kept) -> Kept:
        if self._is_to_renew(kept):
            kept = await self._renewed(kept)
        found = await self._post("refresh_token", grant_type="refresh_token", refresh_token=kept.refresh_token)
        return await self._keep(found, kept)

    async def _renewed(self, kept: Kept) -> Kept:
        """Five times at most: the sixth is refused, and the login ends when it ends."""
        self._tried = self._context.clock.now()
        try:
            found = await self._post("renew_refresh_token", refresh_token=kept.refresh_token)
        except AllearsError as error:
            self._context.log.warning("login_not_renewed", reason=str(error))
            return kept
        return await self._keep({"access_token": kept.access_token, **found}, kept)

    async def _keep(self, found: Mapping[str, Any], before: Kept | None) -> Kept:
        """A refresh leaves the end of the login where it was."""
        now, token = self._context.clock.now(), found.get("access_token")
        refresh = found.get("refresh_token") or (before.refresh_token if before else "")
        if not isinstance(token, str) or not isinstance(refresh, str) or not token or not refresh:
            raise Unavailable("Douyin's answer holds no token")
        # a renewal tells the new end of the login as its `expires_in`
        is_renewal = before is not None and token == before.access_token
        told = found.get("refresh_expires_in") or (found.get("expires_in") if is_renewal else None)
        until = now + _span(told, LOGIN_SECONDS) if told or before is None else before.refresh_until
        access = before.access_until if before and is_renewal else now + _span(found.get("expires_in"), TOKEN_SECONDS)
        kept = Kept(access_token=token, refresh_token=refresh, access_until=access, refresh_until=until)
        await self._context.tokens.put(self._name, plain(kept))
        return kept

    async def _post(self, path: str, **form: str) -> Mapping[str, Any]:
        """Raises AuthError for what is refused, Unavailable also where the answer was lost: it is asked again."""
        try:
            response = await self._context.remote.request(
                "POST",
                f"{self._settings.url}/oauth/{path}/",
                data={"client_key": self._settings.client_key, **form},
                timeout_seconds=self._settings.timeout_seconds,
                raise_for_status=False,
            )
            check_status(response, self._context.clock.now())
            answer = response.json_object()
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        except Rejected as error:
            raise AuthError(f"{error}; {self._advice}", detail=error.detail) from None
        if code := code_of(answer):
            told = error_of(code, answer, response)
            raise AuthError(f"{told}; {self._advice}") if isinstance(told, Rejected) else told
        found = answer.get("data")
        return found if isinstance(found, dict) else {}

    def _load(self, value: Mapping[str, Any] | None) -> Kept:
        if not value:
            raise AuthError(f"nobody has logged in: {self._advice}")
        return convert(dict(value), Kept)

    def _is_good(self, kept: Kept, stale: str) -> bool:
        is_fresh = kept.access_token != stale and kept.access_until - self._context.clock.now() > EARLY
        return is_fresh and not self._is_to_renew(kept)

    def _is_to_renew(self, kept: Kept) -> bool:
        now = self._context.clock.now()
        is_tried = self._tried is not None and now - self._tried < TRIED_AGAIN
        return self._settings.may_renew and not is_tried and kept.refresh_until - now < RENEWED_BEFORE

    def _page(self) -> str:
        """A mini-app has none: its code comes from inside Douyin."""
        settings = self._settings
        asked = {
            "client_key": settings.client_key,
            "response_type": "code",
            "scope": ",".join(settings.scopes),
            "redirect_uri": settings.redirect_url,
        }
        return f"{settings.url}/platform/oauth/connect/?{urlencode(asked)}"

    @property
    def _advice(self) -> str:
        return f"allears channels login {self._context.name}"


def _span(told: object, usual: int) -> timedelta:
    """Seconds, sometimes in quotes."""
    return timedelta(seconds=min(whole(told, usual), 10**9))
