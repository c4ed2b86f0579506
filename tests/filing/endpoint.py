"""A chat completions endpoint on loopback, as its public documentation describes one; what it says is scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from allears.settings.model_section import ModelSection

KEY = "sk-test-4f0c2a7d91b84e63"
MODEL = "qwen3:8b"
Says = Callable[[Mapping[str, Any]], Awaitable[web.Response]]


def completion(content: str | None, **more: Any) -> web.Response:
    """As the API frames an answer."""
    return web.json_response(
        {
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "object": "chat.completion",
            "created": 1763784000,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": None, **more},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 512, "completion_tokens": 64, "total_tokens": 576},
        }
    )


def answer(**fields: tuple[Any, list[str]]) -> web.Response:
    """`category=("product.design", ["words"])` as the JSON that was asked for."""
    said = {name: {"value": value, "quotes": quotes} for name, (value, quotes) in fields.items()}
    return completion(json.dumps(said, ensure_ascii=False))


def error(status: int, message: str, **headers: str) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return web.json_response(body, status=status, headers=headers)


class Endpoint:
    """Listens while it is open. `says` makes each answer; `heard` keeps the requests' bodies."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.says: Says = self._says_nothing
        self.running = self.most_running = 0
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def base_url(self) -> str:
        assert self._runner
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    def section(self, **facts: Any) -> ModelSection:
        given = {"enabled": True, "base_url": self.base_url, "model": MODEL, "api_key": KEY, "timeout_seconds": 5}
        return ModelSection.model_validate({**given, **facts})

    def always(self, response: Callable[[], web.Response]) -> None:
        async def says(body: Mapping[str, Any]) -> web.Response:
            return response()

        self.says = says

    def hang(self) -> asyncio.Event:
        """Answers nothing until the event is set, and then what it said before."""
        before, free = self.says, asyncio.Event()

        async def says(body: Mapping[str, Any]) -> web.Response:
            await free.wait()
            return await before(body)

        self.says = says
        return free

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, "Incorrect API key provided.")
        self.heard.append(await request.json())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self.says(self.heard[-1])
        finally:
            self.running -= 1

    async def _says_nothing(self, body: Mapping[str, Any]) -> web.Response:
        return completion("{}")
