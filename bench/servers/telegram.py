"""Telegram's Bot API in small, on real HTTP: one bot's queue, asked for or pushed ("Bot API: Getting updates").

Its own clock; what is not handed over within a day is dropped. Times within a push are shortened: a sender repeats what
got no 2xx after `RETRY_SECONDS`, not after a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

TOKEN = "123456789:AAHq-simulated-token-of-nobody_0123456"
BOT = {"id": 123456789, "is_bot": True, "first_name": "示例商城", "username": "example_shop_bot"}
CUSTOMER = {"id": 555, "is_bot": False, "first_name": "雷", "last_name": "李", "username": "lilei_x"}
KEPT_SECONDS = 86_400.0
RETRY_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 50
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
CONFLICT_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook"
)
PUSHES_AT_ONCE = 8


class Refusal(Exception):
    """`{"ok": false}` with these."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters


class Telegram:
    """`await start()`; then `say` and the like put updates into the queue."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.queue: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        """What the bot has said."""
        self.files: dict[str, tuple[str, bytes]] = {}
        """Path and bytes, by file_id."""
        self.refusals: dict[str, list[Refusal]] = {}
        """What the next calls of a method come to."""
        self.calls: Counter[str] = Counter()
        self.pushes: Counter[int] = Counter()
        """Attempts at the webhook, by status; 0: none came back."""
        self.hook: dict[str, Any] = {}
        self.last_error = ""
        self.repeats_pushes = False
        """Push again what was answered well, once: as when the answer was lost on its way."""
        self.is_asked = asyncio.Event()
        """A question waits."""
        self._allowed: list[str] | None = None
        self._next_update = 900_001
        self._next_message = 11
        self._born: dict[int, float] = {}
        self._arrived = asyncio.Event()
        self._reader: asyncio.Event | None = None
        self._pushing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._stop_pushing()
        await self._runner.cleanup()

    # Speaking

    def say(self, text: str = "", *, kind: str = "message", **fields: Any) -> dict[str, Any]:
        """A customer's message; `fields` replace those of the message. Returns the message."""
        message = {
            "message_id": self._next_message,
            "from": {**CUSTOMER, "language_code": "zh-hans"},
            "chat": {"id": 555, "first_name": "雷", "last_name": "李", "username": "lilei_x", "type": "private"},
            "date": int(self.now()),
            **({"text": text} if text else {}),
            **fields,
        }
        self._next_message += 1
        self.put({kind: {name: value for name, value in message.items() if value is not None}})
        return message

    def edit(self, message: Mapping[str, Any], text: str, *, kind: str = "edited_message") -> None:
        self.put({kind: {**message, "text": text, "edit_date": int(self.now())}})

    def put(self, update: Mapping[str, Any]) -> None:
        """Into the queue, unless the bot has not asked for such updates."""
        if self._allowed and not self._allowed_kinds() & update.keys():
            return
        self.queue.append({"update_id": self._next_update, **update})
        self._born[self._next_update] = self.now()
        self._next_update += 1
        self._arrived.set()

    def renumber(self, update_id: int) -> None:
        """A week without updates has gone by: the next one's id is any number."""
        self._next_update = update_id

    def add_file(self, file_id: str, path: str, content: bytes) -> None:
        self.files[file_id] = (path, content)

    def refuse(self, method: str, code: int, description: str, **parameters: int) -> None:
        self.refusals.setdefault(method, []).append(Refusal(code, description, **parameters))

    def _allowed_kinds(self) -> set[str]:
        return set(self._allowed or ())

    # Answering

    async def _handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls[method] += 1
        try:
            if request.match_info["token"] != TOKEN:
                raise Refusal(401, "Unauthorized")
            if waiting := self.refusals.get(method):
                raise waiting.pop(0)
            answer = getattr(self, f"_{method}", None)
            if answer is None:
                raise Refusal(404, "Not Found")
            result = await answer(await _parameters(request))
        except Refusal as refusal:
            parameters = {"parameters": refusal.parameters} if refusal.parameters else {}
            body = {"ok": False, "error_code": refusal.code, "description": str(refusal), **parameters}
            return web.json_response(body, status=refusal.code)
        return web.json_response({"ok": True, "result": result})

    async def _getMe(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the method's own name
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _getUpdates(self, given: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802
        if self.hook:
            raise Refusal(409, CONFLICT_WEBHOOK)
        if self._reader is not None:
            self._reader.set()
        ended = self._reader = asyncio.Event()
        if "allowed_updates" in given:
            self._allowed = list(given["allowed_updates"])
        self._confirm(int(given.get("offset") or 0))
        limit = min(max(int(given.get("limit") or 100), 1), 100)
        try:
            await self._wait(min(int(given.get("timeout") or 0), LONGEST_WAIT_SECONDS), ended)
            return self._fresh()[:limit]
        finally:
            if self._reader is ended:
                self._reader = None

    def _confirm(self, offset: int) -> None:
        """Whoever asks from N on has all below. An offset beyond the queue is not known: its head is handed out."""
        if self.queue and offset <= self.queue[-1]["update_id"] + 1:
            self.queue = [update for update in self.queue if update["update_id"] >= offset]

    async def _wait(self, seconds: int, ended: asyncio.Event) -> None:
        deadline = time.monotonic() + seconds
        while not self._fresh() and time.monotonic() < deadline and not ended.is_set():
            self._arrived.clear()
            self.is_asked.set()
            waits = [asyncio.ensure_future(one.wait()) for one in (self._arrived, ended)]
            try:
                await asyncio.wait(waits, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
        if ended.is_set():
            raise Refusal(409, CONFLICT)

    def _fresh(self) -> list[dict[str, Any]]:
        """What is not older than a day."""
        oldest = self.now() - KEPT_SECONDS
        self.queue = [update for update in self.queue if self._born[update["update_id"]] >= oldest]
        return self.queue

    async def _getFile(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        path, content = self.files.get(str(given["file_id"]), ("", b""))
        if not path:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(content) > 20 << 20:
            raise Refusal(400, "Bad Request: file is too big")
        shown = {"file_unique_id": f"u{given['file_id']}", "file_size": len(content), "file_path": path}
        return {"file_id": given["file_id"], **shown}

    async def _download(self, request: web.Request) -> web.Response:
        content = dict(self.files.values()).get(request.match_info["path"])
        if content is None or request.match_info["token"] != TOKEN:
            raise web.HTTPNotFound
        return web.Response(body=content)

    async def _sendMessage(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.sent.append(given)
        message = {"message_id": self._next_message, "date": int(self.now()), "text": given["text"], "from": BOT}
        self._next_message += 1
        return {**message, "chat": {"id": int(given["chat_id"]), "type": "private", "first_name": "雷"}}

    # Pushing

    async def _getWebhookInfo(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        error = {"last_error_date": int(self.now()), "last_error_message": self.last_error} if self.last_error else {}
        shown = {"url": self.hook.get("url", ""), "has_custom_certificate": False}
        return {**shown, "pending_update_count": len(self._fresh()), **error}

    async def _setWebhook(self, given: dict[str, Any]) -> bool:  # noqa: N802
        if not str(given["url"]).startswith(("https://", "http://127.0.0.1")):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self._stop_pushing()
        self.hook = given
        if "allowed_updates" in given:
            self._allowed = list(given["allowed_updates"])
        self._pushing = asyncio.create_task(self._push_all())
        return True

    async def _deleteWebhook(self, given: dict[str, Any]) -> bool:  # noqa: N802
        self._stop_pushing()
        self.hook = {}
        return True

    def _stop_pushing(self) -> None:
        if self._pushing is not None:
            self._pushing.cancel()
            self._pushing = None

    async def _push_all(self) -> None:
        """Until each has got a 2xx: those of one chat one after the other, of several chats at once (tdlib's Bot API
        server, WebhookActor: a queue for each chat)."""
        async with ClientSession(timeout=ClientTimeout(5)) as session:
            while True:
                self._arrived.clear()
                heads = self._heads()
                done = await asyncio.gather(*(self._push(session, update) for update in heads))
                taken = {id(update) for update, is_taken in zip(heads, done, strict=True) if is_taken}
                self.queue = [update for update in self.queue if id(update) not in taken]
                if not all(done):
                    await asyncio.sleep(RETRY_SECONDS)
                elif not self.queue:
                    await self._arrived.wait()

    def _heads(self) -> list[dict[str, Any]]:
        """The oldest of each chat, the newest chat first."""
        heads: dict[Any, dict[str, Any]] = {}
        for update in self._fresh():
            heads.setdefault(_chat_of(update), update)
        return list(reversed(list(heads.values())[:PUSHES_AT_ONCE]))

    async def _push(self, session: ClientSession, update: dict[str, Any]) -> bool:
        statuses = [await self._push_once(session, update) for _ in range(2 if self.repeats_pushes else 1)]
        return any(200 <= status < 300 for status in statuses)

    async def _push_once(self, session: ClientSession, update: dict[str, Any]) -> int:
        status, reason = 0, "Connection refused"
        headers = {"X-Telegram-Bot-Api-Secret-Token": str(self.hook.get("secret_token", ""))}
        with contextlib.suppress(ClientError, TimeoutError, OSError):
            async with session.post(self.hook["url"], json=update, headers=headers) as answer:
                status, reason = answer.status, f"Wrong response from the webhook: {answer.status} {answer.reason}"
                assert not await answer.read(), "a method in the answer would be carried out"
        self.pushes[status] += 1
        self.last_error = "" if 200 <= status < 300 else reason
        return status


def _chat_of(update: Mapping[str, Any]) -> Any:
    (subject,) = (value for name, value in update.items() if name != "update_id")
    return subject["chat"]["id"]


async def _parameters(request: web.Request) -> dict[str, Any]:
    """As JSON, as a form (objects and lists in it are JSON) or in the query."""
    if request.content_type == "application/json":
        read: dict[str, Any] = await request.json()
        return read
    form = {**request.query, **await request.post()}
    return {name: _decoded(value) for name, value in form.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "[{":
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value
