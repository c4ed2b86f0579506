"""The client: what it sends, how often, and which answers it follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from allears_sdk.clock import Clock
from allears_sdk.errors import AllearsError, Rejected, Unavailable
from allears_sdk.remote.answers import check_status, error_of, lost
from allears_sdk.remote.exchange import Call, Response, Stream, is_repeatable
from allears_sdk.remote.guard import check_url, host_of
from allears_sdk.remote.limits import Limits
from allears_sdk.remote.socket import Socket
from allears_sdk.remote.transport import build_client, in_pieces, open_socket

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 3
MAX_REDIRECTS = 3
MAX_CONNECT_SECONDS = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BREAKS = frozenset(b"\r\n\0")
_KEPT_ACROSS_HOSTS = frozenset({"accept", "accept-language", "range", "user-agent"})


class Remote:
    """One HTTP client for all; connections are shared and kept alive, cookies are not kept.

    A request goes out once, unless sending it twice is the same as sending it once (`repeatable`): then it is tried
    up to three times. `transport` makes another httpx transport (tests: `httpx.AsyncHTTPTransport`, which respx
    replaces); the guard then sees literal addresses only. Proxies come from `proxy`, from the environment only
    with `trust_env`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        proxy: str = "",
        trust_env: bool = False,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._proxy = proxy
        self._trust_env = trust_env
        self._transport = transport
        self._limits = Limits(clock, sleep)
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self.on_answer: Callable[[str, Mapping[str, str]], None] | None = None
        """Told the account and the headers (lower-case names) of each answer to a call that names one."""

    def limit(self, account: str, *, per_second: float, burst: int = 1) -> None:
        """Calls with this `account` wait so that no more than this leave."""
        self._limits.set(account, per_second, burst)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Any = None,
        timeout_seconds: float = 30.0,
        repeatable: bool | None = None,
        max_bytes: int = 10 << 20,
        account: str = "",
        allow_private: bool = True,
        raise_for_status: bool = True,
    ) -> Response:
        """Send and read the answer whole, within `timeout_seconds` per attempt.

        `repeatable` is by default true for GET, HEAD and OPTIONS. Redirects are followed for GET and HEAD only, at
        most three, without the caller's headers once the host changes; any other 3xx counts as a lost answer. An
        answer above `max_bytes` raises Rejected where it may be asked for again, else it is cut.

        Raises Unavailable (nothing reached the other side, or it failed and nothing was changed), InDoubt (an
        answer was lost), AuthError (401), RetryLater (425, 429, 503), Rejected (other 4xx, no URL). With
        `raise_for_status` false any answer is returned.
        """
        given = {"params": params, "content": content, "json": json, "data": data, "files": files}
        call = Call(
            method=method.upper(),
            url=url,
            headers=dict(headers or {}),
            body={name: value for name, value in given.items() if value is not None},
            timeout_seconds=timeout_seconds,
            repeatable=is_repeatable(method) if repeatable is None else repeatable,
            max_bytes=max_bytes,
            allow_private=allow_private,
        )
        return await self._attempt(call, account, raise_for_status=raise_for_status)

    async def fetch_public(self, url: str, max_bytes: int, *, timeout_seconds: float = 30.0) -> Response:
        """GET a URL that a customer supplied: never from a private network. Raises PrivateAddress and as `request`."""
        return await self.request("GET", url, max_bytes=max_bytes, timeout_seconds=timeout_seconds, allow_private=False)

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        silence_seconds: float = 300.0,
        allow_private: bool = True,
    ) -> AsyncIterator[Stream]:
        """GET an answer that goes on for as long as the server likes (an event stream): once, redirects not
        followed. Raises as `request`, also while it is read; Unavailable after `silence_seconds` without a byte."""
        call = Call(
            method="GET",
            url=url,
            headers=dict(headers or {}),
            body={},
            timeout_seconds=silence_seconds,
            repeatable=True,
            max_bytes=64 << 10,
            allow_private=allow_private,
        )
        with _translated(call):
            answer = await self._send(call, url, call.headers, {})
        async with aclosing(answer):
            if not 200 <= answer.status_code < 300:
                with _translated(call):
                    check_status(await _read(answer, call), self._clock.now())
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            yield Stream(status=answer.status_code, media_type=media_type, chunks=_chunks(answer, call))

    @asynccontextmanager
    async def socket(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        heartbeat_seconds: float = 20.0,
        max_bytes: int = 4 << 20,
    ) -> AsyncIterator[Socket]:
        """A WebSocket (`ws:`, `wss:`) to an address that the platform gave: once, redirects not followed, closed at the
        end. Whoever does not answer a ping within half of `heartbeat_seconds`, or sends a frame above `max_bytes`, is
        gone. Raises Unavailable."""
        call = Call(
            method="GET",
            url=url,
            headers=dict(headers or {}),
            body={},
            timeout_seconds=30.0,
            repeatable=True,
            max_bytes=max_bytes,
            allow_private=True,
        )
        opening = open_socket(
            url,
            headers=call.headers,
            heartbeat_seconds=heartbeat_seconds,
            max_bytes=max_bytes,
            proxy=self._proxy,
            trust_env=self._trust_env,
        )
        async with AsyncExitStack() as stack:
            with _translated(call):
                async with asyncio.timeout(call.timeout_seconds):
                    connection = await stack.enter_async_context(opening)
            yield Socket(connection, call.place, partial(_translated, call))

    async def aclose(self) -> None:
        """Close all connections; a later request opens new ones."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _attempt(self, call: Call, account: str, *, raise_for_status: bool) -> Response:
        if not call.repeatable:
            return await self._once(call, account, raise_for_status=raise_for_status)
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        attempts = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(Unavailable),
            sleep=self._sleep,
            reraise=True,
        )
        return await attempts(self._once, call, account, raise_for_status=raise_for_status)

    async def _once(self, call: Call, account: str, *, raise_for_status: bool) -> Response:
        await self._limits.wait(account)
        response = await self._follow(call)
        if account and self.on_answer is not None:
            self.on_answer(account, response.headers)
        if raise_for_status:
            check_status(response, self._clock.now())
        return response

    async def _follow(self, call: Call) -> Response:
        response = await self._exchange(call, call.url, call.headers, call.body)
        headers, hops = call.headers, 0
        while response.status in _REDIRECTS and response.header("location") and call.method in {"GET", "HEAD"}:
            if hops == MAX_REDIRECTS:
                raise Rejected(f"{call.place}: more than {MAX_REDIRECTS} redirects")
            hops += 1
            target = urljoin(response.url, response.header("location"))
            if _origin(target) != _origin(response.url):
                headers = {name: value for name, value in headers.items() if name.lower() in _KEPT_ACROSS_HOSTS}
            response = await self._exchange(call, target, headers, {})
        return response

    async def _exchange(self, call: Call, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Response:
        with _translated(call):
            async with (
                asyncio.timeout(call.timeout_seconds),
                aclosing(await self._send(call, url, headers, body)) as answer,
            ):
                return await _read(answer, call)

    async def _send(self, call: Call, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> httpx.Response:
        (host_of if call.allow_private else check_url)(url)
        client = self._client(guarded=not call.allow_private)
        request, auth = _build(client, call, url, headers, body)
        return await client.send(request, auth=auth, stream=True)

    def _client(self, *, guarded: bool) -> httpx.AsyncClient:
        if guarded not in self._clients:
            self._clients[guarded] = build_client(
                guarded=guarded, proxy=self._proxy, trust_env=self._trust_env, transport=self._transport
            )
        return self._clients[guarded]


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    """What the transport raises, as the SDK's errors."""
    import aiohttp
    import httpx

    try:
        yield
    except AllearsError:
        raise
    except TimeoutError:
        raise lost(f"{call.place}: no answer within {call.timeout_seconds:g} s", call) from None
    except (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, ValueError) as error:
        raise error_of(error, call) from None


