"""Logging in through a browser that is led back to this machine: RFC 8252, with PKCE (RFC 7636).

Where the browser runs on another machine its way back ends nowhere; its address, pasted here, does as well.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.oauth.answers import Told, ask, error_of, named
from allears_sdk.oauth.settings import OAuthSettings
from allears_sdk.signing import same

PATIENCE_SECONDS = 900.0
PASTE = "(address):"
_MOST_BYTES = 16_384
_READ_SECONDS = 10.0
_LOOPBACK = "127.0.0.1"
_PAGE = "<!doctype html><meta charset=utf-8><title>allears</title><p>{}"
_DONE = _PAGE.format("已收到，可以关闭此页。 Received: you may close this page.")
_OTHER = _PAGE.format("此地址不属于正在进行的登录。 This is not the log-in that is going on.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One attempt to log in."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def answer(self, address: str) -> dict[str, str] | None:
        """The parameters of an address the provider led to; None where it belongs to no log-in of ours."""
        try:
            query = urlsplit(address.strip()).query
        except ValueError:
            return None
        found = dict(parse_qsl(query))
        is_ours = same(found.get("state", ""), self.state) and bool(found.get("code") or found.get("error"))
        return found if is_ours else None


def code_in(pasted: str) -> str:
    """Of an address that somebody was led to, or the code alone; "" where there is none."""
    pasted = pasted.strip()
    try:
        found = dict(parse_qsl(urlsplit(pasted).query)).get("code", "")
    except ValueError:
        return ""
    return found or ("" if "/" in pasted else pasted)


async def log_in(
    context: Context, settings: OAuthSettings, scope: str, person: Ask, login_hint: str
) -> Mapping[str, Any]:
    """The token endpoint's answer; raises AuthError when it was declined or nobody came back in time."""
    visit = Visit()
    async with _listening(visit, settings.redirect_port) as (port, arrived):
        back = f"http://{'localhost' if settings.provider == 'microsoft' else _LOOPBACK}:{port}"
        await person.show(_address(settings, visit, scope, back, login_hint), "")
        found = await _first(visit, arrived, person)
    if "error" in found:
        raise AuthError(f"the log-in was declined ({named(found['error'])})")
    form = {
        "grant_type": "authorization_code",
        "code": found["code"],
        "code_verifier": visit.verifier,
        "redirect_uri": back,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.get_secret_value() if settings.client_secret else "",
    }
    try:
        return await ask(context, settings.effective_token_url, form)
    except Told as told:
        raise error_of(told, settings, context.name) from None


def _address(settings: OAuthSettings, visit: Visit, scope: str, back: str, login_hint: str) -> str:
    query = {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": back,
        "scope": scope,
        "state": visit.state,
        "code_challenge": visit.challenge(),
        "code_challenge_method": "S256",
    }
    if login_hint:
        query["login_hint"] = login_hint
    if settings.provider == "google":  # else a second log-in brings no refresh token
        query |= {"access_type": "offline", "prompt": "consent"}
    page = settings.effective_authorize_url
    return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"


async def _first(visit: Visit, arrived: asyncio.Future[dict[str, str]], person: Ask) -> dict[str, str]:
    pasting = asyncio.ensure_future(_pasted(visit, person))
    either: set[asyncio.Future[Any]] = {arrived, pasting}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not arrived.done():
                pasted = await pasting
                return pasted if pasted is not None else await arrived
            return arrived.result()
    except TimeoutError:
        raise AuthError("nobody logged in in time; run the command again") from None
    finally:
        pasting.cancel()
        with suppress(asyncio.CancelledError):
            await pasting


async def _pasted(visit: Visit, person: Ask) -> dict[str, str] | None:
    """None when nobody can type here."""
    while line := await person.prompt(PASTE):
        found = visit.answer(line)
        if found is not None:
            return found
    return None


@asynccontextmanager
async def _listening(visit: Visit, port: int) -> AsyncIterator[tuple[int, asyncio.Future[dict[str, str]]]]:
    """The port, and what the browser brings there."""
    arrived: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_READ_SECONDS):
                found = visit.answer(await _target(reader))
                writer.write(_reply(found is not None))
                await writer.drain()
            if found is not None and not arrived.done():
                arrived.set_result(found)
        writer.close()

    try:
        server = await asyncio.start_server(serve, _LOOPBACK, port, limit=_MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot listen on port {port} for the browser to come back: {error.strerror}") from None
    async with server:
        yield server.sockets[0].getsockname()[1], arrived


async def _target(reader: asyncio.StreamReader) -> str:
    """What a GET asks for; its headers are read too, so that closing does not break the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    return target if method == "GET" else ""


def _reply(is_ours: bool) -> bytes:
    page = (_DONE if is_ours else _OTHER).encode()
    status = "200 OK" if is_ours else "400 Bad Request"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
    return head.encode() + b"Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n" + page
