"""The sinks of this house under the contract suite, each against its real store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.sink import Sink
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.desk import Desk
from sink.jsonl import JsonlSettings, JsonlSink
from sink.list import ListSettings, ListSink
from sink.webhook import WebhookSettings, WebhookSink
from tests.sink.storms import Reader, Storms
from tests.sink.weather import Spoiler


class TestList(SinkContract):
    def make_sink(self, context: Context) -> Sink[Any]:
        return ListSink(ListSettings(sink="list"), context)


class JsonlStore:
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "out.jsonl"
        self.spoiler = Spoiler()

    def make_sink(self, context: Context) -> Sink[Any]:
        return self.spoiler.before(JsonlSink(JsonlSettings(sink="jsonl", path=self.path), context))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


class TestJsonl(JsonlStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(line["delivery_key"], line["complaint"]["description"]) for line in self.lines()]


class TestJsonlStorm(JsonlStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=False)
        return [Stored(line["delivery_key"], reader.read(line["event"], line["complaint"])) for line in self.lines()]

    def faults(self) -> Spoiler:
        return self.spoiler


class Receiver(Desk):
    """It dedupes on `webhook-id`, as one must."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.events: dict[str, dict[str, Any]] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        yield web.post("/hook", self.take)

    async def take(self, request: web.Request) -> web.Response:
        self.events.setdefault(request.headers["webhook-id"], json.loads(await request.read())["data"])
        return web.Response(status=204)

    def refusal(self, status: int, request: web.Request) -> web.Response:
        return web.Response(status=status, text=f"没有权限 {request.headers['webhook-signature']}")


class WebhookStore:
    @pytest.fixture(autouse=True)
    async def store(self, clock: FakeClock) -> AsyncIterator[None]:
        self.receiver = Receiver(lambda: clock.now().timestamp())
        await self.receiver.start()
        yield
        await self.receiver.stop()

    def make_sink(self, context: Context) -> Sink[Any]:
        settings = WebhookSettings.model_validate(
            {
                "sink": "webhook",
                "url": f"{self.receiver.url}/hook",
                "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "headers": {"Authorization": "Bearer gate-7f3a9c"},
                "allow_private_network": True,
            }
        )
        return WebhookSink(settings, context)


class TestWebhook(WebhookStore, SinkContract):
    async def stored(self) -> list[Stored]:
        return [Stored(key, event["complaint"]["description"]) for key, event in self.receiver.events.items()]

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.GONE:
            absent("a follow-up that is refused for good")
        await self.receiver.fail_next(fault)


class TestWebhookStorm(WebhookStore, Storms):
    async def stored(self) -> list[Stored]:
        reader = Reader(remembers=True)
        events = self.receiver.events.items()
        return [Stored(key, reader.read(event["event"], event["complaint"])) for key, event in events]

    def faults(self) -> Receiver:
        return self.receiver
