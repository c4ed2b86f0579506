"""api.weixin.qq.com and qyapi.weixin.qq.com in miniature, on a port that really listens.

"获取稳定版接口调用凭据", "获取临时素材", "发送客服消息", "查询评价列表".
企业微信: "获取access_token", "读取成员", "发送应用消息".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.connectors._wechat.vectors import APP_ID, CORP_ID

SECRET = "7f3a9c0d5b1e4c2f8a6d0e9b3c5f1a7d"
OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}


@asynccontextmanager
async def running() -> AsyncIterator[Platform]:
    platform = Platform()
    await platform.start()
    yield platform
    await platform.stop()


@contextmanager
def running_apart() -> Iterator[Platform]:
    """On a loop and thread of its own, for tests that talk over blocking HTTP as the platform does."""
    platform, loop = Platform(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(platform.start(), loop).result(10)
    yield platform
    asyncio.run_coroutine_threadsafe(platform.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def fault(code: int, message: str = "") -> dict[str, Any]:
    return {"errcode": code, "errmsg": f"{message or 'refused'} rid: 6561c0de-1f2e3d4c-5b6a7988"}


@dataclass
class Platform:
    """`faults` are answered first, one by one, by path."""

    calls: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    faults: dict[str, list[dict[str, Any] | web.Response]] = field(default_factory=dict)
    token: str = ""
    tokens_given: int = 0
    forced: int = 0
    expires_in: int = 7200
    media: dict[str, tuple[bytes, str, str]] = field(default_factory=dict)
    videos: dict[str, str] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    old: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a changed review replaced, by its id."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    invalid_users: str = ""
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def fail(self, path: str, *answers: dict[str, Any] | web.Response) -> None:
        self.faults.setdefault(path, []).extend(answers)

    def called(self, path: str) -> int:
        return sum(called == path for called, _, _ in self.calls)

    def revoke(self) -> None:
        """The token in use is good no more, and the next asking gives another."""
        self.token = ""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        body = await request.json() if request.can_read_body else None
        self.calls.append((request.path, query, body))
        if self.faults.get(request.path):
            answer = self.faults[request.path].pop(0)
            return answer if isinstance(answer, web.Response) else web.json_response(answer)
        if grant := self._grants.get(request.path):
            return web.json_response(grant(query, body))
        if not self.token or query.get("access_token") != self.token:
            return web.json_response(fault(42001 if query.get("access_token") else 41001, "access_token expired"))
        if request.path == "/cgi-bin/media/get":
            return self._media(query["media_id"])
        handler = self._calls.get(request.path)
        return web.json_response(handler(query, body) if handler else fault(40066, "invalid url"))

    @property
    def _grants(self) -> dict[str, Callable[[dict[str, str], Any], dict[str, Any]]]:
        return {"/cgi-bin/stable_token": self._stable_token, "/cgi-bin/gettoken": self._work_token}

    @property
    def _calls(self) -> dict[str, Callable[[dict[str, str], Any], dict[str, Any]]]:
        return {
            "/cgi-bin/user/info": lambda query, _: self.users.get(query["openid"], fault(40003, "invalid openid")),
            "/cgi-bin/user/get": lambda query, _: self.users.get(query["userid"], fault(60111, "userid not found")),
            "/cgi-bin/agent/get": lambda query, _: {**OK, "agentid": int(query["agentid"]), "name": "门店反馈"},
            "/cgi-bin/message/custom/send": self._send,
            "/cgi-bin/message/send": self._send,
            "/wxaapi/comment/mpcommentlist/get": self._list,
            "/wxaapi/comment/commentinfo/get": self._detail,
        }

    def _stable_token(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        if body["appid"] != APP_ID:
            return fault(40013, "invalid appid")
        if body["secret"] != SECRET:
            return fault(40125, "invalid appsecret")
        if body["force_refresh"]:
            self.forced += 1
        return self._give(anew=body["force_refresh"])

    def _work_token(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        if query["corpid"] != CORP_ID:
            return fault(40013, "invalid corpid")
        return {**OK, **self._give()} if query["corpsecret"] == SECRET else fault(40001, "invalid credential")

    def _give(self, *, anew: bool = False) -> dict[str, Any]:
        if anew or not self.token:
            self.tokens_given += 1
            self.token = f"77_token-number-{self.tokens_given}"
        return {"access_token": self.token, "expires_in": self.expires_in}

    def _media(self, media_id: str) -> web.Response:
        if media_id in self.videos:
            return web.json_response({"video_url": self.videos[media_id]})
        if media_id not in self.media:
            return web.json_response(fault(40007, "invalid media_id"))
        content, media_type, name = self.media[media_id]
        disposition = {"Content-disposition": f'attachment; filename="{name}"'}
        return web.Response(body=content, content_type=media_type, headers=disposition)

    def _send(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        self.sent.append(body)
        return {**OK, **({"invaliduser": self.invalid_users} if self.invalid_users else {})}

    def _list(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        keep: dict[str, Callable[[dict[str, Any]], bool]] = {
            "1": lambda review: review["score"] <= 200,
            "3": lambda review: review["score"] <= 200 and not review.get("settled"),
            "5": lambda review: review.get("commentId") in self.old,
            "6": lambda review: True,
        }
        start, end, offset = int(query["startTime"]), int(query["endTime"]), int(query["offset"])
        found = [
            review
            for review in reversed(self.reviews)
            if start <= int(review.get("createTime") or 0) <= end and keep[query["filterType"]](review)
        ]
        page = found[offset : offset + int(query["limit"])]
        return {"errcode": 0, "success": True, "commentList": page, "total": len(found), "offset": offset}

    def _detail(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        wanted = query["commentId"]
        found = next((review for review in self.reviews if review.get("commentId") == wanted), None)
        if found is None:
            return fault(40097, "invalid args")
        answer: dict[str, Any] = {"errcode": 0, "success": True, "info": {"content": found}}
        return answer | ({"oldComment": self.old[wanted]} if wanted in self.old else {})
