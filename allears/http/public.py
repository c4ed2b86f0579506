"""The public room: what platforms and customers reach. Nothing here tells more than the channel's own answer."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from allears.http.addresses import Network, Proxies, neighbourhood
from allears.http.bodies import Malformed, TooLarge, TooSlow, read_body
from allears.http.rate import RateLimit
from allears.intake.reception import Refused
from allears_sdk.connector import Answer, Request
from allears_sdk.context import Clock, Log
from allears_sdk.errors import ConfigError

BODY_SECONDS = 30.0
GRACE_SECONDS = 8.0
KEEP_ALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
MAX_HEADERS = 100
MAX_LINE_BYTES = 8190
FORM = "form"
PREFIX = "/in/"
BACK = "/back/"
FILES = "/files/"
UNKNOWN = ""
"""Stands for all names that are no channels, so that guesses do not fill the counters."""

_SILENT = logging.getLogger("allears.http.public.aiohttp")
_SILENT.disabled = True  # what scanners do wrong is counted, not logged

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_PLAIN = "text/plain; charset=utf-8"
_INDEX = Answer(body=b"allears\n", media_type=_PLAIN)
_NOT_FOUND = Answer(status=404)
_BAD = Answer(status=400)
_BROKEN = Answer(status=500)
_TOO_LARGE = Answer(status=413)
_TOO_SLOW = Answer(status=408)


class Receives(Protocol):
    """What stands behind the room: `allears.intake.intake.Intake`."""

    async def receive(self, name: str, request: Request, task: asyncio.Task[Any] | None = None) -> Answer:
        """`task` runs this; given, it need not be looked for."""

    def max_body_bytes(self, name: str) -> int:
        """0: no such channel runs, nothing is read."""

    def is_signed(self, name: str) -> bool:
        """Its requests prove who sent them: only refused ones are limited."""

    def channels_of(self, connector: str) -> Sequence[str]: ...


class StandsBeside(Protocol):
    """What the room has that is no channel: `allears.http.beside.Beside`."""

    async def open_file(self, path: str, query: Sequence[tuple[str, str]]) -> Answer: ...

    def max_body_bytes(self, destination: str) -> int:
        """0: that destination hears nothing."""

    async def hear(self, destination: str, request: Request) -> Answer: ...


class PublicServer:
    """`/in/<channel>[/…]` goes to the channel, `/back/<destination>` to the sink, `/files/…` opens a link, and `/`
    leads to the form where there is exactly one."""

    def __init__(
        self,
        receives: Receives,
        clock: Clock,
        *,
        beside: StandsBeside | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        trusted_proxies: Iterable[str | Network] = (),
        max_body_bytes: int = 25 << 20,
        rate_limit_per_minute: int = 0,
        tls_certificate: Path | None = None,
        tls_key: Path | None = None,
        body_seconds: float = BODY_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._receives = receives
        self._clock = clock
        self._beside = beside
        self._host = host
        self._port = port
        self._proxies = Proxies(trusted_proxies)
        self._max_body_bytes = max_body_bytes
        self._rate = RateLimit(rate_limit_per_minute, clock.monotonic)
        self._is_limited = rate_limit_per_minute > 0
        self._tls = (tls_certificate, tls_key)
        self._body_seconds = body_seconds
        self._grace_seconds = grace_seconds
        self._runner: web.ServerRunner | None = None
        self._log: Log = structlog.get_logger("allears.http.public")
        self.requests: Counter[tuple[str, int]] = Counter()
        """Requests answered, by channel ("" for none) and status."""

    @property
    def port(self) -> int:
        """Where we listen, once started."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    @property
    def scheme(self) -> str:
        return "https" if self._tls[0] else "http"

    async def start(self) -> None:
        """Raises ConfigError when the address cannot be listened on, or the certificate not be read."""
        context = self._ssl_context()
        server = web.Server(
            self._handle,
            request_factory=_make_request,
            access_log=None,
            logger=_SILENT,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_headers=MAX_HEADERS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
        )
        runner = web.ServerRunner(server, shutdown_timeout=self._grace_seconds)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=context, backlog=1024).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigError(_why_not(self._host, self._port, error)) from None
        self._runner = runner

    async def stop(self) -> None:
        """Accept nothing new, finish what runs, then close."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _ssl_context(self) -> ssl.SSLContext | None:
        certificate, key = self._tls
        if certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"public.tls_certificate {certificate}: {error}") from None
        return context

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        name, rest, query = split_target(http)
        try:
            answer = await self._answer(http, name, rest, query)
        except Exception as error:  # nothing may reach aiohttp's own error page
            self._log.error("request_failed", channel=name, exc_info=error)
            answer = _BROKEN
        self.requests[name if answer.status != 404 else UNKNOWN, answer.status] += 1
        return _respond(answer, http)

    async def _answer(self, http: web.BaseRequest, name: str, rest: str, query: str) -> Answer:
        peer = http.remote or ""
        if self._proxies.trusts(peer):
            peer = self._proxies.client(peer, http.headers.getall("X-Forwarded-For", ()))
        is_signed = bool(name) and self._is_limited and self._receives.is_signed(name)
        is_told = not name and rest.startswith(BACK) and self._beside is not None
        if self._is_limited and not (is_signed or is_told) and (refusal := self._spend(peer)):
            return refusal
        if is_told:
            answer = await self._told(http, unquote(rest[len(BACK) :]), query, peer)
        elif not name:
            return await self._front(rest, query)
        else:
            cap = min(self._receives.max_body_bytes(name), self._max_body_bytes)
            request = await self._read(http, cap, rest, query, peer)
            if isinstance(request, Answer):
                return request
            answer = await self._receives.receive(name, request, http.task)
        if (is_signed or is_told) and isinstance(answer, Refused):  # a 429 would make a platform give up
            return self._spend(peer) or answer
        return answer

    async def _told(self, http: web.BaseRequest, destination: str, query: str, peer: str) -> Answer:
        assert self._beside is not None
        cap = self._beside.max_body_bytes(destination)
        request = await self._read(http, cap, "", query, peer) if cap else Refused(status=404)
        return request if isinstance(request, Answer) else await self._beside.hear(destination, request)

    async def _read(self, http: web.BaseRequest, cap: int, path: str, query: str, peer: str) -> Request | Answer:
        """The request with its body, or what whoever sends too much or too slowly gets."""
        try:
            body = await read_body(http, cap, self._body_seconds) if cap and http.body_exists else b""
        except TooLarge:
            return _TOO_LARGE
        except TooSlow:
            return _TOO_SLOW
        except Malformed:
            return _BAD
        return Request(
            method=http.method,
            path=path,
            query=parse_qsl(query, keep_blank_values=True) if query else (),
            headers=tuple(http.headers.items()),
            body=body,
            remote_address=peer,
            received_at=self._clock.now(),
        )

    def _spend(self, peer: str) -> Answer | None:
        """What an address gets that asks too often."""
        seconds = self._rate.spend(neighbourhood(peer))
        return Answer(status=429, headers={"Retry-After": str(seconds)}) if seconds else None

    async def _front(self, path: str, query: str) -> Answer:
        if path.startswith(FILES) and self._beside is not None:
            return await self._beside.open_file(unquote(path[len(FILES) :]), parse_qsl(query))
        if path != "/":
            return _NOT_FOUND
        forms = self._receives.channels_of(FORM)
        if len(forms) != 1:
            return _INDEX
        return Answer(status=302, headers={"Location": PREFIX + quote(forms[0], safe="")})


def split_target(http: web.BaseRequest) -> tuple[str, str, str]:
    """The channel's name, what follows it in the path, and the query as sent. The name is "" for other paths."""
    target = http.raw_path
    if not target.startswith("/"):  # absolute form, as to a proxy
        target = http.rel_url.raw_path_qs
    path, _, query = target.partition("?")
    if not path.startswith(PREFIX):
        return "", path, query
    name, slash, rest = path[len(PREFIX) :].partition("/")
    if "%" in path:
        name, rest = unquote(name), unquote(rest)
    return name, slash + rest, query