async def _chunks(answer: httpx.Response, call: Call) -> AsyncIterator[bytes]:
    with _translated(call):
        async for chunk in answer.aiter_bytes():
            yield chunk


def _build(
    client: httpx.AsyncClient, call: Call, url: str, headers: Mapping[str, str], body: Mapping[str, Any]
) -> tuple[httpx.Request, tuple[str, str] | None]:
    """The request and its basic auth: aiohttp refuses user info in a URL beside the header httpx makes of it.

    Raises Rejected for what cannot be written down, while surely nothing was sent.
    """
    import httpx

    connect = min(MAX_CONNECT_SECONDS, 0.8 * call.timeout_seconds)
    timeout = httpx.Timeout(call.timeout_seconds, connect=connect, pool=connect)
    try:
        target = httpx.URL(url)
        plain = target.copy_with(userinfo=b"")
        request = client.build_request(call.method, plain, headers=dict(headers), timeout=timeout, **body)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Rejected(f"{call.place}: cannot be sent: {type(error).__name__}") from None
    if any(set(value) & _BREAKS for _, value in request.headers.raw):
        raise Rejected(f"{call.place}: cannot be sent: line break in a header")
    return in_pieces(request), (target.username, target.password) if target.userinfo else None


async def _read(answer: httpx.Response, call: Call) -> Response:
    """The answer, never holding much more than `max_bytes` of it, however small it was packed."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > call.max_bytes:
            if call.repeatable:
                raise Rejected(f"{call.place}: answer larger than {call.max_bytes} bytes")
            break
    return Response(
        status=answer.status_code,
        headers={name.lower(): value for name, value in answer.headers.items()},
        content=b"".join(parts)[: call.max_bytes],
        is_cut=size > call.max_bytes,
        url=str(answer.url),
        call=call,
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
