"""A mail server that takes our answers, and does as it is told at each step."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Postbox:
    """`refusals` maps a step (MAIL, RCPT, DATA) to answers given instead of 250, one after the other."""

    refusals: dict[str, list[str]] = field(default_factory=dict)
    takes_null: bool = True
    accounts: Mapping[str, str] = field(default_factory=dict)
    good_tokens: set[str] = field(default_factory=set)
    tls: ssl.SSLContext | None = None
    """From the first byte; STARTTLS is an option of `start`."""
    hangs_up_at: str = ""
    """The step (MAIL, RCPT, DATA) in which the connection is cut; DATA: the mail is taken, and nobody hears of it."""
    on_data: Callable[[], None] | None = None
    """Called when a mail is taken, before its sender hears so."""
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    """The steps that came, in order."""

    _stop: Callable[[], None] | None = None

    def start(self, **options: Any) -> int:
        """Listens in a thread of its own; the port."""
        if self.accounts or self.good_tokens:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        ready: Future[tuple[int, Callable[[], None]]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready, options)))
        thread.start()
        port, end = ready.result(10)

        def stop() -> None:
            end()
            thread.join(10)

        self._stop = stop
        return port

    async def _serve(self, ready: Future[tuple[int, Callable[[], None]]], options: dict[str, Any]) -> None:
        talks: list[SMTP] = []

        def talk() -> SMTP:
            with warnings.catch_warnings():  # a password without TLS: for tests
                warnings.simplefilter("ignore")
                talks.append(SMTP(self, hostname="postbox", ident="postbox", loop=loop, **options))
            return talks[-1]

        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(talk, "127.0.0.1", 0, ssl=self.tls)
        port = server.sockets[0].getsockname()[1]

        def end() -> None:
            loop.call_soon_threadsafe(ended.set)

        ready.set_result((port, end))
        await ended.wait()
        server.close()
        for one in talks:
            if one.transport is not None:
                cast("asyncio.Transport", one.transport).abort()
        await asyncio.sleep(0.01)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    @property
    def mails(self) -> list[EmailMessage]:
        return [parsed(one.content) for one in self.envelopes]

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given)
        return AuthResult(success=self.accounts.get(given[0]) == given[1], handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802  # aiosmtpd's hook
        """As Google and Microsoft do it: what is refused is said in a challenge, which wants an empty answer."""
        user, bearer = base64.b64decode(args[1]).decode().split("\1")[:2]
        self.logins.append((user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")))
        if self.logins[-1][1] in self.good_tokens:
            return AuthResult(success=True, auth_data=user)
        assert await server.challenge_auth(b'{"status":"401","schemes":"bearer"}') == b""
        return AuthResult(success=False, handled=False)

    def _step(self, name: str, server: SMTP) -> str:
        self.tried.append(name)
        if self.hangs_up_at == name:
            cast("asyncio.Transport", server.transport).abort()
        waiting = self.refusals.get(name, [])
        return waiting.pop(0) if waiting else ""

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's hook
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in ("", "<>") and not self.takes_null:
            return "550 5.1.7 the null sender is not allowed"
        if refusal := self._step("MAIL", server):
            return refusal
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's hook
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._step("RCPT", server):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        if refusal := self._step("DATA", server):
            return refusal
        self.envelopes.append(envelope)
        if self.on_data is not None:
            self.on_data()
        return "250 OK"


def parsed(content: Any) -> EmailMessage:
    """As the standard library reads it; no defect may be left in it."""
    assert isinstance(content, bytes)
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    defects = [*message.defects, *(defect for value in message.values() for defect in value.defects)]
    assert not defects, defects
    return message
