"""The Graph API in miniature, on real HTTP, and deliveries as Meta signs them.

Objects and lists are put in by path; lists are read in pages. Files lie behind the token where they are WhatsApp's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from allears_sdk.connector import Request
from allears_sdk.testing.clock import START

SECRET = "meta-app-secret-01"
VERIFY_TOKEN = "verify-words-7f3a9c"
TOKEN = "EAAGsimulatedtoken0123456789abcdef"
VERSION = "v25.0"


class Graph:
    """`await start()`; then its `url` answers."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        """By edge, in the order in which they are listed."""
        self.files: dict[str, bytes] = {}
        self.open_files: dict[str, bytes] = {}
        """As on the CDN: no token is asked for, and none may be shown."""
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.faults: list[web.Response] = []
        """What the next calls get."""
        self.headers: dict[str, str] = {}
        self.lost_answers = 0
        """So many posts are done and never answered."""
        self.token = TOKEN
        self.page_items = 100
        self.renewed: list[str] = []
        """Tokens of Instagram Login that were shown to get the next."""
        self.may_renew = True

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/files/{name}", self._file)
        app.router.add_get("/open/{name}", self._open_file)
        app.router.add_get("/refresh_access_token", self._renew)
        app.router.add_route("*", f"/{VERSION}/{{path:.+}}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append((path, dict(request.query)))
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return fault(190, "Malformed access token " + request.headers.get("Authorization", "")[7:], status=401)
        if request.method == "POST":
            return await self._post(path, request)
        if path in self.lists:
            return web.json_response(self._page(path, request), headers=self.headers)
        if path in self.objects:
            return web.json_response(self.objects[path], headers=self.headers)
        return fault(100, f"Unsupported get request. Object with ID '{path}' does not exist", subcode=33)

    async def _renew(self, request: web.Request) -> web.Response:
        given = dict(request.query)
        assert given["grant_type"] == "ig_refresh_token"
        self.renewed.append(given["access_token"])
        if given["access_token"] != self.token or not self.may_renew:
            return fault(190, f"Error validating access token {given['access_token']}")
        self.token = f"IGAAsimulated{len(self.renewed):04}abcdef"
        return web.json_response({"access_token": self.token, "token_type": "bearer", "expires_in": 60 * 86_400})

    async def _post(self, path: str, request: web.Request) -> web.Response:
        self.posted.append((path, json.loads(await request.read())))
        if self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"success": True, "messages": [{"id": f"wamid.OURS{len(self.posted)}"}]})

    def _page(self, path: str, request: web.Request) -> dict[str, Any]:
        found = self.lists[path]
        start, size = int(request.query.get("after") or 0), int(request.query.get("limit") or self.page_items)
        end = start + min(size, self.page_items)
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(found):
            paging["next"] = f"{self.url}/{path}?after={end}"
        return {"data": found[start:end], "paging": paging}

    async def _file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["name"])
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type="image/jpeg")

    async def _open_file(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers, "the token is shown to the CDN"
        content = self.open_files.get(request.match_info["name"])
        if content is None:
            raise web.HTTPForbidden(text="URL signature expired")
        return web.Response(body=content, content_type="image/jpeg")


@asynccontextmanager
async def running() -> AsyncIterator[Graph]:
    graph = Graph()
    await graph.start()
    try:
        yield graph
    finally:
        await graph.stop()


def fault(
    code: int, message: str, *, subcode: int = 0, status: int = 400, headers: Mapping[str, str] | None = None
) -> web.Response:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCd"}
    if subcode:
        error["error_subcode"] = subcode
    return web.json_response({"error": error}, status=status, headers=headers)


def deliver(delivery: Any, *, secret: str = SECRET, body: bytes = b"", **headers: str) -> Request:
    """As Meta posts it: other letters than ASCII escaped, and signed as they stand."""
    body = body or json.dumps(delivery).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return make_request(body, {"X-Hub-Signature-256": signature, **headers})


def make_request(body: bytes, headers: Mapping[str, str], *, method: str = "POST", **query: str) -> Request:
    return Request(
        method=method,
        path="",
        query=tuple((name.replace("_", ".", 1), value) for name, value in query.items()),
        headers=(("Content-Type", "application/json"), *headers.items()),
        body=body,
        remote_address="173.252.95.8",
        received_at=START,
    )


def shake_hands(token: str = VERIFY_TOKEN, challenge: str = "1158201444", mode: str = "subscribe") -> Request:
    return make_request(b"", {}, method="GET", hub_mode=mode, hub_verify_token=token, hub_challenge=challenge)
