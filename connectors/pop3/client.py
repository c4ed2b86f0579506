"""POP3 as it goes over the wire (RFC 1939, 2449): commands, answers of one line, answers of many.

poplib refuses lines over 2048 bytes, which mails have, drops line endings, and lets nobody end a wait.
"""

from __future__ import annotations

from allears_sdk.mail.wire import Wire

MAX_REPLY_BYTES = 4096
MAX_CAPABILITY_BYTES = 64 << 10


class Negative(Exception):
    """The server said -ERR; its words, which may hold a code of RFC 2449."""


class Garbled(Exception):
    """The connection ended in the middle, or its answer goes on for longer than it may."""


class Client:
    """Blocking. Raises Negative, Garbled, OSError."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def greet(self) -> None:
        """The server speaks first."""
        self._reply()

    def command(self, line: str) -> str:
        """What follows "+OK"."""
        self._wire.send(line.encode() + b"\r\n")
        return self._reply()

    def text(self, line: str, max_bytes: int) -> bytes:
        """The answer of many lines, byte for byte, without the dots that were put in for the way."""
        self.command(line)
        parts: list[bytes] = []
        room = max_bytes
        while (part := self._wire.read_line(room + 4)) not in (b".\r\n", b".\n"):
            if part.startswith(b".."):
                part = part[1:]
            room -= len(part)
            if room < 0:
                raise Garbled(f"more than {max_bytes} bytes")
            if not part.endswith(b"\n"):
                raise Garbled("hung up")
            parts.append(part)
        return b"".join(parts)

    def capabilities(self) -> frozenset[str]:
        """Upper-case names with their arguments, as "LOGIN-DELAY 60"; empty where the server has no CAPA."""
        try:
            lines = self.text("CAPA", MAX_CAPABILITY_BYTES).decode("ascii", "replace").splitlines()
        except Negative:
            return frozenset()
        return frozenset(" ".join(line.upper().split()) for line in lines if line.strip())

    def _reply(self) -> str:
        reply = self._wire.read_line(MAX_REPLY_BYTES)
        if not reply:
            raise Garbled("hung up")
        words = " ".join(reply.decode("utf-8", "replace").split())
        if not words.startswith("+"):
            raise Negative(words[:300])
        return words.partition(" ")[2]
