"""What every simulated ticket store has: a port, a log of calls, and troubles on demand.

A store subclasses `Desk`, names its routes, and says how it words a refusal. `plan` makes the next call that changes
something meet a trouble, so that a contract test's `fail_next` is one line; `weather` draws one for every such call.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from allears_sdk.testing.memory import Fault

MAX_BODY_BYTES = 64 << 20
RETRY_AFTER_SECONDS = 7
LOGIN_PAGE = "<!DOCTYPE html><html><title>Sign in 登录</title><form></form></html>"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Mishap(StrEnum):
    """What the contract suite does not ask for and the world does."""

    CUT_BEFORE = "cut before"
    """The connection breaks and nothing is done."""
    BROKEN_AFTER = "broken after"
    """The work is done, the answer is 500."""
    TIMED_OUT_AFTER = "timed out after"
    """The work is done, a proxy answers 504."""
    BUSY = "busy"
    """503 with `Retry-After`; nothing is done."""
    TWICE = "twice"
    """A proxy on the way sends the request a second time."""


Trouble = Fault | Mishap


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    """Empty for multipart forms."""


class Refusal(Exception):
    """Raised by a store's own answers: this status with this JSON body, or none."""

    def __init__(self, status: int, body: object = None, **headers: str) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, headers

    def response(self) -> web.Response:
        if self.body is None:
            return web.Response(status=self.status, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


class Desk:
    """`await start()`; then `url`. Tell it what goes wrong with `plan`, `weather` or `unplug`."""

    WORK: ClassVar[str] = r"(POST|PUT|PATCH) "
    """Which calls a trouble waits for when nothing else is said: a pattern of "METHOD /path"."""
    STATUS: ClassVar[Mapping[Trouble, int]] = {}
    """Where this store refuses with another status than most."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        """Unix time; a test gives its own clock's."""
        self.calls: list[Call] = []
        self.lag_seconds = 0.0
        """How long a look-up misses what was written: see `is_seen`."""
        self.late_seconds: float | None = None
        """After how long late work is done; None: when `land` is called."""
        self.weather: Callable[[], Trouble | None] = lambda: None
        """Drawn for each call that matches `exposed`."""
        self.exposed = self.WORK
        self._planned: list[tuple[re.Pattern[str], Trouble]] = []
        self._late: list[Callable[[], Awaitable[object]]] = []
        self._sleeping: set[asyncio.Task[None]] = set()

    # What a store says of itself

    def routes(self) -> Iterable[web.RouteDef]:
        raise NotImplementedError

    def is_allowed(self, request: web.Request) -> bool:
        """Whether the credentials are right."""
        return True

    def refusal(self, status: int, request: web.Request) -> web.Response:
        """How the store words it."""
        return web.json_response({"error": f"{status} 没有权限"}, status=status)

    def is_seen(self, written_at: float) -> bool:
        """Whether a lagging look-up knows what was written then."""
        return self.now() - written_at >= self.lag_seconds

    # Running

    async def start(self) -> None:
        @web.middleware
        async def meet(request: web.Request, handler: Answer) -> web.StreamResponse:
            return await self._meet(request, _answering(handler))

        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[meet])
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for task in list(self._sleeping):
            task.cancel()
        await self._runner.cleanup()

    async def unplug(self) -> None:
        """Nobody listens at `url` any more; what was kept can still be looked at."""
        await self._runner.cleanup()

    # Troubles

    async def fail_next(self, fault: Fault) -> None:
        """A contract test's hook, whole."""
        if fault is Fault.UNREACHABLE:
            await self.unplug()
        else:
            self.plan(fault)

    def plan(self, *troubles: Trouble, on: str = "") -> None:
        """The next calls that match `on` (a pattern of "METHOD /path", else `WORK`) meet these, one each."""
        self._planned.extend((re.compile(on or self.WORK), trouble) for trouble in troubles)

    def storm(self, rng: random.Random, odds: Mapping[Trouble, float]) -> None:
        """From now on every call that does work meets one of these, each with its own probability."""
        troubles = [None, *odds]
        weights = [1 - sum(odds.values()), *odds.values()]
        self.weather = lambda: rng.choices(troubles, weights)[0]

    @property
    def is_late(self) -> bool:
        """Whether something is on its way of which nobody will hear."""
        return bool(self._late)

    async def land(self) -> None:
        """What was late is done now."""
        late, self._late = self._late, []
        for work in late:
            await work()

    async def _meet(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        await self._keep(request)
        if not self.is_allowed(request):
            return self.refusal(401, request)
        trouble = self._due(f"{request.method} {request.path}")
        if trouble is None:
            return await answer(request)
        if trouble in _REFUSED:
            return self._refused(trouble, request)
        return await self._spoilt(trouble, request, answer)

    async def _keep(self, request: web.Request) -> None:
        """Read here, so that the body is there when the work is done late."""
        is_form = request.content_type.startswith("multipart/")
        body = b"" if is_form else await request.read()
        if is_form:
            request._post = _in_memory(await request.post())
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query)
        self.calls.append(Call(method=request.method, path=request.path, query=query, headers=headers, body=body))

    def _due(self, what: str) -> Trouble | None:
        for place, (pattern, trouble) in enumerate(self._planned):
            if pattern.match(what):
                del self._planned[place]
                return trouble
        return self.weather() if re.match(self.exposed, what) else None

    def _refused(self, trouble: Trouble, request: web.Request) -> web.Response:
        response = self.refusal(self.STATUS.get(trouble, _REFUSED[trouble]), request)
        if trouble in (Fault.TOO_MANY, Mishap.BUSY):
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    async def _spoilt(self, trouble: Trouble, request: web.Request, answer: Answer) -> web.StreamResponse:
        if trouble is Fault.LATE:
            self._postpone(lambda: answer(request))
        elif trouble is not Mishap.CUT_BEFORE:
            await answer(request)
            if trouble is Mishap.TWICE:
                return await answer(request)
            if trouble is Fault.GARBAGE:
                return web.Response(text=LOGIN_PAGE, content_type="text/html")
            if trouble in _BROKEN:
                return web.Response(status=_BROKEN[trouble], text="<html>upstream</html>", content_type="text/html")
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _postpone(self, work: Callable[[], Awaitable[object]]) -> None:
        if self.late_seconds is None:
            self._late.append(work)
            return
        task = asyncio.create_task(self._sleep_and(work, self.late_seconds))
        self._sleeping.add(task)
        task.add_done_callback(self._sleeping.discard)

    async def _sleep_and(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        await asyncio.sleep(seconds)
        await work()


class _Lasting(io.BytesIO):
    """Can be read after its request has ended."""

    def close(self) -> None:
        """aiohttp closes a form's files with the request."""


def _in_memory(form: MultiDictProxy[Any]) -> MultiDictProxy[Any]:
    """Files of a form end with their request; late work still wants them."""
    kept: MultiDict[Any] = MultiDict()
    for name, value in form.items():
        if isinstance(value, web.FileField):
            with value.file as given:
                content: Any = _Lasting(given.read())
            kept.add(name, web.FileField(value.name, value.filename, content, value.content_type, value.headers))
        else:
            kept.add(name, value)
    return MultiDictProxy(kept)


def _answering(answer: Answer) -> Answer:
    """A refusal is an answer too, also where it is lost or late. Asked twice, it finds a form's files whole twice."""

    async def answered(request: web.Request) -> web.StreamResponse:
        for part in (await request.post()).values() if request._post is not None else ():
            if isinstance(part, web.FileField):
                part.file.seek(0)
        try:
            return await answer(request)
        except Refusal as refusal:
            return refusal.response()
        except web.HTTPException as refusal:
            return web.Response(status=refusal.status, headers=refusal.headers, text=refusal.text)

    return answered


_REFUSED: Mapping[Trouble, int] = {
    Fault.TOO_MANY: 429,
    Fault.EXPIRED: 401,
    Fault.REJECT: 422,
    Fault.GONE: 404,
    Mishap.BUSY: 503,
}
_BROKEN: Mapping[Trouble, int] = {Mishap.BROKEN_AFTER: 500, Mishap.TIMED_OUT_AFTER: 504}


def one_page(found: list[Any], request: web.Request, *, per_page: int) -> list[Any]:
    """The page that `page` and `per_page` of the query ask for, no larger than `per_page`."""
    size = max(1, min(int(request.query.get("per_page", per_page)), per_page))
    start = (max(1, int(request.query.get("page", 1))) - 1) * size
    return found[start : start + size]
