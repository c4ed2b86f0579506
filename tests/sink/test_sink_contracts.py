"""The sinks of this house under the contract suite, each against its real store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.context import Context
from allears_sdk.sink import Sink
from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.sinks import SinkContract, Stored
from sink.jsonl import JsonlSettings, JsonlSink
from sink.list import ListSettings, ListSink
from sink.webhook import WebhookSettings, WebhookSink

STATUS = {Fault.TOO_MANY: 429, Fault.EXPIRED: 401, Fault.REJECT: 422}


class TestList(SinkContract):
    def make_sink(self, context: Context) -> Sink[Any]:
        return ListSink(ListSettings(sink="list"), context)


class TestJsonl(SinkContract):
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "out.jsonl"

    def make_sink(self, context: Context) -> Sink[Any]:
        return JsonlSink(JsonlSettings(sink="jsonl", path=self.path), context)

    async def stored(self) -> list[Stored]:
        lines = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        return [Stored(line["delivery_key"], line["complaint"]["description"]) for line in lines]


class TestWebhook(SinkContract):
    """A receiver that dedupes on `webhook-id`, as one must."""

    @pytest.fixture(autouse=True)
    async def store(self) -> AsyncIterator[None]:
        self.events: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []
        app = web.Application(client_max_size=32 << 20)
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield
        await runner.cleanup()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        fault = self.faults.pop(0) if self.faults else None
        if fault in STATUS:
            sent = request.headers["webhook-signature"]
            return web.Response(status=STATUS[fault], headers={"retry-after": "7"}, text=f"没有权限 {sent}")
        self.events[request.headers["webhook-id"]] = json.loads(body)
        if fault is Fault.LOSE_ANSWER:
            assert request.transport is not None
            request.transport.abort()
        if fault is Fault.GARBAGE:
            return web.Response(text="<html>login</html>", content_type="text/html")
        return web.Response(status=204)

    def make_sink(self, context: Context) -> Sink[Any]:
        settings = WebhookSettings.model_validate(
            {
                "sink": "webhook",
                "url": self.url,
                "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "headers": {"Authorization": "Bearer gate-7f3a9c"},
                "allow_private_network": True,
            }
        )
        return WebhookSink(settings, context)

    async def stored(self) -> list[Stored]:
        return [Stored(key, event["data"]["complaint"]["description"]) for key, event in self.events.items()]

    async def fail_next(self, fault: Fault) -> None:
        if fault in {Fault.UNREACHABLE, Fault.GONE, Fault.LATE}:
            absent(f'fault "{fault}"')
        self.faults.append(fault)
