"""What sinks share that append events to a file: one line each, on disk before a delivery counts as sent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, Rejected, Unavailable
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Progress, Sending, Sink, Ticket
from sink._lines import LineFile, Rotation

T = TypeVar("T")


class LineSettings(DestinationSettings):
    """Which file, and when a new one begins."""

    path: Path = Field(
        description="The file that is appended to; its folder is made on demand. It is readable by its owner only.",
        examples=["complaints.jsonl"],
    )
    rotate_bytes: int = Field(
        default=0,
        ge=0,
        description="At this size the file is renamed to NAME-YYYYMMDDTHHMMSSZ and a new one begun; 0: never.",
    )
    rotate_daily: bool = Field(default=False, description="True begins a new file with the first line of a UTC day.")

    @property
    def rotation(self) -> Rotation:
        return Rotation(max_bytes=self.rotate_bytes, daily=self.rotate_daily)


S = TypeVar("S", bound=LineSettings)


class LineSink(Sink[S]):
    """Subclasses say what a line looks like. Never one twice, never half of one."""

    _file: LineFile | None = None

    def make_file(self) -> LineFile:
        return LineFile(self.settings.path, self.settings.rotation, self.context.clock)

    @abstractmethod
    def line(self, payload: bytes) -> bytes:
        """What a frozen payload is in the file, without the end of the line. Raises Rejected."""

    def write(self, file: LineFile, lines: Sequence[bytes]) -> None:
        """On disk when it returns. Blocks."""
        file.append(lines)

    async def start(self) -> None:
        file = self.make_file()
        torn = await self.context.blocking(file.open)
        self._file = file
        if torn:
            self.context.log.warning("half_line_set_aside", path=str(self.settings.path), bytes=torn)

    async def stop(self) -> None:
        file, self._file = self._file, None
        if file:
            await self.context.blocking(file.close)

    async def check(self) -> Identity:
        path = self.settings.path
        await self.context.blocking(LineFile.check, path)
        return Identity(account=str(path.absolute()))

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return await self._append(payload, key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._append(payload, key)

    async def find(self, key: str) -> Ticket | None:
        return Ticket(id=key) if await self._has(key) else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        return [mark for mark in marks if await self._has(mark)]

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        lines = [self._line(sending.payload) for sending in sendings]
        good = [line for line in lines if isinstance(line, bytes)]
        try:
            await self._do(self.write, good)
        except AllearsError as error:
            return [error if isinstance(line, bytes) else line for line in lines]
        return [
            (sending.ticket or Ticket(id=sending.key)) if isinstance(line, bytes) else line
            for sending, line in zip(sendings, lines, strict=True)
        ]

    def _line(self, payload: bytes) -> bytes | Rejected:
        try:
            return self.line(payload)
        except Rejected as error:
            return error

    async def _append(self, payload: bytes, key: str) -> Ticket:
        (result,) = await self.send_many([Sending(payload=payload, key=key, ticket=None)])
        if isinstance(result, Exception):
            raise result
        return result

    async def _has(self, key: str) -> bool:
        known = self._file.has_at_once(key) if self._file else None
        return known if known is not None else await self._do(LineFile.has, key)

    async def _do(self, work: Callable[..., T], *values: Any) -> T:
        if self._file is None:
            raise Unavailable("the file is not open")
        return await self.context.blocking(work, self._file, *values)
