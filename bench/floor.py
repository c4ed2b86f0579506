"""The floor: a bare aiohttp handler that stores each post durably, in group commits, and answers. No more.

python -m bench.floor PORT FILE [--sealed]

Posts are JSON; with --sealed they are WeChat's encrypted callbacks, whose signature and envelope are opened.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import queue
import sqlite3
import sys
import threading
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from aiohttp import web

Item = tuple[str | None, bytes, "asyncio.Future[None]"]


class Store:
    """One writing thread, `synchronous=FULL`: all that waits goes into the next commit."""

    def __init__(self, path: str) -> None:
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._write, args=(path,), daemon=True).start()

    def put(self, key: str | None, body: bytes) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((key, body, future))
        return future

    def _write(self, path: str) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE posts (key TEXT PRIMARY KEY, body BLOB)")
        while True:
            items = [self._queue.get()]
            while not self._queue.empty() and len(items) < 256:
                items.append(self._queue.get_nowait())
            connection.execute("BEGIN IMMEDIATE")
            for key, body, _ in items:
                connection.execute("INSERT INTO posts VALUES (?,?) ON CONFLICT DO NOTHING", (key, body))
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, items)


def _answer(items: list[Item]) -> None:
    for _, _, future in items:
        future.set_result(None)


async def serve(port: int, path: str, *, sealed: bool) -> None:
    store = Store(path)

    async def unseal(request: web.Request) -> web.Response:
        message = opened(await request.read(), request.query)
        await store.put(message["MsgId"], json.dumps(message).encode())
        return web.Response(body=b"success", content_type="text/plain")

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        value: Any = json.loads(body)
        if not value.get("text"):
            return web.Response(status=400)
        await store.put(request.headers["Idempotency-Key"], body)
        return web.Response(status=201, body=b'{"status":"accepted"}', content_type="application/json")

    app = web.Application()
    app.router.add_post("/in/{channel}", unseal if sealed else handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def opened(body: bytes, query: Mapping[str, str]) -> dict[str, str | None]:
    """The message in an encrypted callback, its signature checked."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    from bench.sealed import AES_KEY, TOKEN

    sealed = ElementTree.fromstring(body).findtext("Encrypt") or ""
    parts = "".join(sorted((TOKEN, query["timestamp"], query["nonce"], sealed))).encode()
    if not hmac.compare_digest(hashlib.sha1(parts, usedforsecurity=False).hexdigest(), query["msg_signature"]):
        raise web.HTTPUnauthorized
    key = base64.b64decode(AES_KEY + "=")
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
    message = plain[20 : 20 + int.from_bytes(plain[16:20], "big")]
    return {element.tag: element.text for element in ElementTree.fromstring(message)}


def main() -> None:
    from bench.loop import run

    run(serve(int(sys.argv[1]), sys.argv[2], sealed="--sealed" in sys.argv))


if __name__ == "__main__":
    main()
