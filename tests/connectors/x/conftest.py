"""The X API in small, on real HTTP: posts newest first, what each caller is charged, and what it no longer gives."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.x import XConnector, XSettings
from connectors.x.walk import EPOCH_MS

ME, OWN = "4711", "examplebrand"
ANA, BOB = "100200300", "100200301"
NAMES = {ME: ("Example Brand", OWN), ANA: ("Ana Demo", "ana_demo"), BOB: ("小张", "bob_demo")}
BEARER = "AAAAAAAAAAAAAAAAAAAAAExampleBearer"
CLIENT = "N2ktExampleClient"
WINDOW = timedelta(days=7)
REACH = 800

Connect = Callable[..., XConnector]
Item = dict[str, Any]


class Visitor:
    """Grants access, and pastes the address that the browser was led to."""

    async def show(self, url: str, code: str) -> None:
        self.asked = dict(parse_qsl(urlsplit(url).query))

    async def prompt(self, text: str) -> str:
        return f"{self.asked['redirect_uri']}/?code=code-from-x&state={self.asked['state']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class X:
    """`failures` are answered before anything else, one to a call."""

    def __init__(self) -> None:
        self.posts: dict[str, Item] = {}
        self.messages: list[Any] = []
        self.media: dict[str, Item] = {}
        self.pictures: dict[str, bytes] = {}
        self.failures: list[web.Response] = []
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.tokens = {BEARER}
        self.charged: set[tuple[str, str, str]] = set()
        self.grants = 0
        self.page_items = 100
        self.now: Callable[[], datetime] = lambda: START
        self.url = ""
        self.base = START
        """The ages of items count back from here."""

    def write(self, number: int, text: Any, *, by: str = ANA, age: timedelta = timedelta(hours=1), **said: Any) -> Item:
        at = self.base - age
        identifier = post_id(at, number)
        post: Item = {
            "id": identifier,
            "text": text,
            "author_id": by,
            "created_at": stamp(at),
            "conversation_id": identifier,
            "edit_history_tweet_ids": [identifier],
            "lang": "en",
            **said,
        }
        self.posts[identifier] = post
        return post

    def answer(self, number: int, post: Item, text: str, *, by: str, to: str, age: timedelta) -> Item:
        references = [{"type": "replied_to", "id": post["id"]}]
        place = {"conversation_id": post["conversation_id"], "in_reply_to_user_id": to}
        return self.write(number, text, by=by, age=age, referenced_tweets=references, **place)

    def message(
        self, number: int, text: Any, *, by: str = ANA, to: str = ME, age: timedelta = timedelta(hours=1), **said: Any
    ) -> Item:
        at = self.base - age
        talk = "-".join(sorted((by, to), key=int))
        event = {
            "id": post_id(at, number),
            "event_type": "MessageCreate",
            "text": text,
            "sender_id": by,
            "dm_conversation_id": talk,
            "created_at": stamp(at),
            **said,
        }
        self.messages.append(event)
        return event

    def fail(self, status: int, title: str, kind: str = "about:blank", **headers: str) -> None:
        body = {"title": title, "detail": title, "type": f"https://api.x.com/2/problems/{kind}", "status": status}
        self.failures.append(web.json_response(body, status=status, headers=headers))

    def pages(self, path: str) -> list[dict[str, str]]:
        return [query for asked, query in self.asked if asked.endswith(path)]

    async def handle(self, request: web.Request) -> web.Response:
        path = f"/{request.match_info['path']}"
        self.asked.append((path, dict(request.query)))
        if self.failures:
            return self.failures.pop(0)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            self.fail(401, "Unauthorized")
            return self.failures.pop(0)
        if path in ("/2/users/me", f"/2/users/by/username/{OWN}"):
            self._charge("user", [ME])
            return web.json_response({"data": user_of(ME)})
        if path.startswith("/2/users/by/username/"):
            return web.json_response({"errors": [{"title": "Not Found Error", "type": ".../resource-not-found"}]})
        if path == "/2/dm_events":
            return web.json_response(self._talk(request.query), headers=self.headers)
        return web.json_response(self._list(path, request.query), headers=self.headers)

    def _talk(self, query: Any) -> Item:
        assert (query["event_types"], query["expansions"]) == ("MessageCreate", "sender_id")
        given = [one for one in self.messages if self.now() - _said(one) <= timedelta(days=30)]
        ordered = sorted(given, key=_said, reverse=True)
        start, count = int(query.get("pagination_token", 0)), min(int(query["max_results"]), self.page_items)
        page = ordered[start : start + count]
        users = list(dict.fromkeys(by for one in page if (by := str(one.get("sender_id"))) in NAMES))
        self._charge("message", [str(one.get("id")) for one in page])
        self._charge("user", users)
        meta: Item = {"result_count": len(page)}
        if start + count < len(ordered):
            meta["next_token"] = str(start + count)
        if not page:
            return {"meta": meta}
        return {"data": page, "includes": {"users": [user_of(one) for one in users]}, "meta": meta}

    def _list(self, path: str, query: Any) -> Item:
        is_search = path == "/2/tweets/search/recent"
        start = datetime.fromisoformat(query["start_time"])
        if is_search:
            assert self.now() >= START and start > self.now() - WINDOW, "X refuses what is older than its window"
        assert (10 if is_search else 5) <= int(query["max_results"]) <= 100
        chosen = sorted((one for one in self.posts.values() if self._is_in(one, path)), key=_number, reverse=True)
        reachable = chosen if is_search else chosen[:REACH]
        found = [one for one in reachable if _made(one) >= start]
        if query.get("until_id"):
            found = [one for one in found if _number(one) < int(query["until_id"])]
        page = found[: min(int(query["max_results"]), self.page_items)]
        return self._page(page, has_more=len(found) > len(page))

    def _page(self, page: list[Item], *, has_more: bool) -> Item:
        users = list(dict.fromkeys(author for one in page if (author := str(one.get("author_id"))) in NAMES))
        keys = [key for one in page for key in one.get("attachments", {}).get("media_keys", [])]
        self._charge("post", [str(one.get("id")) for one in page])
        self._charge("user", users)
        self._charge("media", keys)
        meta = {"result_count": len(page)} | ({"next_token": "7140dibdnow9c7btw4"} if has_more else {})
        if not page:
            return {"meta": meta}
        includes = {"users": [user_of(one) for one in users], "media": [self.media[key] for key in keys]}
        return {"data": page, "includes": includes, "meta": meta}

    def _is_in(self, post: Item, path: str) -> bool:
        is_ours = post.get("author_id") == ME
        if path == f"/2/users/{ME}/tweets":
            return is_ours
        return not is_ours and (path == f"/2/users/{ME}/mentions" or "refund" in str(post.get("text")))

    def _charge(self, kind: str, items: list[str]) -> None:
        """Each once a day."""
        self.charged |= {(f"{self.now():%Y-%m-%d}", kind, one) for one in items}

    async def picture(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        content = self.pictures.get(request.match_info["name"])
        return web.Response(status=404) if content is None else web.Response(body=content, content_type="image/jpeg")

    async def grant(self, request: web.Request) -> web.Response:
        """Refresh tokens serve once."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        assert form["client_id"] == CLIENT
        if form["grant_type"] == "authorization_code":
            assert (form["code"], "code_verifier" in form) == ("code-from-x", True)
        elif form["refresh_token"] != f"refresh-{self.grants}":
            return web.json_response({"error": "invalid_request"}, status=400)
        self.grants += 1
        self.tokens = {f"access-{self.grants}"}
        told = {"access_token": f"access-{self.grants}", "refresh_token": f"refresh-{self.grants}", "expires_in": 7200}
        return web.json_response({"token_type": "bearer", **told})


