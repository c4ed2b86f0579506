"""The floor: a bare aiohttp handler that stores each JSON post durably, in group commits, and answers. No more.

python -m bench.floor PORT FILE
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import sys
import threading
from typing import Any

from aiohttp import web

Item = tuple[str, bytes, "asyncio.Future[None]"]


class Store:
    """One writing thread, `synchronous=FULL`: all that waits goes into the next commit."""

    def __init__(self, path: str) -> None:
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._write, args=(path,), daemon=True).start()

    def put(self, key: str, body: bytes) -> asyncio.Future[None]:
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


async def serve(port: int, path: str) -> None:
    store = Store(path)

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        value: Any = json.loads(body)
        if not value.get("text"):
            return web.Response(status=400)
        await store.put(request.headers["Idempotency-Key"], body)
        return web.Response(status=201, body=b'{"status":"accepted"}', content_type="application/json")

    app = web.Application()
    app.router.add_post("/in/form", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main() -> None:
    from bench.loop import run

    run(serve(int(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()
