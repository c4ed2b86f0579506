"""Socket Mode: frames as they come, acked by whoever has stored what they brought. "Using Socket Mode".

slack-sdk's own socket client hands every frame to a task of its own, from a queue without end, and tries a refused
token for ever; so the frames are read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from allears_sdk.codec import decode, encode
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.remote import Remote, Socket

MAX_WAITING = 256
MAX_TAKEN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    line: int
    """Which connection it came on: there it is acked."""
    type: str
    envelope: str = ""
    reason: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    line: int
    error: Exception | None


class SocketMode:
    """Connections of one app, one after the other. When Slack announces that it will close one, the next is opened
    first, and what still comes on the old one is read."""

    def __init__(self, open_url: Callable[[], Awaitable[str]], remote: Remote) -> None:
        self._open_url = open_url
        self._remote = remote
        self._waiting: asyncio.Queue[Frame | End] = asyncio.Queue(MAX_WAITING)
        self._sockets: dict[int, Socket] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._newest = 0
        self._greeted = 0
        """The newest connection that said hello."""

    async def frames(self) -> AsyncIterator[Sequence[Frame]]:
        """What has come, some at a time, until the last connection ends. Raises ConfigError where Socket Mode is off,
        and what opening a connection raises."""
        self._open()
        while True:
            arrived = [await self._waiting.get()]
            while not self._waiting.empty() and len(arrived) < MAX_TAKEN:
                arrived.append(self._waiting.get_nowait())
            frames = [one for one in arrived if isinstance(one, Frame)]
            if frames:
                yield frames
            for frame in frames:
                self._heed(frame)
            for end in arrived:
                if isinstance(end, End) and end.line == self._newest:
                    if end.error is not None:
                        raise end.error
                    return

    async def ack(self, frame: Frame) -> None:
        """On a connection that has ended nobody waits for it: Slack sends the envelope again."""
        socket = self._sockets.get(frame.line)
        if frame.envelope and socket is not None:
            with suppress(Unavailable):
                await socket.send(encode({"envelope_id": frame.envelope}).decode())

    async def close(self) -> None:
        readers = list(self._readers.values())
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    def _heed(self, frame: Frame) -> None:
        if frame.type == "hello":
            self._greeted = max(self._greeted, frame.line)
        if frame.type != "disconnect" or frame.line != self._newest:
            return
        if frame.reason == "link_disabled":
            raise ConfigError("Socket Mode is switched off for this app: switch it on on the app's page")
        if frame.reason == "too_many_websockets" or self._greeted < frame.line:
            raise Unavailable(f"Slack closed the connection: {frame.reason or 'no reason given'}")
        self._open()

    def _open(self) -> None:
        self._newest += 1
        self._readers[self._newest] = asyncio.create_task(self._read(self._newest), name=f"slack socket {self._newest}")

    async def _read(self, line: int) -> None:
        error: Exception | None = None
        try:
            async with self._remote.socket(await self._open_url()) as socket:
                self._sockets[line] = socket
                while (frame := await socket.receive()) is not None:
                    await self._waiting.put(read_frame(line, frame))
        except Exception as caught:  # whatever it is, whoever listens is to hear of it
            error = caught
        finally:
            self._sockets.pop(line, None)
            self._readers.pop(line, None)
        await self._waiting.put(End(line=line, error=error))


def read_frame(line: int, frame: str | bytes) -> Frame:
    """Raises Unavailable for what is no frame of Slack's."""
    try:
        known: Mapping[str, Any] = decode(frame, dict[str, Any])
    except ValueError:
        raise Unavailable("Slack's socket sends what is not JSON") from None
    return Frame(
        line=line,
        type=str(known.get("type", "")),
        envelope=str(known.get("envelope_id", "")),
        reason=str(known.get("reason", "")),
        body=frame.encode() if isinstance(frame, str) else frame,
    )
