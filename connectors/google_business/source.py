"""Which places there are, and their reviews."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from allears_sdk.budget import Budget, Period
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Unavailable
from connectors._google.api import Api, Service
from connectors._google.project import PACIFIC, project_of
from connectors._google.reviews import text_of
from connectors.google_business.pages import Place
from connectors.google_business.settings import GoogleBusinessSettings

PAGE_ITEMS = 50
PLACES_PER_PAGE, ACCOUNTS_PER_PAGE = 100, 20
CALLS_PER_SECOND, CALLS_AT_ONCE = 4.0, 30
"""Within the 300 a minute that a project has, all its channels together."""
_SERVICE = Service(
    name="Google My Business API (and My Business Account Management, My Business Business Information)",
    scope="https://www.googleapis.com/auth/business.manage",
    permission="this account may not read the reviews: log in as an owner or manager of the Business Profile",
    approval="Google has given this Cloud project no quota: apply for access to the Business Profile APIs, and wait "
    "until it is approved",
)


class Source:
    def __init__(self, settings: GoogleBusinessSettings, context: Context) -> None:
        self._settings = settings
        self._api = Api(_SERVICE, context, settings.oauth, timeout_seconds=settings.timeout_seconds)
        self.oauth = self._api.oauth
        self.account = self._api.account
        self._limit = f"google_business:{settings.quota_project or project_of(settings.oauth)}"
        calls = settings.calls_per_day
        self._budget = Budget(account=self._limit, unit="calls", most=calls, period=Period.DAY, zone=PACIFIC)
        context.remote.limit(self._limit, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def places(self) -> list[Place]:
        """Those of the settings, else all; one that several accounts manage is there once."""
        if named := self._settings.locations:
            return [Place(name=name, title=title or name) for name, title in named.items()]
        found: dict[str, Place] = {}
        accounts = f"{self._settings.accounts_url}/v1/accounts"
        async for account in self._listed(accounts, "accounts", pageSize=ACCOUNTS_PER_PAGE):
            async for place in self._places_of(text_of(account, "name")):
                found.setdefault(place.id, place)
        return list(found.values())

    async def reviews(self, place: Place, position: str, *, limit: int = PAGE_ITEMS) -> dict[str, Any]:
        asked = {"pageSize": limit, "pageToken": position, "orderBy": "updateTime desc"}
        try:
            return await self._get(f"{self._settings.url}/v4/{place.name}/reviews", asked)
        except Rejected as error:
            what = f"Google does not give the reviews of {place.title}: is the place verified, and still {place.name}?"
            kind = ConfigError if place.name in self._settings.locations and not position else Unavailable
            raise kind(what, detail=error.detail) from None

    async def _places_of(self, account: str) -> AsyncIterator[Place]:
        url = f"{self._settings.locations_url}/v1/{account}/locations"
        async for item in self._listed(url, "locations", readMask="name,title", pageSize=PLACES_PER_PAGE):
            if name := text_of(item, "name"):
                yield Place(name=f"{account}/{name}", title=text_of(item, "title") or name)

    async def _listed(self, url: str, name: str, **params: Any) -> AsyncIterator[Any]:
        position = ""
        while True:
            answer = await self._get(url, {**params, "pageToken": position})
            items = answer.get(name, [])
            for item in items if isinstance(items, list) else ():
                yield item
            before, position = position, text_of(answer, "nextPageToken")
            if not position or position == before:
                return

    async def _get(self, url: str, params: dict[str, Any]) -> dict[str, Any]:
        budget = self._budget if self._budget.most else None
        return await self._api.get(url, params, account=self._limit, budget=budget)
