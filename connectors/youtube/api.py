"""Calls to the YouTube Data API, counted in its units ("Quota Calculator", "Errors")."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allears_sdk.budget import Budget, Period
from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, OverBudget, Rejected, RetryLater, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.remote import Response, check_status
from allears_sdk.remote.answers import detail_of
from allears_sdk.signing import sha256_hex
from connectors._google.api import reasons_of
from connectors._google.project import PACIFIC, project_of
from connectors.youtube.settings import YoutubeSettings

SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
CALLS_PER_SECOND, CALLS_AT_ONCE = 5.0, 20
WAIT_SECONDS = 60.0
_USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"})
_SLOWER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_KEY = frozenset({"keyInvalid", "keyExpired", "API_KEY_INVALID", "API_KEY_EXPIRED"})
_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_LAPSE = frozenset({"processingFailure", "backendError", "internalError"})


class Api:
    """One key, or one login."""

    def __init__(self, settings: YoutubeSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._oauth = OAuth(context, settings.oauth, (SCOPE,), account=settings.channel_id) if settings.oauth else None
        self._account = f"youtube:{_project(settings)}"
        self._budget = Budget(
            account=self._account, unit="units", most=settings.units_per_day, period=Period.DAY, zone=PACIFIC
        )
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def units_left(self) -> int:
        """Of today's budget, after what all channels of the project have used."""
        return await self._context.accounts.left(self._budget)

    async def login(self, ask: Ask) -> None:
        if self._oauth is None:
            raise ConfigError("nobody logs in with an api_key: set oauth instead")
        await self._oauth.login(ask)

    async def get(self, resource: str, **params: Any) -> dict[str, Any]:
        """Costs a unit, also when it is refused. Raises the SDK's errors, Rejected for what YouTube does not know."""
        given = {name: value for name, value in params.items() if value != ""}
        response = await self._send(resource, given)
        if response.status == 401 and self._oauth is not None:
            stale = response.call.headers["Authorization"].removeprefix("Bearer ")
            await self._oauth.access_token(stale=stale)
            response = await self._send(resource, given)
        if not 200 <= response.status < 300:
            error = self._error_of(response)
            if isinstance(error, OverBudget):
                await self._context.accounts.exhaust(self._budget)
            raise error
        return response.json_object()

    async def download(self, url: str, max_bytes: int) -> Response:
        """A picture: its address is signed, and needs no login."""
        is_ours = urlsplit(url).netloc == urlsplit(self._settings.url).netloc
        remote = self._context.remote
        return await (
            remote.request("GET", url, max_bytes=max_bytes) if is_ours else remote.fetch_public(url, max_bytes)
        )

    async def _send(self, resource: str, params: dict[str, Any]) -> Response:
        await self._context.accounts.spend(self._budget)
        return await self._context.remote.request(
            "GET",
            f"{self._settings.url}/youtube/v3/{resource}",
            params=params,
            headers=await self._headers(),
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )

    async def _headers(self) -> dict[str, str]:
        if self._oauth is not None:
            return {"Authorization": f"Bearer {await self._oauth.access_token()}"}
        assert self._settings.api_key is not None
        return {"X-Goog-Api-Key": self._settings.api_key.get_secret_value()}

    def _error_of(self, response: Response) -> AllearsError:
        reasons, detail = frozenset(reasons_of(response)), detail_of(response)
        what = f"{response.call.place}: {response.status} {', '.join(sorted(reasons))}".rstrip()
        if reasons & _USED_UP:
            text = f"the project's quota is used up until midnight Pacific ({what})"
            now = self._context.clock.now()
            until = self._budget.window(now).until
            return OverBudget(text, after_seconds=(until - now).total_seconds(), until=until, detail=detail)
        if reasons & _SLOWER:
            return RetryLater(what, after_seconds=WAIT_SECONDS, detail=detail)
        if response.status == 401 or reasons & _KEY:
            return AuthError(f"Google refuses the key or login ({what})", detail=detail)
        if reasons & _SWITCHED_OFF:
            return ConfigError(f"switch the YouTube Data API v3 on in the Google Cloud project ({what})", detail=detail)
        if reasons & _LAPSE:
            return Unavailable(what, detail=detail)
        if response.status == 403:
            text = f"YouTube does not permit this: may the login see the channel, are comments switched on? ({what})"
            return ConfigError(text, detail=detail)
        try:
            check_status(response, self._context.clock.now())
        except AllearsError as error:
            return Rejected(what, detail=detail) if isinstance(error, Rejected) else error
        raise AssertionError("a good answer is no error")


def _project(settings: YoutubeSettings) -> str:
    """Nothing in a key tells its project."""
    if settings.quota_project:
        return settings.quota_project
    if settings.oauth is not None:
        return project_of(settings.oauth)
    key = settings.api_key.get_secret_value() if settings.api_key else settings.channel_id
    return sha256_hex(key)[:16]
