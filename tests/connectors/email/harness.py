"""The other side of a mailbox: mails put in, and a line that meddles with what passes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from imapclient import IMAPClient

from connectors.email import EmailSettings

USER = "kefu@example.com"
COUNT = iter(range(1, 1_000_000))


class Server(Protocol):
    host: str
    port: int
    password: str


def make_mail(text: str, *, subject: str = "屏幕碎了", number: int | None = None) -> bytes:
    """A mail in UTF-8 with a Message-ID of its own."""
    return make_mail_bytes(text.encode(), subject=subject, number=number)


def make_mail_bytes(text: bytes, *, subject: str = "屏幕碎了", number: int | None = None) -> bytes:
    number = next(COUNT) if number is None else number
    header = f"Message-ID: <{number}@shop.example>\r\nFrom: 王芳 <wang{number}@example.cn>\r\nSubject: {subject}\r\n"
    return header.encode() + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text + b"\r\n"


@dataclass
class Mailbox:
    """A folder on a real server, seen through a client of the tests' own."""

    server: Server
    user: str = USER
    folder: str = "INBOX"

    @contextmanager
    def client(self, folder: str | None = None) -> Iterator[Any]:
        with IMAPClient(self.server.host, self.server.port, ssl=False, timeout=10) as client:
            client.login(self.user, self.server.password)
            client.select_folder(folder or self.folder)
            yield client

    def create(self) -> None:
        with self.client("INBOX") as client:
            client.create_folder(self.folder)

    def remake(self) -> None:
        """The same folder anew: its UIDVALIDITY changes."""
        with self.client("INBOX") as client:
            client.delete_folder(self.folder)
            client.create_folder(self.folder)

    def put(self, *mails: bytes, at: datetime | None = None) -> None:
        with self.client() as client:
            for mail in mails:
                client.append(self.folder, mail, msg_time=at)

    def uids(self, criteria: str = "ALL") -> list[int]:
        with self.client() as client:
            return list(client.search(criteria))

    def flag(self, uids: Sequence[int], flag: bytes) -> None:
        with self.client() as client:
            client.add_flags(uids, [flag])

    def bodies(self) -> list[bytes]:
        with self.client() as client:
            found = client.fetch(client.search("ALL"), ["BODY.PEEK[]"])
            return [found[uid][b"BODY[]"] for uid in sorted(found)]

    def settings(self, **more: Any) -> EmailSettings:
        fields: dict[str, Any] = {
            "host": self.server.host,
            "port": self.server.port,
            "tls": "none",
            "username": self.user,
            "password": self.server.password,
            "folders": (self.folder,),
            "timeout_seconds": 5,
            "connect_timeout_seconds": 5,
        }
        return EmailSettings.model_validate(fields | more)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or the server brings about; ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what happens at a server sets no event here
            await asyncio.sleep(0.005)


Rule = Callable[[str, bytes], bytes | None]
"""(tag, the client's line) → what the server is made to answer; None lets the line pass."""

DROP = b"\0drop"
HANG = b"\0hang"


@dataclass
class Meddler:
    """A line between connector and server on which commands can be refused, dropped or left hanging."""

    host: str
    port: int
    password: str
    target_port: int
    rules: list[Rule] = field(default_factory=list)
    hidden: list[bytes] = field(default_factory=list)
    """Capabilities the server no longer announces."""
    seen: list[bytes] = field(default_factory=list)
    """Commands of the client, without their tags."""
    received: int = 0
    """Bytes of the server."""
    connections: int = 0
    peak: int = 0
    """Most connections that were open at the same time."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def say(self, data: bytes) -> None:
        """As the server, to whoever connected last."""
        self.writers[-1].write(data)

    def refuse(self, pattern: bytes, answer: bytes, *, times: int = 1_000_000) -> None:
        """Answer the next `times` commands that match; `answer` is DROP, HANG or a status such as `NO [LIMIT] x`."""
        left = iter(range(times))

        def rule(tag: str, line: bytes) -> bytes | None:
            if not re.search(pattern, line) or next(left, None) is None:
                return None
            return answer if answer in (DROP, HANG) else tag.encode() + b" " + answer + b"\r\n"

        self.rules.append(rule)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        self.writers.append(writer)
        up_reader, up_writer = await asyncio.open_connection(self.host, self.target_port, limit=1 << 24)
        self.peak = max(self.peak, len(self.tasks))
        down = asyncio.create_task(self._down(up_reader, writer))
        try:
            await self._up(reader, writer, up_writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            down.cancel()
            for stream in (writer, up_writer):
                stream.close()
            self.tasks.discard(task)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            tag, _, command = line.decode("latin-1").partition(" ")
            self.seen.append(command.strip().encode("latin-1"))
            answer = next((said for rule in self.rules if (said := rule(tag, line)) is not None), None)
            if answer == DROP:
                return
            if answer == HANG:
                await asyncio.Event().wait()
            (up if answer is None else writer).write(line if answer is None else answer)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.received += len(data)
                for name in self.hidden:
                    data = data.replace(b" " + name, b"")
                writer.write(data)
            writer.close()
