"""Reddit in small, on real HTTP: listings newest first, pages by the name of an item, tokens for basic auth."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.reddit import RedditConnector, RedditSettings

CLIENT, SECRET, ME, PASSWORD = "p-jcoLKBynTLew", "gko_LXELoV07ZBNUXrvWZfzE3aI", "example_support", "hunter2-example"
HOME = "examplebrand"
MOST = 1000

Connect = Callable[..., RedditConnector]
Item = dict[str, Any]


class Reddit:
    """`failures` are answered before anything else but log-ins, one to a call."""

    def __init__(self) -> None:
        self.things: dict[str, Item] = {}
        self.junk: list[Any] = []
        self.gone: dict[str, Item] = {}
        self.pictures: dict[str, bytes] = {}
        self.failures: list[web.Response] = []
        self.fail_from = ""
        """A path that answers nothing but 502."""
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.grants: list[dict[str, str]] = []
        self.answers: list[dict[str, str]] = []
        self.errors: list[list[str]] = []
        self.tokens: set[str] = set()
        self.page_items = 100
        self.url = ""
        self.base = START
        """The ages of items count back from here."""

    def post(self, number: int, text: Any, *, by: str = "ana_demo", **said: Any) -> Item:
        """A post, or its edit under the same name."""
        fields = {"title": f"Post no. {number}", "selftext": text, "is_self": True, **said}
        fields.setdefault("permalink", f"/r/{HOME}/comments/p{number}/post_no_{number}/")
        fields.setdefault("url", f"https://www.reddit.com{fields['permalink']}")
        return self._put("t3", f"t3_p{number}", by, fields)

    def comment(self, number: int, post: int, text: Any, *, by: str = "bob_demo", **said: Any) -> Item:
        place = f"/r/{HOME}/comments/p{post}/post_no_{post}/c{number}/"
        fields = {"body": text, "link_id": f"t3_p{post}", "parent_id": f"t3_p{post}", "permalink": place, **said}
        return self._put("t1", f"t1_c{number}", by, fields)

    def message(self, number: int, text: str, *, by: str = "ana_demo", **said: Any) -> Item:
        return self._put("t4", f"t4_m{number}", by, {"subject": "Order 7741", "body": text, "dest": ME, **said})

    def delete(self, name: str) -> None:
        """It is listed no more, and told of as deleted when asked for."""
        thing = self.things.pop(name)
        told = {"author": "[deleted]", "author_fullname": None}
        told |= {"body": "[deleted]"} if thing["kind"] == "t1" else {"removed_by_category": "deleted"}
        self.gone[name] = thing | {"data": thing["data"] | told}

    def _put(self, kind: str, name: str, by: str, fields: Item) -> Item:
        age = fields.pop("age", timedelta(hours=1))
        before = self.things.get(name, {}).get("data", {})
        data = {
            "name": name,
            "id": name[3:],
            "author": by,
            "author_fullname": f"t2_{by[:3]}",
            "created_utc": before.get("created_utc", stamp(self.base - age)),
            "edited": stamp(self.base) if before else False,
            "subreddit": HOME,
            "ups": len(self.asked),
            **fields,
        }
        thing = {"kind": kind, "data": data}
        self.things[name] = thing
        return thing

    async def handle(self, request: web.Request) -> web.Response:
        path = f"/{request.match_info['path']}"
        self.asked.append((path, dict(request.query)))
        assert ME in request.headers["User-Agent"], "Reddit throttles whoever does not say who they are"
        if self.failures:
            return self.failures.pop(0)
        if path == self.fail_from:
            return web.Response(status=502)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        if request.method == "POST":
            self.answers.append({name: str(value) for name, value in (await request.post()).items()})
            return web.json_response({"json": {"errors": self.errors, "data": {}}})
        if path == "/r/nosuchplace/new":
            raise web.HTTPFound("/subreddits/search?q=nosuchplace")
        if path == "/r/private/new":
            return web.json_response({"reason": "private", "message": "Forbidden", "error": 403}, status=403)
        return web.json_response(self._answer(path, request.query), headers=self.headers)

    def _answer(self, path: str, query: Any) -> Item:
        if path == "/subreddits/search":
            return listing([{"kind": "t5", "data": {"name": "t5_x", "created_utc": 1.0}}])
        assert query["raw_json"] == "1"
        if path == "/api/info":
            known = {**self.things, **self.gone}
            return listing([known[name] for name in query["id"].split(",") if name in known])
        chosen = [thing for thing in self.things.values() if self._is_in(thing, path, query)]
        ordered = sorted(chosen, key=lambda thing: -_created(thing))[:MOST]
        if query.get("after"):
            names = [thing["data"]["name"] for thing in ordered]
            ordered = ordered[names.index(query["after"]) + 1 :] if query["after"] in names else []
        page = ordered[: min(int(query["limit"]), self.page_items)]
        after = page[-1]["data"]["name"] if len(ordered) > len(page) else None
        return listing([*page, *(self.junk if path.endswith("/new") else [])], after)

    def _is_in(self, thing: Item, path: str, query: Any) -> bool:
        kind, data = thing["kind"], thing["data"]
        is_ours = data["author"] == ME
        belongs: dict[str, bool] = {
            f"/r/{HOME}/new": kind == "t3",
            f"/r/{HOME}/comments": kind == "t1",
            "/search": kind == "t3" and str(query.get("q", "")) in str(data["selftext"]),
            f"/user/{ME}/comments": kind == "t1" and is_ours,
            "/message/inbox": kind == "t4" and not is_ours,
            "/message/sent": kind == "t4" and is_ours,
        }
        return belongs[path]

    async def grant(self, request: web.Request) -> web.Response:
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.grants.append(form)
        if form.get("password", PASSWORD) != PASSWORD:
            return web.json_response({"error": "invalid_grant"})
        token = f"eyJ-token-{len(self.grants)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": 86400, "scope": "read"})

    async def picture(self, request: web.Request) -> web.Response:
        content = self.pictures.get(f"{request.match_info['name']}.png")
        return web.Response(status=404) if content is None else web.Response(body=content, content_type="image/png")


def stamp(moment: datetime) -> float:
    return moment.timestamp()


def listing(things: list[Any], after: str | None = None) -> Item:
    return {"kind": "Listing", "data": {"after": after, "before": None, "dist": len(things), "children": things}}


def _created(thing: Item) -> float:
    created = thing["data"].get("created_utc")
    return created if isinstance(created, float) else 0.0


@asynccontextmanager
async def running() -> AsyncIterator[Reddit]:
    reddit = Reddit()
    app = web.Application()
    app.router.add_post("/api/v1/access_token", reddit.grant)
    app.router.add_get("/{name}.png", reddit.picture)
    app.router.add_route("*", "/{path:.*}", reddit.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reddit.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield reddit
    finally:
        await runner.cleanup()


def make_settings(url: str = "http://127.0.0.1:9", **more: Any) -> RedditSettings:
    given = {"client_id": CLIENT, "client_secret": SECRET, "username": ME, "password": PASSWORD, "subreddits": [HOME]}
    places = {"url": url, "login_url": url, "images_url": url, "calls_per_minute": 6000}
    return RedditSettings.model_validate(given | places | more)


@pytest.fixture
async def reddit() -> AsyncIterator[Reddit]:
    async with running() as reddit:
        yield reddit


@pytest.fixture
def connect(reddit: Reddit, context: Context) -> Connect:
    return lambda **settings: RedditConnector(make_settings(reddit.url, **settings), context)
