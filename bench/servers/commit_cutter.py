"""In front of a database: connections that break around the commit, where it hurts."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum

from bench.servers.process import LOOPBACK

_CHUNK = 1 << 16


class Cut(StrEnum):
    """What the next commit meets."""

    BEFORE = "before"
    """It never reaches the database."""
    AFTER = "after"
    """It is done; the answer is lost."""
    GARBAGE = "garbage"
    """It is done; something else comes back."""


class CommitCutter:
    """`await start()`; then clients connect to `port` instead of the database's own."""

    def __init__(self, upstream: int) -> None:
        self.cuts: list[Cut] = []
        """The next commits meet these, one each."""
        self.sessions = 0
        self.port = 0
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens any more, and every session breaks. It can be started again at the same port."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Break the sessions there are."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        with contextlib.suppress(OSError):
            from_database, to_database = await asyncio.open_connection(LOOPBACK, self._upstream)
            session = _Session(reader, writer, from_database, to_database)
            self._writers |= {writer, to_database}
            answers = asyncio.create_task(session.answer())
            try:
                await session.ask(self.cuts)
            finally:
                answers.cancel()
                self._writers -= {writer, to_database}
                session.end()


class _Session:
    def __init__(
        self,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_database: asyncio.StreamReader,
        to_database: asyncio.StreamWriter,
    ) -> None:
        self._from_client, self._to_client = from_client, to_client
        self._from_database, self._to_database = from_database, to_database
        self._swallows = False
        self._swallowed = asyncio.Event()

    async def ask(self, cuts: list[Cut]) -> None:
        """What the client says, until it ends or the connection is cut."""
        while data := await self._from_client.read(_CHUNK):
            cut = cuts.pop(0) if cuts and b"COMMIT" in data else None
            if cut is Cut.BEFORE:
                return
            self._swallows = cut is not None
            self._to_database.write(data)
            await self._to_database.drain()
            if cut:
                await self._swallowed.wait()  # the work is surely done
                if cut is Cut.GARBAGE:
                    self._to_client.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                    self._to_client.write_eof()
                    await self._from_client.read(1)
                return

    async def answer(self) -> None:
        """What the database says."""
        with contextlib.suppress(OSError):
            while data := await self._from_database.read(_CHUNK):
                if self._swallows:
                    self._swallowed.set()
                    continue
                self._to_client.write(data)
                await self._to_client.drain()
        self._swallowed.set()
        self._to_client.transport.abort()

    def end(self) -> None:
        for writer in (self._to_client, self._to_database):
            writer.transport.abort()
