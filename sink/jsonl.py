"""Appends each event as one line of JSON to a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from allears_sdk.codec import encode
from allears_sdk.complaint import Event
from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, Rejected, Unavailable
from allears_sdk.settings import DestinationSettings
from allears_sdk.sink import Certainty, Progress, Sending, Sink, SinkSpec, Ticket, marks_of
from sink._lines import LineFile, Rotation
from sink._payload import TYPES, event_facts

T = TypeVar("T")


class JsonlSettings(DestinationSettings):
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


class JsonlSink(Sink[JsonlSettings]):
    """One line per event, on disk before a delivery counts as sent; never one twice."""

    spec = SinkSpec(
        kind="jsonl",
        title_en="JSONL file",
        title_zh="JSONL 文件",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        wait_seconds=0,
        batches=True,
        is_stream=True,
        verified="ext4 and overlayfs on Linux",
    )
    Settings = JsonlSettings
    _file: LineFile | None = None

    async def start(self) -> None:
        rotation = Rotation(max_bytes=self.settings.rotate_bytes, daily=self.settings.rotate_daily)
        file = LineFile(self.settings.path, rotation, self.context.clock)
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

    def render(self, event: Event, key: str) -> bytes:
        marks = marks_of(event, key, is_stream=True)
        return encode(
            {
                "type": TYPES[event.kind],
                "delivery_key": key,
                **({"marks": marks} if len(marks) > 1 else {}),
                "event": event_facts(event),
                "complaint": event.record,
            }
        )

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        return await self._append(payload, key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._append(payload, key)

    async def find(self, key: str) -> Ticket | None:
        return Ticket(id=key) if await self._has(key) else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        return [mark for mark in marks if await self._has(mark)]

    async def send_many(self, sendings: Sequence[Sending]) -> Sequence[Ticket | Exception]:
        good = [sending for sending in sendings if b"\n" not in sending.payload]
        try:
            await self._do(lambda file: file.append([sending.payload for sending in good]))
        except AllearsError as error:
            return [error if b"\n" not in sending.payload else _two_lines() for sending in sendings]
        return [_result(sending) for sending in sendings]

    async def _append(self, payload: bytes, key: str) -> Ticket:
        (result,) = await self.send_many([Sending(payload=payload, key=key, ticket=None)])
        if isinstance(result, Exception):
            raise result
        return result

    async def _has(self, key: str) -> bool:
        known = self._file.has_at_once(key) if self._file else None
        return known if known is not None else await self._do(lambda file: file.has(key))

    async def _do(self, work: Callable[[LineFile], T]) -> T:
        if self._file is None:
            raise Unavailable("the file is not open")
        return await self.context.blocking(work, self._file)


def _result(sending: Sending) -> Ticket | Exception:
    if b"\n" in sending.payload:
        return _two_lines()
    return sending.ticket or Ticket(id=sending.key)


def _two_lines() -> Rejected:
    return Rejected("the payload is more than one line")
