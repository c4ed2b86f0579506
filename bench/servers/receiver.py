"""A ticket store behind a webhook that answers as badly as the world does."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

FAULTS = ("none", "answer_lost", "cut_before", "broken_after", "busy", "late_create")
WEIGHTS = (80, 5, 3, 4, 2, 6)


@dataclass
class Receiver:
    """A ticket store behind a webhook: it knows the ids it has seen, and does everything else wrong."""

    rng: random.Random
    is_kind: bool = False
    created: dict[str, bytes] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    changed: list[str] = field(default_factory=list)
    """Ids that came again with other bytes under the same key."""
    is_restored: bool = False
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.Response:
        body, key = await request.read(), request.headers["webhook-id"]
        fault = "none" if self.is_kind else self.rng.choices(FAULTS, WEIGHTS)[0]
        self.faults[fault] += 1
        response: web.Response = await getattr(self, f"_{fault}")(request, key, body)
        return response

    def _create(self, key: str, body: bytes) -> None:
        if self.created.setdefault(key, body) != body and not self.is_restored:
            self.changed.append(key)

    async def _none(self, request: web.Request, key: str, body: bytes) -> web.Response:
        self._create(key, body)
        return web.Response(status=204)

    async def _answer_lost(self, request: web.Request, key: str, body: bytes) -> web.Response:
        self._create(key, body)
        _cut(request)
        return web.Response()

    async def _cut_before(self, request: web.Request, key: str, body: bytes) -> web.Response:
        _cut(request)
        return web.Response()

    async def _broken_after(self, request: web.Request, key: str, body: bytes) -> web.Response:
        self._create(key, body)
        return web.Response(status=500)

    async def _busy(self, request: web.Request, key: str, body: bytes) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "1"})

    async def _late_create(self, request: web.Request, key: str, body: bytes) -> web.Response:
        task = asyncio.create_task(self._create_later(key, body, self.rng.uniform(0.2, 3)))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        await asyncio.shield(task)
        return web.Response(status=200)

    async def _create_later(self, key: str, body: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._create(key, body)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
