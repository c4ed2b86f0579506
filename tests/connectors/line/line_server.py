"""The Messaging API in miniature, on real HTTP, and deliveries as LINE signs them.

"Messaging API reference": stateless tokens, content behind the token, reply tokens that serve once, retry keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from allears_sdk.connector import Request
from allears_sdk.testing.clock import START

SECRET = "line-channel-secret-01"
CHANNEL_ID = "1656789012"
BOT = "U00000000000000000000000000000001"


class LineServer:
    """Its `url` answers. `profiles` and `files` are what it knows; `fail(path part, status, message)` once."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.revoked: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.preparing: dict[str, str] = {}
        """Message → "processing" or "failed"."""
        self.profiles: dict[str, str] = {}
        """Path below /v2/bot/ → display name."""
        self.reply_tokens: set[str] = set()
        self.replied: list[dict[str, Any]] = []
        self.pushed: list[dict[str, Any]] = []
        self.retry_keys: set[str] = set()
        self.faults: list[tuple[str, int, str]] = []
        self.lost_answers = 0
        self.webhook: dict[str, Any] | None = {"endpoint": "https://shop.example.com/in/line", "active": True}
        self.asked: list[str] = []
        self.ends: dict[str, tuple[str, int]] = {}
        """Token → the call that knows it, and the seconds it has left."""

    async def start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/oauth2/v3/token", self._token)
        app.router.add_get("/oauth2/v2.1/verify", self._verify)
        app.router.add_post("/v2/oauth/verify", self._verify)
        app.router.add_get("/v2/bot/info", self._info)
        app.router.add_get("/v2/bot/channel/webhook/endpoint", self._endpoint)
        app.router.add_get("/v2/bot/message/{id}/content", self._content)
        app.router.add_get("/v2/bot/message/{id}/content/transcoding", self._transcoding)
        app.router.add_post("/v2/bot/message/reply", self._reply)
        app.router.add_post("/v2/bot/message/push", self._push)
        app.router.add_get("/v2/bot/{place:.+}", self._profile)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def fail(self, path: str, status: int, message: str = "") -> None:
        self.faults.append((path, status, message))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        for fault in self.faults:
            if fault[0] in request.path:
                self.faults.remove(fault)
                return _error(fault[1], fault[2])
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not request.path.startswith(("/oauth2/", "/v2/oauth/")) and (
            token not in self.tokens or token in self.revoked
        ):
            return _error(
                401, "Authentication failed. Confirm that the access token in the authorization header is valid."
            )
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _token(self, request: web.Request) -> web.Response:
        given = await request.post()
        if (given["client_id"], given["client_secret"]) != (CHANNEL_ID, SECRET):
            body = {"error": "invalid_client", "error_description": "invalid client credentials"}
            return web.json_response(body, status=400)
        self.tokens.append(f"stateless-{len(self.tokens)}-abcdef")
        return web.json_response({"token_type": "Bearer", "access_token": self.tokens[-1], "expires_in": 900})

    async def _verify(self, request: web.Request) -> web.Response:
        given = request.query if request.method == "GET" else await request.post()
        path, seconds = self.ends.get(str(given["access_token"]), ("", 0))
        if path != request.path:
            body = {"error": "invalid_request", "error_description": "The access token expired"}
            return web.json_response(body, status=400)
        return web.json_response({"client_id": CHANNEL_ID, "expires_in": seconds, "scope": "P CM"})

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response({"userId": BOT, "basicId": "@216ru", "displayName": "晨光商城", "chatMode": "bot"})

    async def _endpoint(self, request: web.Request) -> web.Response:
        return web.json_response(self.webhook) if self.webhook else _error(404, "Webhook endpoint not found")

    async def _content(self, request: web.Request) -> web.Response:
        message = request.match_info["id"]
        if message in self.preparing:
            return web.Response(status=202)
        if message not in self.files:
            return _error(404, "Not found")
        return web.Response(body=self.files[message], content_type="image/jpeg")

    async def _transcoding(self, request: web.Request) -> web.Response:
        return web.json_response({"status": self.preparing[request.match_info["id"]]})

    async def _profile(self, request: web.Request) -> web.Response:
        name = self.profiles.get(request.match_info["place"])
        return web.json_response({"displayName": name, "userId": "U"}) if name else _error(404, "Not found")

    async def _reply(self, request: web.Request) -> web.Response:
        said = json.loads(await request.read())
        if said["replyToken"] not in self.reply_tokens:
            return _error(400, "Invalid reply token")
        self.reply_tokens.remove(said["replyToken"])
        self.replied.append(said)
        return self._sent(request)

    async def _push(self, request: web.Request) -> web.Response:
        key = request.headers["X-Line-Retry-Key"]
        if key in self.retry_keys:
            return _error(409, "The retry key is already accepted")
        self.retry_keys.add(key)
        self.pushed.append(json.loads(await request.read()))
        return self._sent(request)

    def _sent(self, request: web.Request) -> web.Response:
        if self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"sentMessages": [{"id": "461230966842064897"}]})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


@asynccontextmanager
async def running() -> AsyncIterator[LineServer]:
    server = LineServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def make_request(body: bytes, signature: str, *, method: str = "POST") -> Request:
    return Request(
        method=method,
        path="",
        query=(),
        headers=(("Content-Type", "application/json; charset=utf-8"), ("x-line-signature", signature)),
        body=body,
        remote_address="147.92.150.192",
        received_at=START,
    )


def deliver(*events: Any) -> Request:
    body = json.dumps({"destination": BOT, "events": list(events)}, ensure_ascii=False).encode()
    return make_request(body, sign(body))
