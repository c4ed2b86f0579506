"""A reverse proxy in front of a real ticket store that spoils what passes: the same troubles as a simulated one.

async with FaultProxy(store.url) as proxy:      # the sink talks to proxy.url
    proxy.plan(Fault.LOSE_ANSWER)                # the store does the work, nobody hears of it
    proxy.plan(Fault.TOO_MANY, on="POST /t/rest/data/issue$")
    proxy.storm(random.Random(7), {Fault.LATE: 0.05, Mishap.BROKEN_AFTER: 0.05})
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from bench.servers.desk import Call, Desk

TIMEOUT_SECONDS = 60
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
_OURS = _HOP_BY_HOP | {"host", "content-length"}
_NAME_A_PLACE = frozenset({"origin", "referer", "location"})


class FaultProxy(Desk):
    """Forwards everything to `upstream` (scheme, host and port), byte for byte; redirects are passed on.

    Addresses in Origin, Referer and Location are translated; those in bodies stay as the store wrote them.
    """

    def __init__(self, upstream: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.upstream = upstream.rstrip("/")
        self.answers: list[tuple[str, int]] = []
        """("METHOD /path", status) of all that the store answered, whether or not the client heard of it; 0: the
        store could not be reached."""
        self._meanwhile: list[tuple[re.Pattern[str], Callable[[], Awaitable[object]]]] = []

    def meanwhile(self, on: str, action: Callable[[], Awaitable[object]]) -> None:
        """Once: when the store has answered a call that matches `on` (a pattern of "METHOD /path"), and before the
        client hears of it, this happens; as when an agent works on the ticket too."""
        self._meanwhile.append((re.compile(on), action))

    def routes(self) -> Iterable[web.RouteDef]:
        yield web.route("*", "/{path:.*}", self._forward)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self._session.close()

    async def __aenter__(self) -> FaultProxy:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def _keep(self, request: web.Request) -> None:
        """Forms too stay the bytes they are."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query)
        body = await request.read()
        self.calls.append(Call(method=request.method, path=request.path, query=query, headers=headers, body=body))

    async def _forward(self, request: web.Request) -> web.Response:
        what = f"{request.method} {request.path}"
        try:
            async with self._session.request(
                request.method,
                URL(self.upstream + request.raw_path, encoded=True),
                headers=self._translated(request.headers, self.url, self.upstream),
                data=await request.read() or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            self.answers.append((what, 0))
            return web.Response(status=502, text="the store cannot be reached")
        self.answers.append((what, answer.status))
        for place, (pattern, action) in enumerate(self._meanwhile):
            if pattern.match(what):
                del self._meanwhile[place]
                await action()
                break
        headers = self._translated(answer.headers, self.upstream, self.url)
        return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body)

    def _translated(self, headers: Mapping[str, Any], here: str, there: str) -> CIMultiDict[str]:
        return CIMultiDict(
            (name, value.replace(here, there) if name.lower() in _NAME_A_PLACE else value)
            for name, value in headers.items()
            if name.lower() not in _OURS
        )
