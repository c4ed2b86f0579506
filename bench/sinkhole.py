"""An instant store behind HTTP: takes each post and answers, on `/slow` only after a while.

python -m bench.sinkhole PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from bench.loop import run


async def serve(port: int, seconds: float) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        if request.path == "/slow":
            await asyncio.sleep(seconds)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{way}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(int(sys.argv[1]), float(sys.argv[2])))
