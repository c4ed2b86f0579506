"""Reading a request's body: once, capped, and not for ever."""

from __future__ import annotations

import asyncio

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError


class TooLarge(Exception):
    """The body is larger than this channel takes."""


class TooSlow(Exception):
    """The body did not come in time."""


class Malformed(Exception):
    """What came is not a body: cut off, wrongly chunked or wrongly compressed."""


async def read_body(request: BaseRequest, max_bytes: int, timeout_seconds: float) -> bytes:
    """Raises TooLarge (before reading, where the length is announced), TooSlow and Malformed."""
    length = request.content_length
    if length is not None and length > max_bytes:
        raise TooLarge
    content = request.content
    if content.is_eof() and content.total_bytes <= max_bytes:
        return _read_here(request)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read_on(request, max_bytes)
    except TimeoutError:
        raise TooSlow from None


def _read_here(request: BaseRequest) -> bytes:
    """The whole body has come with its headers, as small ones do: no timer is needed."""
    try:
        return request.content.read_nowait()
    except (RequestPayloadError, HttpProcessingError) as error:
        raise Malformed from error


async def _read_on(request: BaseRequest, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > max_bytes:
                raise TooLarge
    except (RequestPayloadError, HttpProcessingError) as error:
        raise Malformed from error
    return bytes(body)
