"""Google's Business Profile in small: accounts, their places, and reviews, the newest changed first, in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.budget import Budget, Period
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.google_business import GoogleBusinessConnector, GoogleBusinessSettings
from tests.connectors._google.cloud import Cloud, fault, json_of, robot
from tests.connectors._mail.hosted import answered_by, make_remote

PLACE, OTHER_PLACE = "accounts/1/locations/21", "accounts/1/locations/22"
SCOPE = "https://www.googleapis.com/auth/business.manage"
DAILY = Budget(
    account="google_business:allears-reviews", unit="calls", most=500, period=Period.DAY, zone="America/Los_Angeles"
)
STARS = ("STAR_RATING_UNSPECIFIED", "ONE", "TWO", "THREE", "FOUR", "FIVE")

Connect = Callable[..., GoogleBusinessConnector]
Item = dict[str, Any]


class Business:
    def __init__(self) -> None:
        self.cloud = Cloud(SCOPE, self.show)
        self.accounts: dict[str, list[str]] = {"accounts/1": ["locations/21"]}
        self.titles = {"locations/21": "示例餐厅（人民路店）", "locations/22": "Example Diner, Harbour"}
        self.reviews: dict[str, list[Item]] = {}
        self.page_items = 50
        self.list_items = 100

    def write(
        self,
        number: int,
        text: str | None,
        *,
        stars: Any = 1,
        age: timedelta = timedelta(hours=1),
        place: str = PLACE,
        **more: Any,
    ) -> Item:
        """Written, or edited under its id."""
        at = (START - age).isoformat().replace("+00:00", "Z")
        review = {
            "name": f"{place}/reviews/AbFdemo{number:04}",
            "reviewId": f"AbFdemo{number:04}",
            "reviewer": {"displayName": "李某", "isAnonymous": False},
            "starRating": STARS[stars] if isinstance(stars, int) else stars,
            "createTime": "2026-10-01T09:34:44Z",
            "updateTime": at,
        }
        review |= ({} if text is None else {"comment": text}) | more
        rows = self.reviews.setdefault(place, [])
        rows[:] = [row for row in rows if row["reviewId"] != review["reviewId"]] + [review]
        return review

    def show(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, request.url.params
        if request.url.host == "mybusinessaccountmanagement.googleapis.com":
            assert path == "/v1/accounts"
            return self._page(query, "accounts", [{"name": name, "type": "PERSONAL"} for name in self.accounts])
        if request.url.host == "mybusinessbusinessinformation.googleapis.com":
            assert query["readMask"] == "name,title"
            ids = self.accounts[path.removeprefix("/v1/").removesuffix("/locations")]
            return self._page(query, "locations", [{"name": one, "title": self.titles[one]} for one in ids])
        return self._reviews(path.removeprefix("/v4/").removesuffix("/reviews"), query)

    def _reviews(self, place: str, query: httpx.QueryParams) -> httpx.Response:
        account, _, location = place.partition("/locations/")
        if f"locations/{location}" not in self.accounts.get(account, []):
            return fault(404)
        assert query["orderBy"] == "updateTime desc"
        rows = sorted(self.reviews.get(place, []), key=_order, reverse=True)
        start, limit = int(query.get("pageToken", "0")), min(int(query["pageSize"]), self.page_items)
        body: Item = {"reviews": rows[start : start + limit], "totalReviewCount": len(rows)} if rows else {}
        if start + limit < len(rows):
            body["nextPageToken"] = str(start + limit)
        return json_of(body)

    def _page(self, query: httpx.QueryParams, name: str, items: list[Item]) -> httpx.Response:
        start, limit = int(query.get("pageToken", "0")), min(int(query["pageSize"]), self.list_items)
        more = {"nextPageToken": str(start + limit)} if start + limit < len(items) else {}
        return json_of({name: items[start : start + limit]} | more)


def _order(row: Item) -> str:
    return str(row.get("updateTime") or START.isoformat())


def make_settings(**more: Any) -> GoogleBusinessSettings:
    return GoogleBusinessSettings.model_validate({"oauth": robot()} | more)


@pytest.fixture
def business() -> Iterator[Business]:
    business = Business()
    with answered_by(business.cloud.answer):
        yield business


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, business: Business) -> Connect:
    return lambda **settings: GoogleBusinessConnector(make_settings(**settings), context)
