"""imapclient, plus what it lacks: a socket that can be shut from outside, ranges in FETCH, and word of notices."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from imapclient import IMAPClient
from imapclient.imapclient import SocketTimeout
from imapclient.response_parser import parse_fetch_response

from connectors.email.settings import EmailSettings

_GREETINGS = re.compile(rb"(?:\* OK [^\r\n]*\r\n)+")
_NOTICES = ("RECENT", "EXPUNGE", "FETCH", "FLAGS")
_MAX_LITERAL_SLACK = 16 << 20
_READ_AHEAD_BYTES = 1024
"""Python's 8 KiB for each of a thousand mailboxes would be 8 MB; what is longer is read past the buffer."""


@lru_cache(maxsize=64)
def _shared(capabilities: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The same tuple for equal ones: thousands of mailboxes at few servers need the names once."""
    return capabilities


def _say_nothing(message: str) -> None: ...


class _Imap4(imaplib.IMAP4):
    """imaplib on a socket that the session knows from its first moment, so that `kill` can end every wait."""

    def __init__(self, connect: Callable[[], socket.socket], host: str, max_literal: int) -> None:
        self._connect_socket = connect
        self._max_literal = max_literal
        super().__init__(host)  # STARTTLS checks the certificate against it

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connect_socket()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        if not hasattr(self, "_readbuf"):  # since Python 3.14 imaplib has a buffer of its own
            self.file.close()
            self.file: Any = self.sock.makefile("rb", _READ_AHEAD_BYTES)

    def _log(self, line: str) -> None:
        """imaplib keeps the last lines of every connection, for a debugger nobody runs."""

    def read(self, size: int) -> bytes:
        if size > self._max_literal:
            raise self.abort(f"a literal of {size} bytes is more than was asked for")
        data: bytes = super().read(size)
        return data


class Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """imapclient, plus what it lacks: ranges in FETCH, and which notices came by."""

    def __init__(self, connect: Callable[[], socket.socket], settings: EmailSettings) -> None:
        self._connect_socket = connect
        self._max_literal = settings.max_mail_bytes + _MAX_LITERAL_SLACK
        timeout = SocketTimeout(settings.connect_timeout_seconds, settings.timeout_seconds)
        super().__init__(settings.host, settings.effective_port, ssl=False, timeout=timeout)
        self.normalise_times = False
        self._imap.debug = 0
        self._imap._mesg = _say_nothing

    def share_capabilities(self) -> None:
        """Once logged in: holds them together with all other mailboxes."""
        self._cached_capabilities = _shared(self.capabilities())
        self._imap.capabilities = ()

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # imapclient's own hook
        return _Imap4(self._connect_socket, self.host, self._max_literal)

    def fetch_set(self, uids: str, items: str) -> dict[int, dict[bytes, Any]]:
        """UID FETCH of a sequence set. The answer may hold mails that were not asked for."""
        kind, data = self._imap.uid("FETCH", uids, items)
        self._checkok("fetch", kind, data)
        found: dict[int, dict[bytes, Any]] = parse_fetch_response(data, False, True)
        return found

    def add_to_flags(self, uids: str, flags: str) -> None:
        self._command_and_check("store", uids, "+FLAGS.SILENT", flags, uid=True)

    def notices(self) -> int | None:
        """How many mails the server last said EXIST, None when it did not; forgets all notices."""
        untagged = self._imap.untagged_responses
        exists = untagged.pop("EXISTS", None)
        for name in _NOTICES:
            untagged.pop(name, None)
        return int(exists[-1]) if exists else None

    def forgets_greetings(self) -> bool:
        """Whether nothing but `* OK Still here` has come; then it is read and forgotten."""
        if hasattr(self._imap, "_readbuf"):
            return False  # Python 3.14 does not let us look without reading
        sock, file = self.socket(), self._imap.file
        sock.setblocking(False)
        try:
            said = file.peek(1)
            return bool(_GREETINGS.fullmatch(said)) and file.read(len(said)) == said
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._set_read_timeout()

    def buffered(self) -> bool:
        """Whether bytes wait in a buffer of ours or of TLS, where no selector sees them."""
        sock = self.socket()
        if getattr(self._imap, "_readbuf", None) or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            return True
        sock.setblocking(False)
        try:
            return bool(self._imap.file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._set_read_timeout()
