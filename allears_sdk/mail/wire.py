"""A connection to a mail server that another thread can end, for protocols whose libraries block."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, Literal, ParamSpec, TypeVar

from allears_sdk.errors import ConfigError, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

Tls = Literal["implicit", "starttls", "none"]


class Broken(Unavailable):
    """The connection is lost or in an unknown state; nothing was done that will not be done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server listens, and how long it may take."""

    host: str
    port: int
    tls: Tls
    ca_file: Path | None
    """PEM of the authority that signed its certificate; none: the system's."""
    connect_timeout_seconds: float
    timeout_seconds: float
    """Silence of the server in the middle of an answer."""


class Wire:
    """One socket, known from its first moment, so that `kill` ends every wait at it. Calls that use it go through
    `run`, one at a time; the descriptor is closed only when none is running."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.dead = False
        self._socket: socket.socket | None = None
        self._file: BinaryIO | None = None
        self._guard = threading.Lock()
        self._running = False

    def connect(self) -> None:
        """Blocking. Connected, and encrypted where TLS is implicit. Raises OSError, ssl.SSLError, ConfigError."""
        there = self.endpoint
        sock = socket.create_connection((there.host, there.port), there.connect_timeout_seconds)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._hold(sock)
        if there.tls == "implicit":
            self.encrypt()
        else:
            self._use(sock)

    def encrypt(self) -> None:
        """Blocking. TLS on the connection as it stands; what was read ahead in the open is forgotten."""
        if self._socket is None:
            raise Broken("the connection was closed")
        there = self.endpoint
        secured = tls_context(there.ca_file).wrap_socket(
            self._socket, server_hostname=there.host, do_handshake_on_connect=False
        )
        self._hold(secured)
        secured.do_handshake()
        self._use(secured)

    def send(self, data: bytes) -> None:
        if self._socket is None:
            raise Broken("the connection was closed")
        self._socket.sendall(data)

    def wait_up_to(self, seconds: float) -> None:
        """For the next answers, where they may take longer than the endpoint says."""
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def read_line(self, max_bytes: int) -> bytes:
        """With its line ending; without one it is the end of the connection, or longer than that. b"": ended."""
        if self._file is None:
            raise Broken("the connection was closed")
        return self._file.readline(max_bytes)

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it; after `kill` the descriptor is closed as soon as it returns."""
        with self._guard:
            if self.dead:
                raise Broken("the connection was closed")
            self._running = True
        try:
            return function(*args, **kwargs)
        finally:
            with self._guard:
                self._running = False
                if self.dead:
                    self._close()

    def kill(self) -> None:
        """End the connection at once, from any thread; a call that waits at the socket returns with an error."""
        with self._guard:
            self.dead = True
            if self._socket is not None:
                with suppress(OSError):
                    # On the class: SSLSocket.shutdown would drop its state under the feet of a reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            if not self._running:
                self._close()

    def _hold(self, sock: socket.socket) -> None:
        with self._guard:
            self._socket = sock
        if self.dead:
            raise Broken("the connection was closed")

    def _use(self, sock: socket.socket) -> None:
        sock.settimeout(self.endpoint.timeout_seconds)
        former, self._file = self._file, sock.makefile("rb")
        if former is not None:
            former.close()

    def _close(self) -> None:
        for thing in (self._file, self._socket):
            if thing is not None:
                with suppress(OSError):
                    thing.close()
        self._file = self._socket = None


@cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """One for all connections: each holds all authorities of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"ca_file {ca_file} cannot be read: {error}") from error


def why_lost(error: Exception, host: str) -> str:
    """What a failed connection means, in words for the admin."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {host} does not verify: {error.verify_message}; is ca_file right?"
    if isinstance(error, ssl.SSLError):
        return f"TLS with {host} failed; are port and tls right?"
    if isinstance(error, socket.gaierror):
        return f"there is no host {host}, or no name service"
    if isinstance(error, TimeoutError):
        return f"{host} does not answer"
    if isinstance(error, ConnectionRefusedError):
        return f"{host} refused the connection; is the port right?"
    return f"the connection to {host} was lost"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
