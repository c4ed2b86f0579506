"""Redis on loopback, from Debian's package: in a folder of its own, on disk before it answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import process

if TYPE_CHECKING:
    from redis import Redis as Client

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Redis:
    """`with Redis() as server`: then `server.url`. A stop and a start keep what is in it."""

    def __init__(self, *options: str, durable: bool = True) -> None:
        """`options` as on its command line; `durable`: each write is on disk before it is answered."""
        self.port = process.free_port()
        self.url = f"redis://{process.LOOPBACK}:{self.port}/0"
        self._options = [*(["--appendonly", "yes", "--appendfsync", "always"] if durable else []), *options]
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return shutil.which("redis-server", path=PLACES)

    def start(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError("redis-server is not installed")
        command = [
            program, "--port", str(self.port), "--bind", process.LOOPBACK, "--dir", str(self._folder), "--save", "",
            *self._options,
        ]  # fmt: skip
        self._process = process.start(command, self._folder / "redis.log", self.port, is_ready=_is_ready)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)
            self._process = None

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Client:
        """A connection of the test's own; answers are text."""
        import redis

        return redis.Redis(host=process.LOOPBACK, port=self.port, decode_responses=True)

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _is_ready(port: int) -> bool:
    """Speaks when spoken to; while it loads its data it refuses, and with a password it asks for that."""
    with contextlib.suppress(OSError), socket.create_connection((process.LOOPBACK, port), 1) as sock:
        sock.settimeout(5)
        sock.sendall(b"PING\r\n")
        return sock.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    return False
