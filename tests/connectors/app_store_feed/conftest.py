"""Apple's public feed in small, with its habits: one review stands alone, none leaves `entry` out, no page 11."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.app_store_feed import AppStoreFeedConnector, AppStoreFeedSettings

APP = "6448311069"
HOUR = timedelta(hours=1)
CUPERTINO = timezone(timedelta(hours=-7))

Connect = Callable[..., AppStoreFeedConnector]
Entry = dict[str, Any]


class Feed:
    """Entries by country, newest first by what they say."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {"cn": [], "us": []}
        self.page_items = 50
        self.shows_app = True
        self.failures: list[web.Response] = []
        self.asked: list[str] = []
        self.url = ""

    def write(
        self, number: int, text: str, *, stars: int | str = 1, age: timedelta = HOUR, country: str = "cn"
    ) -> Entry:
        """Written, or edited under its id."""
        entry = {
            "id": {"label": f"1180000{number:04}"},
            "author": {
                "name": {"label": "示例昵称"},
                "uri": {"label": f"https://itunes.apple.com/{country}/reviews/id7700{number:04}"},
                "label": "",
            },
            "im:version": {"label": "4.2.1"},
            "im:rating": {"label": str(stars)},
            "im:voteSum": {"label": str(len(self.asked))},
            "im:voteCount": {"label": str(len(self.asked))},
            "title": {"label": "闪退"},
            "content": {"label": text, "attributes": {"type": "text"}},
            "link": {"attributes": {"rel": "related", "href": f"https://itunes.apple.com/{country}/review?id={APP}"}},
            "updated": {"label": (START - age).astimezone(CUPERTINO).isoformat(timespec="seconds")},
        }
        rows = self.entries[country]
        rows[:] = [row for row in rows if row.get("id") != entry["id"]] + [entry]
        return entry

    async def show(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.failures:
            return self.failures.pop(0)
        page, country = int(request.match_info["page"]), request.match_info["country"]
        if page > 10:
            return web.Response(text="CustomerReviews RSS page depth is limited to 10", status=400)
        rows = self.entries[country] if request.match_info["app"] == APP else []
        rows = sorted(rows, key=_order, reverse=True)[(page - 1) * self.page_items : page * self.page_items]
        if self.shows_app and page == 1 and rows:
            rows = [
                {"im:name": {"label": "示例商城"}, "id": {"label": f"https://apps.apple.com/{country}/app/id{APP}"}},
                *rows,
            ]
        feed: dict[str, Any] = {
            "title": {"label": "iTunes Store: Customer Reviews"},
            "author": {"name": {"label": "iTunes"}},
        }
        if rows:
            feed["entry"] = rows[0] if len(rows) == 1 else rows
        return web.json_response({"feed": feed}, content_type="text/javascript")


def _order(entry: Entry) -> tuple[datetime, str]:
    at = entry.get("updated", {}).get("label")
    return (datetime.fromisoformat(at) if at else START), entry["id"]["label"] if "id" in entry else ""


@asynccontextmanager
async def running() -> AsyncIterator[Feed]:
    feed = Feed()
    app = web.Application()
    app.router.add_get("/{country}/rss/customerreviews/page={page}/id={app}/sortby=mostrecent/json", feed.show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feed.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield feed
    await runner.cleanup()


def make_settings(url: str, **more: Any) -> AppStoreFeedSettings:
    return AppStoreFeedSettings.model_validate({"url": url, "apps": {APP: "示例商城"}, "countries": ["cn"], **more})


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with running() as feed:
        yield feed


@pytest.fixture
def connect(context: Context, feed: Feed) -> Connect:
    return lambda **settings: AppStoreFeedConnector(make_settings(feed.url, **settings), context)
