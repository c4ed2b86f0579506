"""A wire between a client and a server of any protocol, that can break at the worst moment.

async with Cable(server.port, answer=rb'"seq"') as cable:   # the client talks to cable.port
    cable.plan(Snap.AFTER)                                  # the server does the work, nobody hears of it
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from enum import StrEnum

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16


class Snap(StrEnum):
    """What happens to the next request that matches."""

    BEFORE = "before"
    """The wire breaks while the request is on it: the server gets nothing of it, or a part."""
    AFTER = "after"
    """The wire breaks under the answer: the server has done the work."""
    LATE = "late"
    """The wire breaks for the client alone; the server gets the request when `land` is called."""
    SILENT = "silent"
    """Nothing breaks; the answer, and all after it, never comes."""
    GARBAGE = "garbage"
    """The answer is something else."""


class Cable:
    """Listens on `port` of loopback. `request` and `answer` are patterns of bytes that tell work and its answers from
    the rest of the protocol."""

    def __init__(self, target_port: int, *, request: bytes = b"", answer: bytes = b"", garbage: bytes = b"") -> None:
        self.target_port = target_port
        self.port = 0
        self.is_unplugged = False
        """New connections are closed at once."""
        self._request, self._answer = re.compile(request, re.DOTALL), re.compile(answer, re.DOTALL)
        self._garbage = garbage
        self.weather: Callable[[], Snap | None] = lambda: None
        """Drawn for each request for which nothing is planned."""
        self._planned: list[Snap] = []
        self._late: list[asyncio.Event] = []
        self._landing: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def plan(self, *snaps: Snap) -> None:
        self._planned.extend(snaps)

    @property
    def is_late(self) -> bool:
        """Whether something is on its way of which nobody will hear."""
        return not all(event.is_set() for event in self._late)

    def land(self) -> None:
        """What is late arrives now."""
        for event in self._late:
            event.set()

    async def landed(self) -> None:
        """Until the server has done what arrived late."""
        for done in list(self._landing):
            await done.wait()

    def cut(self) -> None:
        """Every connection breaks now; new ones can be made."""
        for task in list(self._tasks):
            task.cancel()

    async def settle(self) -> None:
        """Until every connection has come to its end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        await self.settle()

    async def __aenter__(self) -> Cable:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if not self.is_unplugged:
                await self._serve(reader, writer)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(LOOPBACK, self.target_port)
        pair = [
            asyncio.create_task(self._forward(reader, downstream, writer)),
            asyncio.create_task(self._back(upstream, writer)),
        ]
        try:
            await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)
        finally:
            downstream.transport.abort()
            for task in pair:
                task.cancel()
            await asyncio.gather(*pair, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, downstream: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK):
            snap = self._drawn(Snap.BEFORE, Snap.LATE) if self._request.search(chunk) else None
            if snap is Snap.BEFORE:
                return
            if snap is Snap.LATE:
                await self._be_late(chunk, reader, downstream, writer)
                return
            downstream.write(chunk)
            await downstream.drain()

    async def _be_late(
        self,
        chunk: bytes,
        reader: asyncio.StreamReader,
        downstream: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        """The rest of the request is on its way too; the client hears nothing any more."""
        event, done = asyncio.Event(), asyncio.Event()
        self._late.append(event)
        self._landing.add(done)
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.2):
                    more = await reader.read(CHUNK)
                if not more:
                    break
                chunk += more
        writer.transport.abort()
        await event.wait()
        downstream.write(chunk)
        await downstream.drain()
        downstream.write_eof()
        try:
            await asyncio.Event().wait()  # until the server closes: the other direction ends both
        finally:
            done.set()
            self._landing.discard(done)

    async def _back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_silent = False
        while chunk := await upstream.read(CHUNK):
            snap = self._due(Snap.AFTER, Snap.GARBAGE, Snap.SILENT) if self._answer.search(chunk) else None
            is_silent = is_silent or snap is Snap.SILENT
            if snap is Snap.AFTER:
                return
            if is_silent or writer.transport.is_closing():
                continue
            writer.write(self._garbage if snap is Snap.GARBAGE else chunk)
            await writer.drain()

    def _drawn(self, *wanted: Snap) -> Snap | None:
        if not self._planned and (snap := self.weather()):
            self._planned.append(snap)
        return self._due(*wanted)

    def _due(self, *wanted: Snap) -> Snap | None:
        if self._planned and self._planned[0] in wanted:
            return self._planned.pop(0)
        return None
