"""Server-sent events as they come in (WHATWG HTML, "Server-sent events"). Pure."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from allears_sdk.errors import Unavailable

MAX_EVENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: str
    data: str


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """Raises Unavailable for one without end."""
    pending, name = b"", ""
    data: list[str] = []
    size = 0
    async for chunk in chunks:
        *lines, pending = (pending + chunk).replace(b"\r\n", b"\n").split(b"\n")
        size += len(chunk)
        for line in lines:
            field, _, value = line.decode("utf-8", "replace").rstrip("\r").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not line.rstrip(b"\r"):
                if data:
                    yield Event(name=name or "message", data="\n".join(data))
                name, data, size = "", [], 0
        if size > MAX_EVENT_BYTES:
            raise Unavailable(f"an event of more than {MAX_EVENT_BYTES} bytes")
