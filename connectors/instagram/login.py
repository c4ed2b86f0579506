"""The token of an app with Instagram Login: 60 days, renewed while it lives ("Refresh Access Token")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.expiry import Expiry
from allears_sdk.remote import Response
from allears_sdk.renewal import Renewals
from allears_sdk.signing import sha256_hex
from connectors._meta.graph import Graph
from connectors.instagram.settings import InstagramSettings

NAME = "access_token"
AHEAD = timedelta(days=50)
"""One that ends sooner is renewed: it may be so from its second day on, and never once it has ended."""
MAX_SECONDS = 366 * 86_400
RENEW = "make a new token in Meta's console (API setup with Instagram login): this one could not be renewed"


class LoginGraph(Graph):
    """Begins with the token of the settings; what came of it is kept, until they name another."""

    def __init__(self, settings: InstagramSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._name = f"instagram-{sha256_hex(settings.token)[:24]}"
        self._renewals = Renewals()
        self._expiry = Expiry(context, self._ends, advice=RENEW)
        self._until: datetime | None = None
        self._is_loaded = False

    async def _ends(self) -> Mapping[str, datetime | None]:
        await self._load()
        if self._until is None or self._until - self._context.clock.now() < AHEAD:
            await self._renewals.finish(self._renew())
        return {NAME: self._until}

    async def _call(self, method: str, path: str, **given: Any) -> Response:
        await self._load()
        return await super()._call(method, path, **given)

    async def _load(self) -> None:
        """What was kept, once."""
        kept = None if self._is_loaded else await self._context.tokens.get(self._name)
        self._is_loaded = True
        if kept:
            self._take(str(kept["token"]), datetime.fromisoformat(kept["until"]))

    async def _renew(self) -> None:
        """On disk before it is used."""
        response = await self._context.remote.request(
            "GET",
            f"{self._settings.url}/refresh_access_token",
            params={"grant_type": "ig_refresh_token", "access_token": self._token},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        self._check(response, "refresh_access_token")
        found = response.json_object()
        token, seconds = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int) or not 0 < seconds < MAX_SECONDS:
            raise Unavailable("Meta's answer holds no token with an end")
        until = self._context.clock.now() + timedelta(seconds=seconds)
        await self._context.tokens.put(self._name, {"token": token, "until": until.isoformat()})
        self._take(token, until)

    def _take(self, token: str, until: datetime) -> None:
        self._token, self._until = token, until
        self._context.accounts.expires(NAME, until, advice=RENEW)
