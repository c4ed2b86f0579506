"""DingTalk's open platform in miniature, after its documents: tokens, Stream mode, files, answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import WSMsgType, web

from allears_sdk.connector import Request
from allears_sdk.testing import FakeClock
from connectors.dingtalk import DingTalkSettings

CLIENT_ID = "dingf0apw4ibx5u5ktba"
CLIENT_SECRET = "dingSecret-5d0b7c1e"
PATH_SECRET = "c0ffee-4f1d-9a7e"
TOPIC = "/v1.0/im/bot/messages/get"
GROUP = "cidh6ezDLHQau9V23Es/xSLNoiDDmPuN354KylQ2BaIhuM="
ALONE = "cidAuT5c0Hn8Xqz1s+9mDF/4A=="
STAFF = "032615015535634423"
OUTSIDER = "$:LWCP_v1:$gzXDEXQDiM8piyLH4HRRcg=="


@dataclass
class DingTalkServer:
    clock: FakeClock = field(default_factory=FakeClock)
    url: str = ""
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    faults: list[web.Response] = field(default_factory=list)
    """The next calls with an access token, and the next answers, get these."""
    calls: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    unacknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    lost_answers: int = 0
    on_acknowledged: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._tokens: dict[str, datetime] = {}
        self._tickets: set[str] = set()
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._note])
        app.router.add_post("/v1.0/gateway/connections/open", self._open)
        app.router.add_post("/v1.0/oauth2/accessToken", self._token)
        app.router.add_post("/v1.0/robot/messageFiles/download", self._download)
        app.router.add_get("/files/{code}", self._file)
        app.router.add_post("/robot/sendBySession", self._answer)
        app.router.add_get("/connect", self._connect)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        if self._runner:
            await self._runner.cleanup()

    def settings(self, **more: Any) -> DingTalkSettings:
        given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "url": self.url, "answer_url": self.url}
        return DingTalkSettings.model_validate({**given, "timeout_seconds": 5, **more})

    def pushed_to(self, **more: Any) -> DingTalkSettings:
        """Of a channel that is posted to."""
        return self.settings(mode="webhook", **{"path_secret": PATH_SECRET, **more})

    def say(self, text: str, **more: Any) -> dict[str, Any]:
        """What a robot is told of one text."""
        self.clock.advance(1)
        return (
            told(next(self._numbers), text, at=self.clock.now(), webhook=f"{self.url}/robot/sendBySession?session=s1")
            | more
        )

    def expire_tokens(self) -> None:
        self._tokens.clear()

    async def push(
        self, data: Mapping[str, Any] | str, *, name: str = "", topic: str = TOPIC, type_: str = "CALLBACK"
    ) -> None:
        name = name or f"frame-{next(self._numbers)}"
        frame = {
            "specVersion": "1.0",
            "type": type_,
            "headers": {"topic": topic, "messageId": name, "time": "1767225600000", "contentType": "application/json"},
            "data": data if isinstance(data, str) else json.dumps(data, ensure_ascii=False),
        }
        self.unacknowledged[name] = frame
        await self.sockets[-1].send_str(json.dumps(frame, ensure_ascii=False))

    async def push_again(self) -> None:
        for frame in reversed(self.unacknowledged.values()):
            await self.sockets[-1].send_str(json.dumps(frame, ensure_ascii=False))

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        response: web.StreamResponse = await handler(request)
        return response

    async def _open(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body["clientId"], body["clientSecret"]) != (CLIENT_ID, CLIENT_SECRET):
            return refuse(401, "authFailed", "鉴权失败")
        assert body["subscriptions"] == [{"type": "CALLBACK", "topic": TOPIC}]
        ticket = f"{next(self._numbers):08x}+/="
        self._tickets.add(ticket)
        return web.json_response({"endpoint": f"{self.url.replace('http', 'ws', 1)}/connect", "ticket": ticket})

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket", "") not in self._tickets:
            return web.Response(status=403)
        self._tickets.remove(request.query["ticket"])  # good for one connection
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                answer = json.loads(message.data)
                self.acknowledged.append(answer)
                self.unacknowledged.pop(answer["headers"]["messageId"], None)
                self.on_acknowledged()
        return socket

    async def _token(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body["appKey"], body["appSecret"]) != (CLIENT_ID, CLIENT_SECRET):
            return refuse(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        token = f"{next(self._numbers):032x}"
        self._tokens[token] = self.clock.now() + timedelta(seconds=7200)
        return web.json_response({"accessToken": token, "expireIn": 7200})

    async def _download(self, request: web.Request) -> web.Response:
        if self.faults:
            return self.faults.pop(0)
        until = self._tokens.get(request.headers.get("x-acs-dingtalk-access-token", ""))
        if until is None or until <= self.clock.now():
            return refuse(401, "InvalidAuthentication", "不合法的access_token")
        body = await request.json()
        if body["downloadCode"] not in self.files or not body["robotCode"]:
            return refuse(400, "invalidParameter.downloadCode", "downloadCode无效")
        return web.json_response({"downloadUrl": f"{self.url}/files/{body['downloadCode']}?signature=x"})

    async def _file(self, request: web.Request) -> web.Response:
        content, media_type = self.files[request.match_info["code"]]
        return web.Response(body=content, content_type=media_type)

    async def _answer(self, request: web.Request) -> web.Response:
        if self.faults:
            return self.faults.pop(0)
        self.answers.append({"session": request.query["session"], **await request.json()})
        if self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"errcode": 0, "errmsg": "ok"})


def told(number: int, text: str, *, at: datetime, webhook: str) -> dict[str, Any]:
    milliseconds = int(at.timestamp() * 1000)
    return {
        "chatbotCorpId": "dinge19e25c0b3f73fd6",
        "chatbotUserId": "$:LWCP_v1:$01B/44e/ph+R21B/X+43WLnAcUVO5BKL",
        "conversationId": ALONE,
        "conversationType": "1",
        "createAt": milliseconds,
        "isAdmin": False,
        "msgId": f"msg{number:020d}==",
        "msgtype": "text",
        "openThreadId": ALONE,
        "robotCode": CLIENT_ID,
        "senderCorpId": "dinge19e25c0b3f73fd6",
        "senderId": OUTSIDER,
        "senderNick": "李雷",
        "senderPlatform": "iOS",
        "senderStaffId": STAFF,
        "sessionWebhook": webhook,
        "sessionWebhookExpiredTime": milliseconds + 5_400_000,
        "text": {"content": text},
    }


def refuse(status: int, code: str, text: str, **headers: str) -> web.Response:
    body = {"code": code, "message": text, "requestid": "4F2A0D0C-1D7B-7B5C"}
    return web.json_response(body, status=status, headers=headers)


def sign(timestamp: str, secret: str = CLIENT_SECRET) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def post(
    data: Any,
    clock: FakeClock,
    *,
    path: str = f"/{PATH_SECRET}",
    age: float = 0,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """How the platform posts it."""
    timestamp = str(int((clock.now().timestamp() - age) * 1000))
    body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    given = {"Content-Type": "application/json; charset=utf-8", "timestamp": timestamp, "sign": sign(timestamp)}
    return Request(
        method="POST",
        path=path,
        query=(),
        headers=list((given | dict(headers or {})).items()),
        body=body,
        remote_address="192.0.2.7",
        received_at=clock.now(),
    )


@asynccontextmanager
async def closing(items: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """As the core leaves a generator: the line behind its `yield` does not run."""
    try:
        yield items
    finally:
        await items.aclose()  # type: ignore[attr-defined] # every listener is an async generator


async def until(condition: Any) -> None:
    """Waits until it holds; the test's time limit is the limit."""
    while not condition():  # noqa: ASYNC110 - what is waited for happens in a server that has no event for it
        await asyncio.sleep(0.005)
