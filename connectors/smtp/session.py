"""One connection: aiosmtpd's protocol, with what it lacks of our promises.

Its own DATA reads line by line and refuses long lines for good; ours cuts the stream at the end mark, takes lines of
any length, answers LMTP per recipient, and bounds memory.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, syntax

from connectors.smtp.address import client_address
from connectors.smtp.desk import CLOSING, LATER, Desk
from connectors.smtp.mail import Client, Envelope, is_whole, unstuff

COMMAND_BYTES = 2_048
READER_BYTES = 1 << 16
MAX_ERRORS = 20
"""Refused commands after which a session ends."""
MAX_CALLS = 100
"""Of one command within a session, unless it is part of sending mail."""
MAX_MAIL_CALLS = 1_000_000
PROXY_SECONDS = 10.0
CROSS = "421 4.7.0 too many errors"
BUSY = "452 4.3.1 not enough memory just now, send it again later"

for name in ("mail.log", "mail.debug"):  # aiosmtpd would write addresses; we say what matters
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class Session(SMTP):
    """`on_end` is called with the session once its connection is gone."""

    line_length_limit = READER_BYTES

    def __init__(
        self, desk: Desk, tls: ssl.SSLContext | None, hostname: str, on_end: Callable[[Session], None]
    ) -> None:
        settings = desk.settings
        self.command_size_limits = defaultdict(lambda: COMMAND_BYTES)
        self.command_size_limit = COMMAND_BYTES
        super().__init__(
            desk,
            data_size_limit=settings.max_mail_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="allears",
            tls_context=tls,
            require_starttls=settings.require_tls,
            timeout=settings.timeout_seconds,
            auth_required=bool(settings.username),
            auth_exclude_mechanism=() if settings.username else ("PLAIN", "LOGIN"),
            authenticator=desk.log_in,
            command_call_limit={"*": MAX_CALLS} | dict.fromkeys(("MAIL", "RCPT", "DATA", "RSET"), MAX_MAIL_CALLS),
            proxy_protocol_timeout=PROXY_SECONDS if settings.proxy_from else None,
            loop=asyncio.get_running_loop(),
        )
        self._desk = desk
        self._on_end = on_end
        self._peer: object = None
        self._errors = 0
        self._is_admitted = False
        self._held_bytes = 0

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:
            self._peer = transport.get_extra_info("peername")
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        closed = self._closed  # type: ignore[attr-defined]  # asyncio's own; its stubs leave it out
        if closed.done() and not closed.cancelled():
            closed.exception()  # nobody waits for it, and asyncio would complain of that
        self._over()

    def _over(self) -> None:
        """By whichever end comes first: a connection lost in its handshake tells only the task, one lost before its
        task began only the protocol."""
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._on_end(self)

    def eof_received(self) -> bool:
        """aiosmtpd ends its session here, and would keep the socket."""
        super().eof_received()
        return False

    async def _handle_client(self) -> None:
        refusal = self._desk.admit(self._peer)
        try:
            if refusal:
                await self._end(refusal)
            else:
                with suppress(ConnectionError, asyncio.IncompleteReadError):
                    await super()._handle_client()
        finally:
            self._desk.leave(self._peer)
            self._let_go()
            self._over()

    async def push(self, status: str | bytes) -> None:
        """Gives the other sessions a turn before every answer, so that a thousand commands at once do not hold up the
        loop; not behind it, for there a TLS handshake may begin."""
        await asyncio.sleep(0)
        try:
            await super().push(status.encode("utf-8", "replace") if isinstance(status, str) else status)
        except RuntimeError as error:  # uvloop's word for a closed connection
            raise ConnectionResetError(str(error)) from None
        if status[:1] in ("4", "5", b"4", b"5"):
            self._errors += 1
            if self._errors == MAX_ERRORS:
                await self._end(CROSS)

    async def _end(self, answer: str) -> None:
        await super().push(answer)
        if self.transport is not None:
            self.transport.close()

    def _timeout_cb(self) -> None:
        """Also in the middle of a TLS handshake, which aiosmtpd would wait for."""
        self.hang_up(b"421 4.4.2 timeout\r\n")

    def hang_up(self, answer: bytes = CLOSING.encode() + b"\r\n") -> None:
        """A sender that hears 421 keeps its mail. One that reads no answers is left at once."""
        found = self._original_transport if self._shakes_hands else self.transport
        if found is None:
            return
        transport = cast(asyncio.WriteTransport, found)  # uvloop's are none by name
        if self._shakes_hands or transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.write(answer)
            transport.close()

    @property
    def _shakes_hands(self) -> bool:
        return self._tls_protocol is not None and (self.session is None or self.session.ssl is None)

    # Commands

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        """RFC 4954, 5: who takes AUTH takes `AUTH=` behind MAIL too."""
        return super()._getparams([param for param in params if not param.startswith("AUTH=")])

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        await super().smtp_STARTTLS(arg or "")
        if self._shakes_hands:
            raise ConnectionResetError("lost in the TLS handshake")

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        if refusal := await self._out_of_order(arg):
            await self.push(refusal)
            return
        assert self.envelope is not None
        envelope = Envelope(mail_from=self.envelope.mail_from or "", recipients=tuple(self.envelope.rcpt_tos))
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            self._reset_timeout(self._desk.settings.data_timeout_seconds)
            mail = await self._read_mail()
            self._reset_timeout(self._desk.settings.answer_within_seconds + self._timeout_duration)
            answer = mail if isinstance(mail, str) else await self._desk.file(mail, envelope, self._client())
        finally:
            self._let_go()
            self.envelope = self._create_envelope()
        self._reset_timeout()
        await self._answer_data(answer, envelope)

    async def _out_of_order(self, arg: str | None) -> str:
        if self.session is None or not self.session.host_name:
            return "503 Error: send HELO first"
        if self._auth_required and not self.session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.envelope is None or not self.envelope.rcpt_tos:
            return "503 Error: need RCPT command"
        if arg:
            return "501 Syntax: DATA"
        return "" if self._desk.tray.is_open else LATER

    async def _answer_data(self, answer: str, envelope: Envelope) -> None:
        await self.push(answer)

    async def _read_mail(self) -> bytes | str:
        """The mail, or the answer that refuses it: then too it is read to its end."""
        received, refusal, size = bytearray(), "", 0
        while True:
            try:
                piece = await self._reader.readuntil(b".\r\n")
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.read(error.consumed)
            received += piece
            size += len(piece)
            refusal = refusal or self._too_much(size, len(piece))
            if is_whole(received):
                return refusal or unstuff(received)
            if refusal:
                del received[:-5]

    def _too_much(self, size: int, more: int) -> str:
        self._held_bytes += more
        is_free = self._desk.hold(more)
        if size > self._desk.settings.max_mail_bytes + 5:
            self._let_go()
            return f"552 5.3.4 larger than {self._desk.settings.max_mail_bytes} bytes"
        if not is_free:
            self._let_go()
            return self._desk.refuse(BUSY, "more mail at once than fits into memory")
        return ""

    def _let_go(self) -> None:
        self._desk.hold(-self._held_bytes)
        self._held_bytes = 0

    def _client(self) -> Client:
        talk = self.session
        assert talk is not None
        login: Any = talk.login_data or b""
        return Client(
            address=client_address(talk.peer),
            helo=talk.host_name or "",
            is_encrypted=talk.ssl is not None,
            login=login.decode("utf-8", "replace") if isinstance(login, bytes) else str(login),
        )


class LmtpSession(Session, LMTP):
    """RFC 2033: LHLO, and after DATA one answer for each recipient that was taken."""

    async def _answer_data(self, answer: str, envelope: Envelope) -> None:
        await self.push("\r\n".join([answer] * len(envelope.recipients)))