class _Request(web.BaseRequest):
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        """aiohttp's own answers (to what is no HTTP) would name its version."""
        response.headers.pop("Server", None)


def _make_request(
    message: Any, payload: Any, protocol: Any, writer: AbstractStreamWriter, task: Any
) -> web.BaseRequest:
    return _Request(message, payload, protocol, writer, task, protocol._loop)


def _respond(answer: Answer, http: web.BaseRequest) -> web.StreamResponse:
    if (
        answer.body
        and not answer.headers
        and http.method == "POST"
        and http.keep_alive
        and http.version == HttpVersion11
    ):
        return _Whole(answer)
    headers = CIMultiDict(answer.headers)
    headers.setdefault("Content-Type", answer.media_type)
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.status in {408, 413}:
        response.force_close()
    return response


class _Whole(web.StreamResponse):
    """An answer to a plain post, written at once [aiohttp's own way through its header table: 5 µs more]."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        answer = self._answer
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.media_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        )
        await self._writer.write_eof(head.encode("ascii") + answer.body)


def _why_not(host: str, port: int, error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f'public.host "{host}" is no address of this machine'
    if isinstance(error, PermissionError):
        return f"public.port {port} needs privileges this process lacks; take one above 1023"
    detail = error.strerror if isinstance(error, OSError) else error
    return f"cannot listen on {host} port {port}: {detail}; stop what listens there, or set another public.port"
