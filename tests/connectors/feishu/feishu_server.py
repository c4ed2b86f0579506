"""Feishu's open platform in miniature, after its documents: tokens, the long connection, chats, files, replies.

Deliveries that are not acknowledged are sent again when told to, in any order.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from allears_sdk.connector import Request
from allears_sdk.testing import FakeClock
from connectors.feishu import FeishuSettings
from connectors.feishu.frames import CONTROL, DATA, Frame, decode, encode

APP_ID = "cli_a1b2c3d4e5f6a7b8"
APP_SECRET = "feishu-app-secret-7f3a9c"
TOKEN = "verification-token-1d5e"
ENCRYPT_KEY = "encrypt-key-9b2f"
TENANT = "736588c9260f175d"
GROUP = "oc_5ad11d72b830411d72b836c20"
ALONE = "oc_a0553eda9014c201e6969b478"
LILEI = "ou_7dab8a3d3cdcc9da365777c7ad53"
HANMEI = "ou_84aad35d084aa403a838cf73ee18"
BOT = "ou_bot00000000000000000000000001"


@dataclass
class FeishuServer:
    clock: FakeClock = field(default_factory=FakeClock)
    url: str = ""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=lambda: [GROUP])
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[tuple[str, str, str], tuple[bytes, str]] = field(default_factory=dict)
    merged: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[web.Response] = field(default_factory=list)
    """The next calls to an API get these."""
    lost_answers: int = 0
    """So many replies are done and never answered."""
    refused: dict[str, int] = field(default_factory=dict)
    """Code by chat id, when its history is asked for."""
    calls: list[str] = field(default_factory=list)
    sent: list[Frame] = field(default_factory=list)
    unacknowledged: dict[str, bytes] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    pings: int = 0
    most_parts_bytes: int = 0
    """Larger events come in parts of this size; 0: whole."""
    client_config: dict[str, int] = field(default_factory=lambda: {"PingInterval": 120, "ReconnectCount": -1})
    pong: bytes = b""
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    on_acknowledged: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._tokens: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/open-apis/auth/v3/tenant_access_token/internal", self._token)
        app.router.add_post("/callback/ws/endpoint", self._endpoint)
        app.router.add_get("/line", self._line)
        app.router.add_get("/open-apis/bot/v3/info", self._bot)
        app.router.add_get("/open-apis/im/v1/chats", self._chats)
        app.router.add_get("/open-apis/im/v1/messages", self._history)
        app.router.add_get("/open-apis/im/v1/messages/{message}", self._message)
        app.router.add_get("/open-apis/im/v1/messages/{message}/resources/{key}", self._resource)
        app.router.add_post("/open-apis/im/v1/messages/{message}/reply", self._reply)
        app.router.add_get("/open-apis/contact/v3/users/{user}", self._user)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        if self._runner:
            await self._runner.cleanup()

    def settings(self, **more: Any) -> FeishuSettings:
        given = {"app_id": APP_ID, "app_secret": APP_SECRET, "url": self.url, "timeout_seconds": 5, **more}
        return FeishuSettings.model_validate(given)

    def pushed_to(self, **more: Any) -> FeishuSettings:
        """Of a channel that is posted to."""
        keys = {"verification_token": TOKEN, "encrypt_key": ENCRYPT_KEY}
        return self.settings(mode="webhook", **{**keys, **more})

    def say(
        self, text: str, *, chat: str = ALONE, who: str = LILEI, kind: str = "text", **content: Any
    ) -> dict[str, Any]:
        """An item of a chat's history."""
        said = json.dumps(content or {"text": text}, ensure_ascii=False)
        return self.put(said, chat=chat, who=who, kind=kind)

    def put(self, content: str, *, chat: str = ALONE, who: str = LILEI, kind: str = "text") -> dict[str, Any]:
        self.clock.advance(1)
        now = self.milliseconds()
        item = {
            "message_id": f"om_{next(self._numbers):032x}",
            "msg_type": kind,
            "create_time": now,
            "update_time": now,
            "deleted": False,
            "updated": False,
            "chat_id": chat,
            "sender": {"id": who, "id_type": "open_id", "sender_type": "user", "tenant_key": TENANT},
            "body": {"content": content},
        }
        self.messages[str(item["message_id"])] = item
        return item

    def edit(self, item: dict[str, Any], text: str) -> None:
        self.clock.advance(1)
        content = json.dumps({"text": text}, ensure_ascii=False)
        item.update(updated=True, update_time=self.milliseconds(), body={"content": content})

    def recall(self, item: dict[str, Any]) -> None:
        self.clock.advance(1)
        item.update(deleted=True, update_time=self.milliseconds(), body={"content": "This message was recalled"})

    def milliseconds(self) -> str:
        return str(int(self.clock.now().timestamp() * 1000))

    def expire_tokens(self) -> None:
        self._tokens.clear()

    async def push(self, event: Mapping[str, Any], *, name: str = "") -> None:
        """To one client, as the platform does; until it is acknowledged it can be sent again."""
        body = json.dumps(event, ensure_ascii=False).encode()
        name = name or f"frame-{next(self._numbers)}"
        self.unacknowledged[name] = body
        await self._send(name, body)

    async def push_again(self) -> None:
        for name, body in reversed(self.unacknowledged.items()):
            await self._send(name, body)

    async def _send(self, name: str, body: bytes) -> None:
        size = self.most_parts_bytes or len(body)
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        for seq, part in enumerate(parts):
            about = {"type": "event", "message_id": name, "sum": str(len(parts)), "seq": str(seq), "trace_id": "tr-1"}
            frame = Frame(method=DATA, service=7, seq_id=2**40 + seq, headers=tuple(about.items()), payload=part)
            self.sent.append(frame)
            await self.sockets[-1].send_bytes(encode(frame))

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        is_api = request.path.startswith("/open-apis/") and "/auth/" not in request.path
        if is_api and self.faults:
            return self.faults.pop(0)
        if is_api and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._valid():
            return refuse(99991663, "Invalid access token for authorization. Please make a test attempt.")
        response: web.StreamResponse = await handler(request)
        return response

    def _valid(self) -> list[str]:
        return [token for token, until in self._tokens.items() if self.clock.now() < until]

    async def _token(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body.get("app_id"), body.get("app_secret")) != (APP_ID, APP_SECRET):
            return web.json_response({"code": 10014, "msg": "app secret invalid"})
        half_hour = self.clock.now() + timedelta(minutes=30)
        fresh = [token for token, until in self._tokens.items() if until >= half_hour]
        token = fresh[0] if fresh else f"t-{next(self._numbers):020x}"
        self._tokens.setdefault(token, self.clock.now() + timedelta(seconds=7200))
        seconds = int((self._tokens[token] - self.clock.now()).total_seconds())
        return web.json_response({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": seconds})

    async def _endpoint(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body.get("AppID"), body.get("AppSecret")) != (APP_ID, APP_SECRET):
            return web.json_response({"code": 514, "msg": "auth failed"})
        url = f"{self.url.replace('http', 'ws', 1)}/line?device_id=741&service_id=33554678&access_key=k"
        return answer({"URL": url, "ClientConfig": self.client_config})

    async def _line(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._hear(socket, decode(message.data))
        return socket

    async def _hear(self, socket: web.WebSocketResponse, frame: Frame) -> None:
        if frame.method == CONTROL and frame.header("type") == "ping":
            self.pings += 1
            pong = Frame(method=CONTROL, service=frame.service, headers=(("type", "pong"),), payload=self.pong)
            await socket.send_bytes(encode(pong))
        elif frame.method == DATA:
            assert json.loads(frame.payload)["code"] == 200
            assert frame.seq_id >= 2**40, "an acknowledgement is the frame itself with another payload"
            self.acknowledged.append(frame.header("message_id"))
            self.unacknowledged.pop(frame.header("message_id"), None)
            self.on_acknowledged()

    async def _bot(self, request: web.Request) -> web.Response:
        bot = {"activate_status": 2, "app_name": "客诉助手", "open_id": BOT}
        return web.json_response({"code": 0, "msg": "ok", "bot": bot})

    async def _chats(self, request: web.Request) -> web.Response:
        return answer(
            page([{"chat_id": chat, "name": "客诉群", "tenant_key": TENANT} for chat in self.groups], request)
        )

    async def _history(self, request: web.Request) -> web.Response:
        chat, start = request.query["container_id"], int(request.query.get("start_time", "0"))
        if chat in self.refused:
            return refuse(self.refused[chat], "Lack of necessary permissions.")
        found = [
            item
            for item in self.messages.values()
            if item["chat_id"] == chat and int(item["create_time"]) // 1000 >= start
        ]
        return answer(page(sorted(found, key=lambda item: int(item["create_time"])), request))

    async def _message(self, request: web.Request) -> web.Response:
        message = request.match_info["message"]
        return answer({"items": [self.messages[message], *self.merged.get(message, [])]})

    async def _resource(self, request: web.Request) -> web.Response:
        key = (request.match_info["message"], request.match_info["key"], request.query["type"])
        if key not in self.files:
            return refuse(234003, "File not in message.")
        content, media_type = self.files[key]
        return web.Response(body=content, content_type=media_type)

    async def _reply(self, request: web.Request) -> web.Response:
        body = await request.json()
        item = self.messages.get(request.match_info["message"])
        if item is None or item["deleted"]:
            return refuse(230011, "The message is recalled.")
        assert len(body["uuid"]) <= 50
        if body["uuid"] not in {one["uuid"] for one in self.replies}:
            self.replies.append({**body, "message": item["message_id"]})
        if self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer({"message_id": "om_answer"})

    async def _user(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        assert request.query["user_id_type"] == "open_id"
        return answer({"user": self.people[user]}) if user in self.people else refuse(41050, "no user authority error")


def page(items: list[dict[str, Any]], request: web.Request) -> dict[str, Any]:
    at, size = int(request.query.get("page_token") or 0), int(request.query["page_size"])
    assert 1 <= size <= 100
    has_more = at + size < len(items)
    return {
        "items": items[at : at + size],
        "has_more": has_more,
        **({"page_token": str(at + size)} if has_more else {}),
    }


def answer(data: Any) -> web.Response:
    return web.json_response({"code": 0, "msg": "success", "data": data})


def refuse(code: int, text: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"code": code, "msg": text}, status=status, headers=headers)


def received(item: Mapping[str, Any], *, kind: str = "im.message.receive_v1", **message: Any) -> dict[str, Any]:
    """The event that tells of an item of the history."""
    sender = item["sender"]
    ids = {"open_id": sender["id"], "union_id": f"on_{sender['id'][3:]}", "user_id": None}
    told = {
        "message_id": item["message_id"],
        "chat_id": item["chat_id"],
        "chat_type": "p2p" if item["chat_id"] == ALONE else "group",
        "message_type": item["msg_type"],
        "content": item["body"]["content"],
        "create_time": item["create_time"],
        "update_time": item["update_time"],
        **message,
    }
    who = {"sender_id": ids, "sender_type": "user", "tenant_key": sender["tenant_key"]}
    return envelope(kind, {"sender": who, "message": told}, at=str(item["create_time"]))


def recalled(item: Mapping[str, Any], *, at: str = "") -> dict[str, Any]:
    event = {
        "message_id": item["message_id"],
        "chat_id": item["chat_id"],
        "recall_time": at or item["update_time"],
        "recall_type": "message_owner",
    }
    return envelope("im.message.recalled_v1", event, at=at or str(item["update_time"]))


def envelope(kind: str, event: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    header = {
        "event_id": hashlib.md5(f"{kind}{event}".encode(), usedforsecurity=False).hexdigest(),
        "event_type": kind,
        "create_time": at,
        "token": TOKEN,
        "app_id": APP_ID,
        "tenant_key": TENANT,
    }
    return {"schema": "2.0", "header": header, "event": event}


def seal(plain: bytes, key: str = ENCRYPT_KEY, iv: bytes = b"0123456789abcdef") -> str:
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    return base64.b64encode(iv + sealed).decode()


def post(event: Mapping[str, Any], clock: FakeClock, *, key: str = ENCRYPT_KEY, is_signed: bool = True) -> Request:
    """How the platform posts it: encrypted and signed, or with an empty key plain."""
    body = json.dumps(event, ensure_ascii=False).encode()
    if key:
        body = json.dumps({"encrypt": seal(body, key)}).encode()
    return make_request(body, clock, sign(body, clock, key) if key and is_signed else {})


def sign(body: bytes, clock: FakeClock, key: str = ENCRYPT_KEY, *, age: float = 0) -> dict[str, str]:
    timestamp, nonce = str(int(clock.now().timestamp() - age)), "n0nce"
    signature = hashlib.sha256(f"{timestamp}{nonce}{key}".encode() + body).hexdigest()
    return {
        "X-Lark-Request-Timestamp": timestamp,
        "X-Lark-Request-Nonce": nonce,
        "X-Lark-Signature": signature,
    }


def make_request(body: bytes, clock: FakeClock, headers: Mapping[str, str], *, method: str = "POST") -> Request:
    return Request(
        method=method,
        path="",
        query=(),
        headers=[("Content-Type", "application/json; charset=utf-8"), *headers.items()],
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
