"""The listening socket, its certificate, and the sessions that are open on it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, Unavailable
from connectors.smtp.desk import Desk
from connectors.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from connectors.smtp.session import Session

BACKLOG = 256


class Certificate:
    """Read again when its file changes: what renews certificates need not know of us."""

    def __init__(self, settings: SmtpSettings, context: Context) -> None:
        self._settings = settings
        self._log = context.log
        self._read: tuple[int, ...] = ()
        self._tls: ssl.SSLContext | None = None

    def current(self) -> ssl.SSLContext | None:
        """None where no certificate is set. Raises ConfigError when the first one cannot be read."""
        path = self._settings.certificate_file
        if path is None:
            return None
        try:
            found = tuple(file.stat().st_mtime_ns for file in (path, self._settings.key_file) if file)
            if self._tls is None or found != self._read:
                self._read = found
                self._tls = load_certificate(self._settings)
        except (OSError, ConfigError) as error:
            if self._tls is None:
                raise error if isinstance(error, ConfigError) else _unreadable(path, error) from error
            self._log.error("smtp.certificate_not_renewed", cause=type(error).__name__)
        return self._tls


def load_certificate(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Raises ConfigError."""
    if settings.certificate_file is None:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        tls.load_cert_chain(settings.certificate_file, settings.key_file)
    except ssl.SSLError as error:
        raise ConfigError(
            f"certificate_file {settings.certificate_file}: certificate and key are not PEM, or do not fit together"
        ) from error
    except OSError as error:
        raise _unreadable(settings.certificate_file, error) from error
    return tls


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"certificate_file {path} or its key cannot be read: {error.strerror or error}")


class Server:
    """Opened once; stays while `listen` is restarted, so that senders hear 451 and not a closed door."""

    def __init__(self, settings: SmtpSettings, context: Context, desk: Desk) -> None:
        self._settings = settings
        self._context = context
        self._desk = desk
        self._certificate = Certificate(settings, context)
        self._hostname = settings.greeting_name or socket.gethostname()
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        """Raises ConfigError where it can never listen, Unavailable where it may later."""
        if self._server is not None:
            return
        await self._context.blocking(self._certificate.current)
        loop = asyncio.get_running_loop()
        try:
            if self._settings.unix_socket is not None:
                listening = await self._context.blocking(bind_unix, self._settings)
                self._server = await loop.create_unix_server(self._meet, sock=listening, backlog=BACKLOG)
            else:
                host = None if self._settings.host == "*" else self._settings.host
                self._server = await loop.create_server(self._meet, host, self._settings.port, backlog=BACKLOG)
        except OSError as error:
            raise cannot_listen(error, self._settings) from error
        self._context.log.info("smtp.listening", place=self._settings.place)

    async def close(self) -> None:
        """Takes no more connections and ends those there are: senders keep what was not answered with 250."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for session in list(self._sessions):
            session.hang_up()
        if self._settings.unix_socket is not None:
            with suppress(OSError):
                await self._context.blocking(self._settings.unix_socket.unlink)

    def _meet(self) -> Session:
        from connectors.smtp.session import LmtpSession, Session

        kind = LmtpSession if self._settings.protocol == "lmtp" else Session
        session = kind(self._desk, self._certificate.current(), self._hostname, self._sessions.discard)
        self._sessions.add(session)
        return session


def bind_unix(settings: SmtpSettings) -> socket.socket:
    """A socket nobody can connect to before its permissions are set. Raises OSError."""
    path = settings.unix_socket
    assert path is not None
    if path.is_socket():
        _check_abandoned(path)
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(int(settings.unix_socket_mode, 8))
    except BaseException:
        listening.close()
        raise
    return listening


def _check_abandoned(path: Path) -> None:
    """A socket that a killed daemon left behind answers nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        with suppress(ConnectionRefusedError):
            probe.connect(str(path))
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def cannot_listen(error: OSError, settings: SmtpSettings) -> AllearsError:
    if error.errno == errno.EADDRINUSE or (error.errno is None and "in use" in str(error)):
        return Unavailable(f"{settings.place} is in use by another program: end that one, or choose another port")
    if error.errno in (errno.EACCES, errno.EPERM):
        advice = "ports below 1024 need CAP_NET_BIND_SERVICE, a Unix socket a writable directory"
        return ConfigError(f"no permission to listen on {settings.place}: {advice}")
    if isinstance(error, socket.gaierror) or error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EAFNOSUPPORT):
        return ConfigError(f"cannot listen on {settings.place}: {error.strerror or error}")
    return Unavailable(f"cannot listen on {settings.place}: {error.strerror or error}")
