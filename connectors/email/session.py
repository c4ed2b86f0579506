"""One IMAP connection. Everything here blocks and runs in the pool, one call at a time; only `kill` and `hang_up`
come from outside."""

from __future__ import annotations

import imaplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from imapclient.exceptions import IMAPClientError

from allears_sdk.errors import AllearsError, AuthError, ConfigError
from allears_sdk.mail.xoauth2 import Xoauth2
from allears_sdk.settings import nearest
from connectors.email.client import Client
from connectors.email.cursor import message_set
from connectors.email.faults import Broken, Refused, login_failed, token_refused, translate
from connectors.email.mail import Listed
from connectors.email.settings import EmailSettings

R = TypeVar("R")

_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the first question, seconds between questions, how many stay unanswered."""
_LISTING = "(UID INTERNALDATE RFC822.SIZE)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The folder a session is in."""

    folder: str
    readonly: bool
    uid_validity: int
    uid_next: int | None


class Session:
    """A connection that is logged in, in one folder at a time."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._socket: socket.socket | None = None
        self._guard = threading.Lock()
        self._running = False
        self.dead = False
        self.selected: Selected | None = None
        self.fresh = False
        """The server has just told us all that is new in the folder: no NOOP is needed."""
        self.exists = 0
        self.growth: int | None = None
        """How many mails came since the last listing, as far as notices tell; None after SELECT."""
        self.reading_uid = 0
        """The one mail whose body is being read, for blame when the connection breaks over it."""

    # How the pool runs it

    def run(self, function: Callable[..., R], *args: Any) -> R:
        """Call `function(self, *args)`; only SDK errors come out. A broken session is dead afterwards."""
        with self._guard:
            if self.dead:
                raise Broken("the connection was closed")
            self._running = True
        try:
            return function(self, *args)
        except AllearsError as error:
            self.dead = self.dead or isinstance(error, Broken)
            raise
        except Exception as error:
            fault = translate(error, self._settings.host)
            self.dead = self.dead or not isinstance(fault, Refused)
            raise fault from error
        finally:
            with self._guard:
                self._running = False
                if self.dead:
                    self._close()

    def kill(self) -> None:
        """End the connection at once, from any thread; a call that is waiting at the socket returns with an error."""
        self.hang_up()
        with self._guard:
            if not self._running:
                self._close()

    def hang_up(self) -> None:
        """As `kill`, but leaves the descriptor open for a loop that watches it."""
        with self._guard:
            self.dead = True
            if self._socket is not None:
                with suppress(OSError):
                    # On the class: SSLSocket.shutdown would drop its state under the feet of a reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, ValueError):
                client.shutdown()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    @property
    def client(self) -> Client:
        if self._client is None:
            raise Broken("the connection was closed")
        return self._client

    def fileno(self) -> int:
        return int(self.client.socket().fileno())

    # Connecting

    def connect(self) -> socket.socket:
        settings = self._settings
        sock = socket.create_connection((settings.host, settings.effective_port), settings.connect_timeout_seconds)
        watch(sock)
        self._hold(sock)
        if settings.tls == "implicit":
            context = tls_context(settings.ca_file)
            secured = context.wrap_socket(sock, server_hostname=settings.host, do_handshake_on_connect=False)
            self._hold(secured)
            secured.do_handshake()
            return secured
        return sock

    def _hold(self, sock: socket.socket) -> None:
        with self._guard:
            self._socket = sock
        if self.dead:
            raise Broken("the connection was closed")

    def open(self, token: str) -> None:
        """Connect, encrypt, log in (with the access token unless it is ""), and introduce ourselves. Raises
        TokenRefused, AuthError, RetryLater, Unavailable."""
        settings = self._settings
        self._client = client = Client(self.connect, settings)
        if settings.tls == "starttls":
            self._start_tls(client)
        if token:
            self._authenticate(client, token)
        else:
            self._log_in(client)
        if client.has_capability("ID"):
            # RFC 2971. 163 and 126 answer SELECT with "Unsafe Login" to a client that has not said who it is.
            with suppress(IMAPClientError):
                client.id_({"name": "allears", "version": "1", "vendor": "allears"})
        client.share_capabilities()

    def _start_tls(self, client: Client) -> None:
        if not client.has_capability("STARTTLS"):
            raise ConfigError(f'{self._settings.host} has no STARTTLS on this port; is tls = "implicit" meant?')
        client.starttls(tls_context(self._settings.ca_file))
        self._hold(client.socket())

    def _authenticate(self, client: Client, token: str) -> None:
        settings = self._settings
        if not client.has_capability("AUTH=XOAUTH2"):
            raise ConfigError(f"{settings.host} takes no access tokens (no XOAUTH2): use a password")
        mechanism = Xoauth2(settings.username, token)
        try:
            client.sasl_login("XOAUTH2", mechanism)
        except imaplib.IMAP4.error as error:
            raise token_refused(error, settings.host, mechanism.refusal) from None

    def _log_in(self, client: Client) -> None:
        settings, password = self._settings, self._settings.login_password
        if client.has_capability("LOGINDISABLED"):
            raise ConfigError(f'{settings.host} takes no login without TLS: use tls = "implicit" or "starttls"')
        try:
            if settings.username.isascii() and password.isascii():
                client.login(settings.username, password)
            else:
                client.plain_login(settings.username, password)
        except imaplib.IMAP4.error as error:
            raise login_failed(error, settings.host) from None  # imaplib may quote the command, password and all

    def has(self, capability: str) -> bool:
        return bool(self.client.has_capability(capability))

    def capabilities(self) -> list[str]:
        return sorted(name.decode("ascii", "replace") for name in self.client.capabilities())

    # Folders

    def folders(self) -> list[str]:
        """Names of all folders that can be selected."""
        listed = self.client.list_folders()
        return [str(name) for flags, _, name in listed if b"\\noselect" not in {flag.lower() for flag in flags}]

    def select(self, folder: str, readonly: bool) -> Selected:
        """Raises ConfigError naming the nearest folder when there is none of that name."""
        if self.selected is not None and (self.selected.folder, self.selected.readonly) == (folder, readonly):
            return self.selected
        self.selected = None
        try:
            answer = self.client.select_folder(folder, readonly)
        except imaplib.IMAP4.readonly:
            raise ConfigError(f'the folder "{folder}" is read-only for us: use after = "nothing"') from None
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise self._cannot_select(folder, error) from error
        self.client.notices()
        self.exists, self.growth, self.fresh = int(answer.get(b"EXISTS", 0)), None, True
        self.selected = Selected(
            folder=folder,
            readonly=readonly,
            uid_validity=int(answer.get(b"UIDVALIDITY", 0)),
            uid_next=answer.get(b"UIDNEXT"),
        )
        return self.selected

    def _cannot_select(self, folder: str, error: Exception) -> AllearsError:
        if "unsafe login" in str(error).lower():
            host = self._settings.host
            return AuthError(
                f"{host} calls this an unsafe login; allow IMAP clients in its settings", detail=str(error)
            )
        names = self.folders()
        if folder in names:
            return translate(error, self._settings.host)
        return ConfigError(f'there is no folder "{folder}"{nearest(folder, names)}', detail=str(error))

    def sync(self) -> None:
        """Have the server tell what is new; a connection that has died says so here."""
        if not self.fresh:
            self.client.noop()
        self.heard()
        self.fresh = False

    def heard(self) -> bool:
        """Whether the server announced mails since the last time of asking."""
        exists = self.client.notices()
        if exists is None:
            return False
        if self.growth is not None:
            self.growth += max(0, exists - self.exists)
        self.exists = exists
        return True

    # Reading

    def top(self) -> int:
        """The highest UID in the folder, 0 when it is empty."""
        if self.selected is None:
            raise Broken("no folder is open")
        try:
            found = self.client.fetch_set("*", "(UID)")
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            # Some servers answer BAD to "*" in an empty folder.
            return max(self.client.search(["ALL"]), default=0)
        return max(found, default=0)

    def search(self, uids: str, since: datetime | None = None) -> list[int]:
        """The UIDs of that set that exist, ascending; with `since` only about those that arrived later."""
        criteria: list[Any] = ["UID", uids]
        if since is not None:
            # Servers compare dates in a zone of their own: a day more, INTERNALDATE is compared afterwards.
            criteria += ["SINCE", (since - timedelta(days=1)).date()]
        return sorted(self.client.search(criteria))

    def listing(self, uids: str) -> list[Listed]:
        """Size and date of the mails of that set that exist, by ascending UID."""
        found = self.client.fetch_set(uids, _LISTING)
        return [
            Listed(uid=uid, size=int(facts[b"RFC822.SIZE"]), at=_aware(facts.get(b"INTERNALDATE")))
            for uid, facts in sorted(found.items())
            if b"RFC822.SIZE" in facts
        ]

    def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """`BODY[HEADER]` of those that exist."""
        return self._parts(uids, "(UID BODY.PEEK[HEADER])", b"BODY[HEADER]")

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """All bytes of those that exist; empty for what the server does not hand over."""
        return self._parts(uids, "(UID BODY.PEEK[])", b"BODY[]")

    def _parts(self, uids: Sequence[int], items: str, name: bytes) -> dict[int, bytes]:
        if not uids:
            return {}
        found = self.client.fetch_set(message_set(list(uids)), items)
        return {uid: _bytes(found[uid][name]) for uid in uids if name in found.get(uid, {})}

    # Afterwards

    def mark_seen(self, uids: str) -> None:
        self._store(uids, r"(\Seen)")

    def delete(self, uids: str) -> None:
        """Removes these and no others: an EXPUNGE without UIDs would take what someone else marked."""
        if not self.has("UIDPLUS"):
            raise ConfigError(f'{self._settings.host} cannot delete single mails (no UIDPLUS): use after = "seen"')
        self._store(uids, r"(\Deleted)")
        self.client.uid_expunge(uids)

    def move(self, uids: str, folder: str) -> None:
        if self.has("MOVE"):
            self.client.move(uids, folder)
            return
        if not self.has("UIDPLUS"):
            raise ConfigError(f'{self._settings.host} can neither MOVE nor UIDPLUS: use after = "seen"')
        self.client.copy(uids, folder)
        self.delete(uids)

    def _store(self, uids: str, flags: str) -> None:
        self.client.add_to_flags(uids, flags)

    # Idling

    def start_idle(self) -> bool:
        """Enter IDLE; true when the server has said something already, which a selector would not see."""
        self.client.idle()
        return self.client.buffered()

    def is_merely_there(self) -> bool:
        """Whether all that the server has said in IDLE is that it is still there, as Dovecot does every two minutes."""
        return self.client.forgets_greetings() and not self.client.buffered()

    def announces(self) -> bool:
        """Whether mail came since the last listing. Asked before IDLE: some servers (pymap) tell in IDLE only what
        happens in it."""
        self.client.noop()
        return self.heard()

    def end_idle(self) -> bool:
        """Leave IDLE; true when new mail was announced."""
        self.client.idle_done()
        news = self.heard()
        self.fresh = news
        return news


def watch(sock: socket.socket) -> None:
    """The kernel notices within two minutes that the other side is gone, were the line idle for hours."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # macOS and Windows have others
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """One for all mailboxes: each holds all authorities of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"ca_file {ca_file} cannot be read: {error}") from error


def _aware(at: datetime | None) -> datetime | None:
    return at if at is not None and at.tzinfo is not None else None


def _bytes(value: Any) -> bytes:
    """A short body may come as an atom or a number; NIL is nothing."""
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode()
