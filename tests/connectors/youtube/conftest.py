"""The YouTube Data API in small, on real HTTP: threads newest first, pages by token, five replies shown of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.budget import Budget, Period
from allears_sdk.context import Context
from allears_sdk.signing import sha256_hex
from allears_sdk.testing.clock import START
from connectors.youtube import YoutubeConnector, YoutubeSettings

CHANNEL = "UC_x5XG1OV2P6uZZ5FSM9Ttw"
KEY = "AIzaSyExampleExampleExample0123456789"
ANA, BOB = "UCanaanaanaanaanaanaanaa", "UCbobbobbobbobbobbobbobb"
SHOWN = 5
DAILY = Budget(
    account=f"youtube:{sha256_hex(KEY)[:16]}", unit="units", most=8000, period=Period.DAY, zone="America/Los_Angeles"
)

Connect = Callable[..., YoutubeConnector]
Item = dict[str, Any]


class YouTube:
    """`failures` are answered before anything else, one to a call."""

    def __init__(self) -> None:
        self.threads: dict[str, Item] = {}
        self.replies: dict[str, list[Item]] = {}
        self.held: dict[str, Item] = {}
        self.pictures: dict[str, bytes] = {}
        self.failures: list[web.Response] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.credentials = {"X-Goog-Api-Key": KEY}
        self.page_items = 100
        self.url = ""

    def write(self, number: int, text: Any, *, by: str = ANA, age: timedelta = timedelta(hours=1), **said: Any) -> Item:
        """A comment, or its edit under the same id."""
        thread = f"Ugx{number:04}"
        comment = make_comment(thread, text, by=by, at=START - age, **said)
        snippet = {"channelId": CHANNEL, "videoId": "dQw4w9WgXcQ", "topLevelComment": comment, "isPublic": True}
        row = {"kind": "youtube#commentThread", "id": thread, "snippet": snippet}
        self.threads[thread] = row
        return row

    def reply(self, number: int, text: str, *, by: str = CHANNEL, age: timedelta = timedelta(minutes=30)) -> Item:
        thread = f"Ugx{number:04}"
        replies = self.replies.setdefault(thread, [])
        comment = make_comment(f"{thread}.R{len(replies)}", text, by=by, at=START - age, parentId=thread)
        replies.append(comment)
        return comment

    def fail(self, status: int, reason: str, message: str = "") -> None:
        error = {"code": status, "message": message, "errors": [{"domain": "youtube", "reason": reason}]}
        self.failures.append(web.json_response({"error": error}, status=status))

    async def handle(self, request: web.Request) -> web.Response:
        resource = request.match_info["resource"]
        self.asked.append((resource, dict(request.query)))
        if self.failures:
            return self.failures.pop(0)
        if any(request.headers.get(name) != value for name, value in self.credentials.items()):
            self.fail(400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.")
            return self.failures.pop(0)
        assert KEY not in request.query_string, "the key stands in an address"
        answer: Item = getattr(self, f"_{resource}")(request.query)
        return web.json_response(answer)

    async def picture(self, request: web.Request) -> web.Response:
        return web.Response(body=self.pictures[request.match_info["name"]], content_type="image/webp")

    def _channels(self, query: Any) -> Item:
        return {"items": [{"id": CHANNEL, "snippet": {"title": "晨光商城"}}] if query["id"] == CHANNEL else []}

    def _commentThreads(self, query: Any) -> Item:  # noqa: N802 - the API's name
        assert (query["allThreadsRelatedToChannelId"], query["order"]) == (CHANNEL, "time")
        rows = self.held if query.get("moderationStatus") else self.threads
        listed = sorted(rows.values(), key=_published, reverse=True)
        return _cut([self._shown(row) for row in listed], query, self.page_items)

    def _comments(self, query: Any) -> Item:
        if "parentId" in query:
            return _cut(self.replies.get(query["parentId"], [])[::-1], query, self.page_items)
        everything = [row["snippet"]["topLevelComment"] for row in self.threads.values()]
        return {"items": [one for one in everything if one["id"] == query["id"]]}

    def _shown(self, row: Item) -> Item:
        replies = self.replies.get(row["id"], [])
        snippet = row["snippet"] | {"totalReplyCount": len(replies)}
        return {**row, "snippet": snippet} | ({"replies": {"comments": replies[-SHOWN:]}} if replies else {})


def make_comment(identifier: str, text: Any, *, by: str, at: datetime, **said: Any) -> Item:
    stamp = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    snippet = {
        "textDisplay": text,
        "textOriginal": text,
        "authorDisplayName": "@ana-demo",
        "authorChannelId": {"value": by},
        "videoId": "dQw4w9WgXcQ",
        "likeCount": 3,
        "publishedAt": stamp,
        "updatedAt": stamp,
        **said,
    }
    return {"kind": "youtube#comment", "id": identifier, "snippet": snippet}


def _published(row: Item) -> str:
    return str(row["snippet"]["topLevelComment"]["snippet"].get("publishedAt"))


def _cut(rows: list[Item], query: Any, page_items: int) -> Item:
    start, size = int(query.get("pageToken") or 0), min(int(query.get("maxResults", 20)), page_items)
    following = {"nextPageToken": str(start + size)} if start + size < len(rows) else {}
    return {"items": rows[start : start + size], **following}


@asynccontextmanager
async def running() -> AsyncIterator[YouTube]:
    youtube = YouTube()
    app = web.Application()
    app.router.add_get("/youtube/v3/{resource}", youtube.handle)
    app.router.add_get("/pictures/{name}", youtube.picture)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    youtube.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield youtube
    finally:
        await runner.cleanup()


def make_settings(url: str = "http://127.0.0.1:9", **more: Any) -> YoutubeSettings:
    login = {} if "oauth" in more else {"api_key": KEY}
    return YoutubeSettings.model_validate({"channel_id": CHANNEL, "url": url, **login, **more})


@pytest.fixture
async def youtube() -> AsyncIterator[YouTube]:
    async with running() as youtube:
        yield youtube


@pytest.fixture
def connect(youtube: YouTube, context: Context) -> Connect:
    return lambda **settings: YoutubeConnector(make_settings(youtube.url, **settings), context)
