"""A WebSocket as a connector sees it: frames in and out, errors of ours."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from allears_sdk.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import ClientWebSocketResponse


class Socket:
    """One open connection. Pings keep it alive, and end it when they are not answered."""

    def __init__(
        self, connection: ClientWebSocketResponse, place: str, translated: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._place = place
        self._translated = translated

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the other side has closed. Raises Unavailable when the connection breaks."""
        import aiohttp

        with self._translated():
            frame = await self._connection.receive()
        if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            content: str | bytes = frame.data
            return content
        if frame.type is aiohttp.WSMsgType.ERROR:
            raise Unavailable(f"{self._place}: {type(frame.data).__name__}")
        return None

    async def send(self, frame: str | bytes) -> None:
        """Raises Unavailable where the connection has ended."""
        with self._translated():
            if isinstance(frame, str):
                await self._connection.send_str(frame)
            else:
                await self._connection.send_bytes(frame)
