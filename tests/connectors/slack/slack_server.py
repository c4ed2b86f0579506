"""A Slack workspace in miniature: its Web API and Socket Mode as documented, on a server that really listens.

`say`, `edit` and `delete` are what people do there; what happens is pushed to open sockets as Slack pushes it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from connectors.slack import SlackSettings
from tests.connectors.slack.slack_payloads import (
    AGENT,
    APP_TOKEN,
    BOT,
    BOT_TOKEN,
    BOT_USER,
    IM,
    KIM,
    LI_LEI,
    PRIVATE,
    START_SECONDS,
    SUPPORT,
    TEAM,
    Json,
    changed,
    deleted,
    event,
    stamp,
    user,
)

Handler = Callable[["Call"], Json]


@dataclass
class Call:
    token: str
    given: Mapping[str, Any]

    def text(self, name: str) -> str:
        return str(self.given.get(name, "") or "")


@dataclass
class Link:
    """One open socket."""

    socket: web.WebSocketResponse
    pending: dict[str, Json] = field(default_factory=dict)
    """Envelopes nobody has acknowledged."""


class Refusal(Exception):
    """`{"ok": false, "error": …}`"""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


class SlackServer:
    def __init__(self, began: int = START_SECONDS) -> None:
        self.began = began
        self.tokens = {BOT_TOKEN: TEAM}
        self.app_tokens = {APP_TOKEN}
        self.scopes = "channels:history,channels:read,im:history,users:read,files:read,chat:write"
        self.lacking: dict[str, str] = {}
        """Method → scope it needs and does not have."""
        self.conversations: dict[str, Json] = {
            SUPPORT: {"id": SUPPORT, "name": "support-投诉", "is_channel": True, "is_private": False},
            PRIVATE: {"id": PRIVATE, "name": "vip", "is_channel": True, "is_private": True},
            IM: {"id": IM, "is_im": True, "user": LI_LEI},
        }
        self.posts: dict[str, dict[str, Json]] = {name: {} for name in self.conversations}
        self.users: dict[str, Json] = {
            LI_LEI: user(LI_LEI, "李雷", "lilei", "LiLei@mail.example.cn"),
            KIM: user(KIM, "Kim Tan", "kim", "kim@shop.example.com"),
            AGENT: user(AGENT, "Ana Ruiz", "ana", "ana@acme.example.com"),
        }
        self.files: dict[str, tuple[str, bytes]] = {}
        self.limited: dict[str, list[float]] = {}
        """Method → `Retry-After` of the next answers, each 429."""
        self.broken: dict[str, int] = {}
        """Method → how many of the next answers get lost."""
        self.page_items = 999
        self.calls: list[str] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.acked: list[str] = []
        self.links: list[Link] = []
        self.tickets: set[str] = set()
        self.greets = True
        self.url = ""
        self._seconds = 0.0
        self._unacked: dict[str, Json] = {}
        self._envelopes = 0
        self._methods: dict[str, Handler] = {
            "auth.test": self._auth_test,
            "apps.connections.open": self._connections_open,
            "users.conversations": self._users_conversations,
            "users.info": self._users_info,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.info": self._files_info,
            "chat.postMessage": self._post_message,
        }

    # The server

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._answer)
        app.router.add_get("/files/{id}", self._file)
        app.router.add_get("/link", self._link)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for link in list(self.links):
            await link.socket.close()
        await self._runner.cleanup()

    def settings(self, **more: Any) -> SlackSettings:
        return SlackSettings.model_validate({"url": f"{self.url}/api/", "bot_token": BOT_TOKEN, **more})

    # What people do

    def say(self, text: str, *, at: float | None = None, channel: str = SUPPORT, by: str = LI_LEI, **more: Any) -> str:
        """Somebody posts; the message's ts. `at`: seconds after it began, else a minute after the last."""
        self._seconds = self._seconds + 60 if at is None else at
        ts = stamp(self._seconds, self.began)
        post = {"type": "message", "user": by, "text": text, "ts": ts, "team": TEAM, **more}
        if by == BOT_USER:
            post |= {"bot_id": BOT, "subtype": "bot_message"}
        self.posts[channel][ts] = post
        if root := more.get("thread_ts"):
            self._count_reply(channel, root, ts)
        self.happened(event(channel, post, self.kind(channel)))
        return ts

    def edit(self, ts: str, text: str, *, channel: str = SUPPORT, at: float | None = None) -> None:
        before = dict(self.posts[channel][ts])
        self._seconds = self._seconds + 1 if at is None else at
        post = {**before, "text": text, "edited": {"user": before["user"], "ts": stamp(self._seconds, self.began)}}
        self.posts[channel][ts] = post
        self.happened(changed(channel, post, before, self.kind(channel)))

    def delete(self, ts: str, *, channel: str = SUPPORT) -> None:
        before = self.posts[channel].pop(ts)
        self._seconds += 1
        self.happened(deleted(channel, before, stamp(self._seconds, self.began), self.kind(channel)))

    def put_file(self, name: str, content: bytes, media_type: str = "image/png") -> Json:
        number = f"F{len(self.files) + 1:02d}"
        self.files[number] = (media_type, content)
        url = f"{self.url}/files/{number}"
        return {"id": number, "name": name, "mimetype": media_type, "size": len(content), "url_private_download": url}

    def kind(self, channel: str) -> str:
        known = self.conversations[channel]
        return "im" if known.get("is_im") else "group" if known.get("is_private") else "channel"

    def _count_reply(self, channel: str, root: str, ts: str) -> None:
        parent = self.posts[channel].get(root)
        if parent is not None:
            parent |= {"thread_ts": root, "reply_count": parent.get("reply_count", 0) + 1, "latest_reply": ts}

    # Socket Mode

    def happened(self, payload: Json) -> None:
        """Each event goes to one of the open sockets; where there is none it is lost."""
        if self.links:
            self.send(payload)

    def send(self, payload: Json, *, attempt: int = 0, envelope: str = "", link: Link | None = None) -> str:
        link = link or self.links[-1]
        self._envelopes += 1
        envelope = envelope or f"e-{self._envelopes}"
        frame = {
            "envelope_id": envelope,
            "type": "events_api",
            "payload": payload,
            "accepts_response_payload": False,
            "retry_attempt": attempt,
            "retry_reason": "timeout" if attempt else "",
        }
        link.pending[envelope] = frame
        self.tell(frame, link)
        return envelope

    def tell(self, frame: Json, link: Link | None = None) -> None:
        _later(_quietly((link or self.links[-1]).socket.send_str(json.dumps(frame))))

    def disconnect(self, reason: str) -> None:
        self.tell({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-7"}})

    async def cut(self) -> None:
        """The network breaks: what was not acknowledged is delivered again on the next socket."""
        for link in list(self.links):
            transport = link.socket._req.transport if link.socket._req else None
            if transport is not None:
                transport.abort()
        await until(lambda: not self.links)

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            raise web.HTTPForbidden
        self.tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        link = Link(socket)
        self.links.append(link)
        if self.greets:
            await socket.send_str(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {}}))
        for envelope, frame in list(self._unacked.items()):
            self.send(frame["payload"], attempt=frame["retry_attempt"] + 1, envelope=envelope, link=link)
        self._unacked.clear()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take(link, json.loads(message.data))
        finally:
            self.links.remove(link)
            self._unacked |= link.pending
        return socket

    def _take(self, link: Link, frame: Json) -> None:
        envelope = frame["envelope_id"]
        self.acked.append(envelope)
        link.pending.pop(envelope, None)

    # The Web API

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if waits := self.limited.get(method):
            headers = {"Retry-After": str(waits.pop(0))}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        call = Call(request.headers.get("Authorization", "").removeprefix("Bearer "), await _given(request))
        self.asked.append((method, dict(call.given)))
        try:
            answer = self._called(method, call)
        except Refusal as refusal:
            answer = refusal.answer
        if self.broken.get(method, 0) > 0:
            self.broken[method] -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

    def _called(self, method: str, call: Call) -> Json:
        handler = self._methods.get(method)
        if handler is None:
            raise Refusal("unknown_method")
        allowed = self.app_tokens if method == "apps.connections.open" else set(self.tokens)
        if call.token not in allowed:
            raise Refusal("invalid_auth" if call.token else "not_authed")
        if method in self.lacking:
            raise Refusal("missing_scope", needed=self.lacking[method], provided=self.scopes)
        return {"ok": True, **handler(call)}

    def _auth_test(self, call: Call) -> Json:
        team = self.tokens[call.token]
        url = f"https://{team.lower()}.slack.com/"
        return {"url": url, "team": "Acme 商城", "user": "allears", "team_id": team, "user_id": BOT_USER, "bot_id": BOT}

    def _connections_open(self, call: Call) -> Json:
        ticket = f"t{len(self.calls)}"
        self.tickets.add(ticket)
        return {"url": f"{self.url.replace('http', 'ws', 1)}/link?ticket={ticket}"}

    def _users_conversations(self, call: Call) -> Json:
        types = call.text("types").split(",")
        names = {"channel": "public_channel", "group": "private_channel", "im": "im"}
        own = [one for one in self.conversations.values() if names[self.kind(one["id"])] in types]
        mine = [one for one in own if one.get("team", TEAM) == self.tokens[call.token]]
        start, size = int(call.text("cursor") or 0), min(int(call.text("limit") or 100), 2)
        more = str(start + size) if start + size < len(mine) else ""
        return {"channels": mine[start : start + size], "response_metadata": {"next_cursor": more}}

    def _users_info(self, call: Call) -> Json:
        if call.text("user") not in self.users:
            raise Refusal("user_not_found")
        return {"user": self.users[call.text("user")]}

    def _history(self, call: Call) -> Json:
        """Threads' answers are not in it. A page lies at the newer end of the span, or at its older end where only
        `oldest` is given; newest first inside."""
        posts = self._in_span(call, [one for one in self._channel(call).values() if not _is_answer(one)])
        size = min(int(call.text("limit") or 100), self.page_items)
        if call.text("cursor"):
            posts = [one for one in posts if one["ts"] < call.text("cursor")]
        forwards = call.text("oldest") and not call.text("latest")
        page = posts[:size] if forwards else posts[-size:]
        more = len(posts) > len(page)
        return {
            "messages": page[::-1],
            "has_more": more,
            "response_metadata": {"next_cursor": page[0]["ts"] if more and page else ""},
        }

    def _replies(self, call: Call) -> Json:
        """The root first, then its answers, oldest first."""
        root = call.text("ts")
        posts = self._channel(call)
        if root not in posts:
            raise Refusal("thread_not_found")
        answers = self._in_span(
            call, [one for one in posts.values() if one.get("thread_ts") == root and _is_answer(one)]
        )
        start, size = int(call.text("cursor") or 0), min(int(call.text("limit") or 100), self.page_items)
        page, more = answers[start : start + size], len(answers) > start + size
        next_cursor = str(start + size) if more else ""
        return {
            "messages": [posts[root], *page],
            "has_more": more,
            "response_metadata": {"next_cursor": next_cursor},
        }

    def _channel(self, call: Call) -> dict[str, Json]:
        if call.text("channel") not in self.conversations:
            raise Refusal("channel_not_found")
        return self.posts[call.text("channel")]

    def _in_span(self, call: Call, posts: list[Json]) -> list[Json]:
        oldest, latest = call.text("oldest") or "0", call.text("latest") or "9"
        assert call.text("inclusive") in ("0", "")
        return sorted((one for one in posts if oldest < _ts(one) < latest), key=_ts)

    def _files_info(self, call: Call) -> Json:
        media_type, content = self.files[call.text("file")]
        url = f"{self.url}/files/{call.text('file')}"
        return {"file": {"id": call.text("file"), "mimetype": media_type, "size": len(content), "url_private": url}}

    def _post_message(self, call: Call) -> Json:
        channel = call.text("channel")
        if channel not in self.conversations:
            raise Refusal("channel_not_found")
        root: Json = {"thread_ts": call.text("thread_ts")} if call.text("thread_ts") else {}
        ts = self.say(call.text("text"), channel=channel, by=BOT_USER, **root)
        return {"channel": channel, "ts": ts, "message": self.posts[channel][ts]}

    async def _file(self, request: web.Request) -> web.Response:
        """Without a token that may read files Slack shows its log-in page, and says 200."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or "files:read" not in self.scopes:
            return web.Response(text="<!DOCTYPE html><title>Slack</title>Sign in", content_type="text/html")
        if request.match_info["id"] not in self.files:
            raise web.HTTPNotFound
        media_type, content = self.files[request.match_info["id"]]
        return web.Response(body=content, content_type=media_type)


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a server that rings no bell
            await asyncio.sleep(0.01)


async def _given(request: web.Request) -> Json:
    given: Json = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        given |= await request.json()
    elif request.can_read_body:
        given |= {name: str(value) for name, value in (await request.post()).items()}
    return given


def _ts(post: Mapping[str, Any]) -> str:
    return str(post.get("ts", "5"))


def _is_answer(post: Mapping[str, Any]) -> bool:
    return bool(post.get("thread_ts")) and post["thread_ts"] != post["ts"] and post.get("subtype") != "thread_broadcast"


_tasks: set[asyncio.Task[None]] = set()


def _later(work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _quietly(work: Awaitable[None]) -> None:
    try:
        await work
    except (ConnectionError, RuntimeError):
        return
