"""Google Play's reviews in small: the last week's, the newest modified first, cut into pages by tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.google_play import GooglePlayConnector, GooglePlaySettings
from tests.connectors._google.cloud import Cloud, fault, json_of, robot
from tests.connectors._mail.hosted import answered_by, make_remote

APP, OTHER_APP = "com.example.shop", "com.example.seller"
SCOPE = "https://www.googleapis.com/auth/androidpublisher"

Connect = Callable[..., GooglePlayConnector]
Item = dict[str, Any]


class Play:
    """Reviews by app; those not modified within a week are shown no more."""

    def __init__(self, now: Callable[[], datetime] = lambda: START) -> None:
        self.cloud = Cloud(SCOPE, self.show)
        self.reviews: dict[str, list[Item]] = {APP: [], OTHER_APP: []}
        self.page_items = 100
        self._now = now

    def write(
        self,
        number: int,
        text: str,
        *,
        stars: Any = 1,
        age: timedelta = timedelta(hours=1),
        app: str = APP,
        **more: Any,
    ) -> Item:
        """Written, or edited under its id."""
        said = {"text": text, "lastModified": stamp(START - age), "starRating": stars, "reviewerLanguage": "zh_CN"}
        volatile = {"thumbsUpCount": len(self.cloud.asked), "thumbsDownCount": 0}
        review = {
            "reviewId": f"gp:AOq-demo{number:04}",
            "authorName": "示例用户",
            "comments": [{"userComment": said | {"appVersionName": "4.2.1", "device": "demo7"} | volatile | more}],
        }
        rows = self.reviews[app]
        rows[:] = [row for row in rows if row["reviewId"] != review["reviewId"]] + [review]
        return review

    def answer(self, review: Item, text: str) -> None:
        """Ours, before the customer's: the order is not documented."""
        comments = [one for one in review["comments"] if "userComment" in one]
        ours = {"developerComment": {"text": text, "lastModified": stamp(START)}}
        review["comments"] = [ours, *comments]

    def show(self, request: httpx.Request) -> httpx.Response:
        app = request.url.path.removeprefix("/androidpublisher/v3/applications/").removesuffix("/reviews")
        if app not in self.reviews:
            return fault(404, "applicationNotFound")
        week_ago = (self._now() - timedelta(days=7)).timestamp()
        rows = sorted((row for row in self.reviews[app] if _order(row) >= week_ago), key=_order, reverse=True)
        start, limit = (
            int(request.url.params.get("token", "0")),
            min(int(request.url.params["maxResults"]), self.page_items),
        )
        body: Item = {"reviews": rows[start : start + limit]} if rows else {}
        if start + limit < len(rows):
            body["tokenPagination"] = {"nextPageToken": str(start + limit)}
        return json_of(body)


def stamp(at: datetime) -> Item:
    return {"seconds": str(int(at.timestamp())), "nanos": 512_000_000}


def _order(row: Item) -> float:
    said: Item = next((one["userComment"] for one in row["comments"] if "userComment" in one), {})
    return float(said.get("lastModified", stamp(START))["seconds"])


def make_settings(**more: Any) -> GooglePlaySettings:
    return GooglePlaySettings.model_validate({"apps": {APP: "示例商城"}, "oauth": robot()} | more)


@pytest.fixture
def play(clock: FakeClock) -> Iterator[Play]:
    play = Play(clock.now)
    with answered_by(play.cloud.answer):
        yield play


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, play: Play) -> Connect:
    return lambda **settings: GooglePlayConnector(make_settings(**settings), context)
