"""The long connection as a source of events: pings, parts put together, acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

from allears_sdk.codec import decode as decode_json
from allears_sdk.codec import encode as encode_json
from allears_sdk.context import Log
from allears_sdk.errors import Unavailable
from allears_sdk.remote import Socket
from connectors.feishu.frames import CONTROL, DATA, BadFrame, Frame, decode, encode

PING_SECONDS = 120.0
"""Until the server says otherwise."""
_MAX_PARTS = 256
_MAX_UNFINISHED = 16
_MAX_PAYLOAD_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event, and the frame by which it is acknowledged."""

    payload: bytes
    frame: Frame


class Line:
    def __init__(self, socket: Socket, log: Log, *, service: int, ping_seconds: float) -> None:
        self._socket = socket
        self._log = log
        self._ping = encode(Frame(method=CONTROL, service=service, headers=(("type", "ping"),)))
        self._ping_seconds = ping_seconds
        self._ping_at = 0.0
        self._unfinished: dict[str, dict[int, bytes]] = {}

    async def events(self) -> AsyncGenerator[Delivery, None]:
        """Until the server closes. Raises Unavailable when the connection breaks."""
        while (data := await self._next()) is not None:
            try:
                frame = decode(data if isinstance(data, bytes) else data.encode())
            except BadFrame as error:
                raise Unavailable(f"Feishu's long connection sent what is no frame: {error}") from None
            if frame.method == CONTROL:
                self._configure(frame)
            elif frame.method == DATA and frame.header("type") == "event":
                payload = self._whole(frame)
                if payload is not None:
                    yield Delivery(payload=payload, frame=frame)
            else:
                self._log.debug("frame_ignored", method=frame.method, type=frame.header("type"))

    async def acknowledge(self, delivery: Delivery) -> None:
        await self._socket.send(encode(replace(delivery.frame, payload=encode_json({"code": 200}))))

    async def _next(self) -> str | bytes | None:
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() >= self._ping_at:
                await self._socket.send(self._ping)
                self._ping_at = loop.time() + self._ping_seconds
            try:
                async with asyncio.timeout_at(self._ping_at):
                    return await self._socket.receive()
            except TimeoutError:
                continue

    def _configure(self, frame: Frame) -> None:
        """A pong may carry new settings."""
        try:
            config = decode_json(frame.payload, dict[str, Any]) if frame.payload else {}
        except ValueError:
            return
        self._ping_seconds = ping_seconds(config) or self._ping_seconds

    def _whole(self, frame: Frame) -> bytes | None:
        """The payload, once its last part is here. Parts of what never ends are forgotten: it is sent again."""
        total, seq = _number(frame.header("sum")), _number(frame.header("seq"))
        if total <= 1:
            return frame.payload
        if total > _MAX_PARTS or seq >= total:
            raise Unavailable("Feishu's long connection sent an event in impossible parts")
        name = frame.header("message_id")
        if name not in self._unfinished and len(self._unfinished) >= _MAX_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
        parts = self._unfinished.setdefault(name, {})
        parts[seq] = frame.payload
        if sum(map(len, parts.values())) > _MAX_PAYLOAD_BYTES:
            raise Unavailable(f"Feishu's long connection sent an event of more than {_MAX_PAYLOAD_BYTES} bytes")
        if len(parts) < total:
            return None
        del self._unfinished[name]
        return b"".join(parts[index] for index in range(total))


def ping_seconds(config: dict[str, Any]) -> float:
    """0 where it does not say."""
    value = config.get("PingInterval")
    return float(min(max(value, 1), 600)) if isinstance(value, int) and value > 0 else 0.0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
