"""The platform's HTTP API: addresses and answers, nothing else."""

from __future__ import annotations

# %% if listen
from collections.abc import AsyncIterable, AsyncIterator

# %% endif
from dataclasses import dataclass
from typing import Any, TypeVar

from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from connectors.newborn.settings import NewbornSettings

T = TypeVar("T")
# %% if listen
MAX_LINE_BYTES = 1 << 20
# %% endif


@dataclass(frozen=True, kw_only=True)
class Page:
    items: list[dict[str, Any]]
    last_change: int
    """A number that grows with every change; the next page begins after it."""
    has_more: bool = False


@dataclass(frozen=True, kw_only=True)
class Account:
    name: str


class NewbornApi:
    """Time-outs and status codes become errors in `context.remote`; here it is only said what is asked for."""

    def __init__(self, settings: NewbornSettings, context: Context) -> None:
        self._url = settings.url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self._remote = context.remote

    async def account(self) -> Account:
        return await self._get("/account", {}, Account)

    async def page(self, after: int, limit: int) -> Page:
        """What changed after that change, oldest first."""
        return await self._get("/items", {"after": after, "limit": limit}, Page)

    # %% if listen
    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Items as they are said, for as long as the connection lasts."""
        async with self._remote.stream(f"{self._url}/events", headers=self._headers) as stream:
            async for line in _lines(stream.chunks):
                yield _read(line, dict)

    # %% endif
    async def _get(self, path: str, params: dict[str, Any], type_: type[T]) -> T:
        answer = await self._remote.request("GET", self._url + path, params=params, headers=self._headers)
        return _read(answer.content, type_)


def _read(body: bytes, type_: type[T]) -> T:
    try:
        return decode(body, type_)
    except ValueError as error:
        raise Unavailable(f"the API's answer is not what it documents: {error}") from None


# %% if listen
async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    pending = b""
    async for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(pending) > MAX_LINE_BYTES:
            raise Unavailable(f"an event of more than {MAX_LINE_BYTES} bytes")


# %% endif
