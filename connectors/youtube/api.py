"""Calls to the YouTube Data API, counted in its units ("Quota Calculator", "Errors")."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.remote import Response, check_status
from allears_sdk.remote.answers import detail_of
from allears_sdk.signing import sha256_hex
from connectors._google.api import reasons_of
from connectors.youtube.settings import YoutubeSettings

SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
PACIFIC = "America/Los_Angeles"
"""Where the day of a quota ends."""
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
        key = settings.api_key.get_secret_value() if settings.api_key else settings.channel_id
        self._account = f"youtube:{sha256_hex(key)[:16]}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self._day = date.min
        self._used = 0

    @property
    def units_left(self) -> int:
        """Of today's budget. After a restart it is whole again: Google's own quota still holds."""
        today = self._pacific().date()
        if today != self._day:
            self._day, self._used = today, 0
        return self._settings.units_per_day - self._used

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
            raise self._error_of(response)
        answer = response.json()
        if not isinstance(answer, dict):
            raise Unavailable(f"{response.call.place}: the answer is not what YouTube documents")
        return answer

    async def download(self, url: str, max_bytes: int) -> Response:
        """A picture: its address is signed, and needs no login."""
        is_ours = urlsplit(url).netloc == urlsplit(self._settings.url).netloc
        remote = self._context.remote
        return await (
            remote.request("GET", url, max_bytes=max_bytes) if is_ours else remote.fetch_public(url, max_bytes)
        )

    async def _send(self, resource: str, params: dict[str, Any]) -> Response:
        if self.units_left <= 0:
            raise RetryLater("units_per_day are used up until midnight Pacific", after_seconds=self._until_midnight())
        self._used += 1
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
            return RetryLater(text, after_seconds=self._until_midnight(), detail=detail)
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

    def _pacific(self) -> datetime:
        return self._context.clock.now().astimezone(ZoneInfo(PACIFIC))

    def _until_midnight(self) -> float:
        now = self._pacific()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
        return midnight.timestamp() - now.timestamp()
