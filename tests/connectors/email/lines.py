"""An IMAP server of a few lines, for what hosted services say and no server here does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Lines:
    """An IMAP server up to the log-in. `answers` are to AUTHENTICATE, one per connection; the last one stays."""

    answers: list[bytes]
    select: bytes = b"OK [READ-WRITE] done"
    port: int = 0
    responses: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n")
        while line := await reader.readline():
            tag, command, *_ = line.split()
            if command == b"CAPABILITY":
                writer.write(b"* CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID IDLE\r\n")
                writer.write(tag + b" OK CAPABILITY completed.\r\n")
            elif command == b"AUTHENTICATE":
                writer.write(b"+ \r\n")
                await self._hear(reader)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer.startswith(b"+"):
                    challenge, answer = answer.split(b"\r\n")
                    writer.write(challenge + b"\r\n")
                    await self._hear(reader)
                writer.write(tag + b" " + answer + b"\r\n")
            else:
                writer.write(tag + b" " + (self.select if command in (b"SELECT", b"LIST") else b"OK done") + b"\r\n")
        writer.close()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        self.responses.append((await reader.readline()).rstrip(b"\r\n"))
