"""Builds the httpx client on aiohttp's transport. Nothing of either is imported before the first request."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from allears_sdk.remote.guard import guarded_resolver

if TYPE_CHECKING:
    import aiohttp
    import httpx
    from yarl import URL

MAX_CONNECTIONS = 100
GOODBYE_SECONDS = 0.5
"""How long a WebSocket we close is given to say so too."""
PIECE_BYTES = 256 << 10
MAX_WHOLE_BYTES = 1 << 20
"""Larger bodies go out piece by piece: as one they would hold up the loop, says aiohttp, and warns."""
KEEP_ALIVE_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection: a request that meets the closing is in doubt."""


def build_client(
    *, guarded: bool, proxy: str, trust_env: bool, transport: Callable[[], httpx.AsyncBaseTransport] | None
) -> httpx.AsyncClient:
    """A client that follows nothing, keeps no cookies (accounts share it) and logs no URLs (they hold secrets)."""
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=transport() if transport else _aiohttp_transport(guarded=guarded, proxy=proxy, trust_env=trust_env),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"user-agent": "allears", "accept-encoding": "gzip, deflate"},
    )


def _aiohttp_transport(*, guarded: bool, proxy: str, trust_env: bool) -> httpx.AsyncBaseTransport:
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    context = _tls_context()

    def session() -> aiohttp.ClientSession:
        resolver = guarded_resolver() if guarded else None
        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=context, resolver=resolver
        )
        made = _session(connector, trust_env=trust_env)
        made._retry_connection = False  # else aiohttp itself sends PUT and DELETE a second time
        made._build_url = _as_written  # type: ignore[method-assign] # else what was signed is not what is sent
        return made

    return AiohttpTransport(verify=context, client=session, proxy=httpx.Proxy(proxy) if proxy else None)


def in_pieces(request: httpx.Request) -> httpx.Request:
    """The same request, a large body as a stream; its length is said in the header as before."""
    import httpx

    try:
        content = request.content
    except httpx.RequestNotRead:
        return request  # a form: a stream already
    if len(content) <= MAX_WHOLE_BYTES:
        return request
    pieces = _pieces(content)
    return httpx.Request(
        request.method, request.url, headers=request.headers, content=pieces, extensions=request.extensions
    )


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


@asynccontextmanager
async def open_socket(
    url: str, *, headers: Mapping[str, str], heartbeat_seconds: float, max_bytes: int, proxy: str, trust_env: bool
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket and a session of its own: it is no HTTP answer, so httpx has no part in it."""
    import aiohttp

    async with (
        _session(aiohttp.TCPConnector(ssl=_tls_context()), trust_env=trust_env) as session,
        session.ws_connect(
            url,
            headers=headers,
            heartbeat=heartbeat_seconds,
            max_msg_size=max_bytes,
            proxy=proxy or None,
            timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE_SECONDS),
        ) as connection,
    ):
        yield connection


def _session(connector: aiohttp.TCPConnector, *, trust_env: bool) -> aiohttp.ClientSession:
    import aiohttp

    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=trust_env)


def _as_written(str_or_url: str | URL) -> URL:
    """httpx has encoded it; aiohttp would write %3D as = again."""
    from yarl import URL

    return URL(str(str_or_url), encoded=True)


def _tls_context() -> ssl.SSLContext:
    """The system's certificates, so that a company's own authority counts; certifi's where there are none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        import certifi

        context.load_verify_locations(certifi.where())
    return context
