"""微信客服 in small: messages of one account, read by `sync_msg` from a cursor to the end (企业微信 document 94670)."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

ACCOUNT = "wkAJ2GCAAAZSfhHCt7IFSvLKtMPxyJTw"
PAGE = 7
_OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}


class Kf:
    """`await start()`; then `say`. What it signals to our callback is for the caller to send, or to lose."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.read = 0
        """How many have been read by somebody, once at least."""
        self.page = PAGE

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/cgi-bin/{path:.+}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def say(self, text: str, customer: str) -> str:
        """The message's id."""
        msgid = f"4sdfDlZFcBHtmYwYKAkhBVeGFLsq{len(self.messages):08d}"
        said = {"msgid": msgid, "open_kfid": ACCOUNT, "external_userid": customer, "send_time": int(time.time())}
        self.messages.append({**said, "origin": 3, "msgtype": "text", "text": {"content": text}})
        return msgid

    async def _answer(self, request: web.Request) -> web.Response:
        if request.match_info["path"] == "gettoken":
            return web.json_response({**_OK, "access_token": "kf-access-token", "expires_in": 7200})
        if request.query.get("access_token") != "kf-access-token":
            return web.json_response({"errcode": 40014, "errmsg": "invalid access_token"})
        given = await request.json()
        if request.match_info["path"] == "kf/sync_msg":
            return web.json_response(self._sync(given))
        return web.json_response({**_OK, "account_list": [{"open_kfid": ACCOUNT, "name": "售后客服"}]})

    def _sync(self, given: dict[str, Any]) -> dict[str, Any]:
        start = int(given["cursor"] or 0)
        end = min(start + self.page, len(self.messages))
        self.read = max(self.read, end)
        more = int(end < len(self.messages))
        return {**_OK, "next_cursor": str(end), "has_more": more, "msg_list": self.messages[start:end]}
