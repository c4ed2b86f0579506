"""Putting mails into a mailbox, as its server does when one arrives."""

from __future__ import annotations

import contextlib
import imaplib
import threading
from typing import Protocol


class Reachable(Protocol):
    host: str
    port: int
    user: str
    password: str


class Mailbox:
    """Appends over a connection of its own, made anew when it breaks."""

    def __init__(self, server: Reachable, folder: str = "INBOX") -> None:
        self._server = server
        self._folder = folder
        self._client: imaplib.IMAP4 | None = None
        self._turn = threading.Lock()
        """An append goes on in its thread when nobody waits for it any more."""

    def append(self, mail: bytes) -> None:
        """Blocking. Raises imaplib.IMAP4.error when the server refuses it."""
        with self._turn:
            answer, detail = self._connected().append(self._folder, "", "", mail)
        if answer != "OK":
            raise imaplib.IMAP4.error(f"APPEND: {detail!r}")

    def count(self) -> int:
        """How many mails it holds. Blocking."""
        with self._turn:
            _, (line, *_) = self._connected().status(self._folder, "(MESSAGES)")
        return int(line.rpartition(b"MESSAGES ")[2].rstrip(b")"))

    def _connected(self) -> imaplib.IMAP4:
        if self._client is None:
            self._client = imaplib.IMAP4(self._server.host, self._server.port, timeout=10)
            self._client.login(self._server.user, self._server.password)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                self._client.logout()
            self._client = None
