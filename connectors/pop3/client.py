"""poplib, plus what it lacks: bytes as they came, long lines, a limit, and a socket that can be shut from outside."""

from __future__ import annotations

import poplib
import socket
from collections.abc import Callable
from typing import Any

MAX_REPLY_BYTES = 4096
MAX_CAPABILITY_BYTES = 64 << 10


class Client(poplib.POP3):
    """Its `sock` and `file` are used directly: poplib refuses lines over 2048 bytes, and drops line endings."""

    def __init__(self, connect: Callable[[], socket.socket], host: str) -> None:
        self._connect_socket = connect
        super().__init__(host)

    def _create_socket(self, timeout: Any) -> socket.socket:
        return self._connect_socket()

    def move_to(self, sock: socket.socket) -> None:
        """Go on over `sock`; what was read ahead on the former one is forgotten."""
        self.sock = sock
        self.file = sock.makefile("rb")

    def command(self, line: str) -> str:
        """What follows "+OK". Raises poplib.error_proto."""
        self.sock.sendall(line.encode() + b"\r\n")
        reply: bytes = self.file.readline(MAX_REPLY_BYTES)
        if not reply.startswith(b"+"):
            raise poplib.error_proto(reply.strip() or "-ERR EOF")
        return reply.decode("utf-8", "replace").partition(" ")[2].strip()

    def text(self, line: str, max_bytes: int) -> bytes:
        """The answer of many lines, without the dots that were put in for the way. Raises poplib.error_proto."""
        self.command(line)
        parts: list[bytes] = []
        room = max_bytes
        while (part := self.file.readline(room + 4)) not in (b".\r\n", b".\n"):
            if not part.endswith(b"\n"):
                raise poplib.error_proto("answer too long" if len(part) > room else "-ERR EOF")
            if part.startswith(b".."):
                part = part[1:]
            room -= len(part)
            if room < 0:
                raise poplib.error_proto("answer too long")
            parts.append(part)
        return b"".join(parts)

    def capabilities(self) -> frozenset[str]:
        """Upper-case names and their arguments, as "LOGIN-DELAY 60"; empty where the server has no CAPA."""
        try:
            lines = self.text("CAPA", MAX_CAPABILITY_BYTES).decode("ascii", "replace").splitlines()
        except poplib.error_proto as error:
            if str(error.args[0]).find("-ERR EOF") >= 0:
                raise
            return frozenset()
        return frozenset(" ".join(line.upper().split()) for line in lines if line.strip())
