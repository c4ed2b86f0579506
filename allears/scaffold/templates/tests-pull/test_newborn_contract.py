"""What every connector promises, on a platform that really listens."""

from __future__ import annotations

# %% if listen
import json

# %% endif
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

# %% if listen
from allears_sdk.connector import Batch, Wake

# %% endif
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, RetryLater
from allears_sdk.testing import make_context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.newborn import NewbornConnector, NewbornSettings

TOKEN = "token-7f3a9c"


class Platform:
    """The documented semantics: every change gets the next number, and is listed under it."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[int, dict[str, Any]]] = {}
        self.changes = 0
        self.is_busy = False

    def change(self, item: str, **fields: Any) -> None:
        self.changes += 1
        # %% if chat
        fields = {"chat": "c-1", **fields}
        # %% endif
        self.items[item] = (self.changes, {"id": item, "views": self.changes, **fields})

    def answers(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/account", self._account)
        app.router.add_get("/items", self._items)
        # %% if listen
        app.router.add_get("/events", self._events)
        # %% endif
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "no such token"}, status=401)
        if self.is_busy:
            return web.Response(status=429, headers={"Retry-After": "7"})
        answer: web.StreamResponse = await handler(request)
        return answer

    # %% if listen
    async def _events(self, request: web.Request) -> web.StreamResponse:
        """What there is, one line each; a real one would go on."""
        stream = web.StreamResponse()
        await stream.prepare(request)
        for _, item in self.items.values():
            await stream.write(json.dumps(item, ensure_ascii=False).encode() + b"\n")
        return stream

    # %% endif
    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response({"name": "Example Ltd"})

    async def _items(self, request: web.Request) -> web.Response:
        after, limit = int(request.query["after"]), int(request.query["limit"])
        later = sorted((one for one in self.items.values() if one[0] > after), key=lambda one: one[0])
        page = later[:limit]
        last = page[-1][0] if page else after
        return web.json_response(
            {"items": [item for _, item in page], "last_change": last, "has_more": len(later) > limit}
        )


class TestNewborn(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def platform(self) -> AsyncIterator[None]:
        self.there = Platform()
        runner = web.AppRunner(self.there.answers(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
        await runner.cleanup()

    def make_connector(self, context: Context, token: str = TOKEN) -> NewbornConnector:
        settings = NewbornSettings.model_validate({"url": self.url, "token": token})
        return NewbornConnector(settings, context)

    async def put(self, text: str) -> None:
        self.there.change(f"m-{len(self.there.items) + 1}", text=text, author={"name": "李雷"})

    async def put_malformed(self) -> None:
        self.there.change("bad", text=None, author="nobody")

    async def rate(self, stars: int) -> None:
        self.there.change("m-1", text=f"{stars} 星")

    async def test_it_says_whose_messages_it_reads(self, context: Context) -> None:
        identity = await self.make_connector(context).check()
        assert identity.account == "Example Ltd"
        await context.remote.aclose()

    async def test_a_refused_token_is_said_to_be_one(self, context: Context) -> None:
        with pytest.raises(AuthError):
            await self.make_connector(context, token="wrong-token").check()
        await context.remote.aclose()

    async def test_it_comes_back_when_the_platform_says(self, tmp_path: Any) -> None:
        self.there.is_busy = True
        context = make_context("busy", tmp_path)
        with pytest.raises(RetryLater) as caught:
            await self.make_connector(context).check()
        assert caught.value.after_seconds == 7
        await context.remote.aclose()

    # %% if listen
    async def test_live_items_are_those_of_the_poll(self, context: Context) -> None:
        await self.put("屏幕碎了，要求退款")
        connector = self.make_connector(context)
        heard = [one async for one in connector.listen()]
        polled = [batch async for batch in connector.poll(self.url, None, {}, 10)]
        assert heard[0] == Wake(stream=self.url), "what was said while nobody listened is polled"
        (live,) = [batch for batch in heard if isinstance(batch, Batch)]
        assert live.cursor is None
        assert [raw.key for raw in live.raws] == [raw.key for raw in polled[0].raws]
        assert [raw.digest for raw in live.raws] == [raw.digest for raw in polled[0].raws]
        await context.remote.aclose()

    # %% endif
