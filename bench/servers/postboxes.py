"""Mailboxes of every kind that is read and emptied: marked, deleted from, moved out of, and fetched by POP3."""

from __future__ import annotations

import imaplib
from contextlib import ExitStack
from pathlib import Path

from bench.servers.dovecot import Dovecot, Knobs
from bench.servers.imap_pymap import Pymap
from bench.servers.mailbox import Mailbox

IMAP = """
[channels.{name}]
connector = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password = "{password}"
folders = ["{folder}"]
{after}
interval_seconds = 5
"""
POP3 = """
[channels.{name}]
connector = "pop3"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password = "{password}"
after = "delete"
interval_seconds = 5
"""
FOLDERS = {
    "mail": ("INBOX", 'after = "seen"'),
    "deleted": ("Deleting", 'after = "delete"'),
    "moved": ("Moving", 'after = "move"\nmove_to = "Moved"'),
}
POP3_USER = "pop@example.com"


class Postboxes:
    """`with Postboxes(folder) as postboxes`: IMAP by pymap, and POP3 where Dovecot with POP3 is installed."""

    def __init__(self, folder: Path) -> None:
        self._parts = ExitStack()
        self._imap = Pymap(folder)
        can_pop = Dovecot.program() is not None and Dovecot.has_pop3()
        self._dovecot = Dovecot(Knobs(pop3=True)) if can_pop else None
        self._boxes: dict[str, Mailbox] = {}

    @property
    def channels(self) -> list[str]:
        return list(self._boxes)

    def configuration(self) -> str:
        """The channels' tables."""
        imap = {"port": self._imap.port, "user": self._imap.user, "password": self._imap.password}
        tables = [
            IMAP.format(name=name, folder=folder, after=after, **imap) for name, (folder, after) in FOLDERS.items()
        ]
        if self._dovecot:
            port, password = self._dovecot.pop3_port, self._dovecot.password
            tables.append(POP3.format(name="pop", port=port, user=POP3_USER, password=password))
        return "".join(tables)

    def append(self, channel: str, mail: bytes) -> None:
        """Blocking."""
        self._boxes[channel].append(mail)

    def left(self) -> dict[str, int]:
        """How many mails still lie where they should have been taken away."""
        counts = {name: self._boxes[name].count() for name in self._boxes if name != "mail"}
        return {name: count for name, count in counts.items() if count}

    def __enter__(self) -> Postboxes:
        self._parts.enter_context(self._imap)
        self._make_folders()
        self._boxes = {name: Mailbox(self._imap, folder) for name, (folder, _) in FOLDERS.items()}
        if self._dovecot:
            self._parts.enter_context(self._dovecot)
            self._boxes["pop"] = Mailbox(Account(self._dovecot, POP3_USER))
        for box in self._boxes.values():
            self._parts.callback(box.close)
        return self

    def __exit__(self, *exc: object) -> None:
        self._parts.close()

    def _make_folders(self) -> None:
        with imaplib.IMAP4(self._imap.host, self._imap.port, timeout=10) as client:
            client.login(self._imap.user, self._imap.password)
            for name in ("Deleting", "Moving", "Moved"):
                client.create(name)


class Account:
    """A user at a server that takes any."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.host, self.port, self.user, self.password = server.host, server.port, user, server.password