def post_id(at: datetime, number: int) -> str:
    return str(((int(at.timestamp() * 1000) - EPOCH_MS) << 22) + number)


def user_of(identifier: str) -> Item:
    name, username = NAMES[identifier]
    return {"id": identifier, "name": name, "username": username}


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _said(event: Item) -> datetime:
    return datetime.fromisoformat(event["created_at"])


def _number(post: Item) -> int:
    return int(post["sort"] if "sort" in post else post["id"])


def _made(post: Item) -> datetime:
    return datetime.fromtimestamp(((_number(post) >> 22) + EPOCH_MS) / 1000, START.tzinfo)


@asynccontextmanager
async def running() -> AsyncIterator[X]:
    x = X()
    app = web.Application()
    app.router.add_post("/2/oauth2/token", x.grant)
    app.router.add_get("/media/{name}", x.picture)
    app.router.add_get("/{path:.*}", x.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    x.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield x
    finally:
        await runner.cleanup()


def make_settings(url: str = "http://127.0.0.1:9", **more: Any) -> XSettings:
    given = {"username": OWN, "monthly_budget": 1000, "url": url, "media_url": url, "calls_per_minute": 6000}
    login = {} if "client_id" in more else {"bearer_token": BEARER}
    return XSettings.model_validate(given | login | more)


@pytest.fixture
async def x(clock: FakeClock) -> AsyncIterator[X]:
    async with running() as x:
        x.now = clock.now
        yield x


@pytest.fixture
def connect(x: X, context: Context) -> Connect:
    return lambda **settings: XConnector(make_settings(x.url, **settings), context)
