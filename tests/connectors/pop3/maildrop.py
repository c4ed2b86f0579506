"""A small POP3 server over real sockets (RFC 1939, 2449), whose manners a test can spoil. No kept one exists to
install; Dovecot is asked the same questions in the services tier."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from connectors.pop3 import Pop3Settings

USER, PASSWORD = "kefu@example.com", "kefu-Pa55-word"
COUNT = iter(range(1, 1_000_000))
DROP = b"\0drop"
HANG = b"\0hang"


@dataclass
class Stored:
    uid: str
    body: bytes


def make_mail(text: str, *, subject: str = "屏幕碎了", received: str = "", written: str = "") -> bytes:
    return make_mail_bytes(text.encode(), subject=subject, received=received, written=written)


def make_mail_bytes(text: bytes, *, subject: str = "屏幕碎了", received: str = "", written: str = "") -> bytes:
    number = next(COUNT)
    lines = [f"Received: from mx.example.cn by pop.example.com; {received}"] if received else []
    lines += [f"Message-ID: <{number}@shop.example>", f"From: 王芳 <wang{number}@example.cn>", f"Subject: {subject}"]
    lines += [f"Date: {written}"] if written else []
    header = "\r\n".join(lines) + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return header.encode() + text + b"\r\n"


@dataclass
class Rule:
    pattern: re.Pattern[bytes]
    answer: bytes
    left: int


@dataclass
class Maildrop:
    """One mailbox. What is deleted goes at QUIT only, as RFC 1939 wants it."""

    mails: list[Stored] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=lambda: ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "USER"])
    make_uid: Callable[[int], str] = "uid-{:06}".format
    greeting: bytes = b"+OK POP3 ready\r\n"
    rules: list[Rule] = field(default_factory=list)
    spy: Callable[[bytes], bytes | None] = lambda line: None
    """Told of every command; what it answers is answered, DROP and HANG as in `on`."""
    seen: list[bytes] = field(default_factory=list)
    """Commands of the clients."""
    size_offset: int = 0
    """How much more LIST says than there is."""
    host: str = "127.0.0.1"
    port: int = 0
    visitors: int = 0
    tls: ssl.SSLContext | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    def put(self, *bodies: bytes, uid: str = "") -> None:
        self.mails += [Stored(uid or self.make_uid(next(COUNT)), body) for body in bodies]

    def on(self, pattern: bytes, answer: bytes, *, times: int = 1_000_000) -> None:
        """Answer the next `times` commands that match with this line; or DROP the connection, or HANG."""
        self.rules.append(Rule(re.compile(pattern), answer, times))

    def count(self, word: bytes) -> int:
        return sum(line.startswith(word) for line in self.seen)

    def settings(self, **more: Any) -> Pop3Settings:
        fields: dict[str, Any] = {"host": self.host, "port": self.port, "tls": "none", "timeout_seconds": 5}
        return Pop3Settings.model_validate({**fields, "username": USER, "password": PASSWORD, **more})

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in [*self.tasks]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.visitors += 1
        with suppress(ConnectionError, asyncio.CancelledError):
            await _Visitor(self, reader, writer).serve()
        self.tasks.discard(task)
        writer.close()


class _Visitor:
    def __init__(self, drop: Maildrop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._drop, self._reader, self._writer = drop, reader, writer
        self._mails = dict(enumerate(drop.mails, start=1))
        self._marked: set[int] = set()

    async def serve(self) -> None:
        self._writer.write(self._drop.greeting)
        while line := (await self._reader.readline()).strip():
            self._drop.seen.append(line)
            answer = self._spoilt(line)
            if answer == DROP:
                return
            if answer == HANG:
                await asyncio.Event().wait()
            self._writer.write(answer if answer is not None else self._answer(line.decode()))
            await self._writer.drain()
            if line.upper() == b"QUIT":
                return
            if line.upper() == b"STLS" and self._drop.tls is not None:
                await self._writer.start_tls(self._drop.tls)

    def _spoilt(self, line: bytes) -> bytes | None:
        if (said := self._drop.spy(line)) is not None:
            return said
        for rule in self._drop.rules:
            if rule.left and rule.pattern.search(line):
                rule.left -= 1
                return rule.answer if rule.answer in (DROP, HANG) else rule.answer + b"\r\n"
        return None

    def _answer(self, line: str) -> bytes:
        verb, _, rest = line.partition(" ")
        method = getattr(self, f"_{verb.lower()}", None)
        if method is None:
            return b"-ERR unknown command\r\n"
        try:
            answer: bytes = method(*rest.split(" ")) if rest and verb != "PASS" else method(*([rest] if rest else []))
        except KeyError:
            return b"-ERR no such message\r\n"
        return answer

    def _there(self) -> Iterator[tuple[int, Stored]]:
        return ((number, mail) for number, mail in self._mails.items() if number not in self._marked)

    def _capa(self) -> bytes:
        return _lines("".join(f"{name}\r\n" for name in self._drop.capabilities).encode())

    def _stls(self) -> bytes:
        return b"+OK begin TLS\r\n"

    def _user(self, name: str) -> bytes:
        return b"+OK\r\n"

    def _pass(self, password: str) -> bytes:
        return b"+OK logged in\r\n" if password == PASSWORD else b"-ERR [AUTH] wrong\r\n"

    def _size(self, mail: Stored) -> int:
        return len(mail.body) + self._drop.size_offset

    def _stat(self) -> bytes:
        there = [self._size(mail) for _, mail in self._there()]
        return f"+OK {len(there)} {sum(there)}\r\n".encode()

    def _list(self, number: str = "") -> bytes:
        if number:
            return f"+OK {number} {self._size(self._mails[int(number)])}\r\n".encode()
        return _lines("".join(f"{at} {self._size(mail)}\r\n" for at, mail in self._there()).encode())

    def _uidl(self, number: str = "") -> bytes:
        if number:
            return f"+OK {number} {self._mails[int(number)].uid}\r\n".encode()
        return _lines("".join(f"{at} {mail.uid}\r\n" for at, mail in self._there()).encode())

    def _top(self, number: str, count: str) -> bytes:
        header, gap, _ = self._mails[int(number)].body.partition(b"\r\n\r\n")
        return _lines(header + (gap or b"\r\n"))

    def _retr(self, number: str) -> bytes:
        return _lines(self._mails[int(number)].body)

    def _dele(self, number: str) -> bytes:
        self._marked.add(int(number))
        return b"+OK\r\n"

    def _quit(self) -> bytes:
        gone = [self._mails[number] for number in self._marked]
        self._drop.mails = [mail for mail in self._drop.mails if not any(mail is one for one in gone)]
        return b"+OK bye\r\n"


def _lines(body: bytes) -> bytes:
    """On the way a line that starts with a dot gets another."""
    ended = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    return b"+OK\r\n" + re.sub(rb"^\.", b"..", ended, flags=re.MULTILINE) + b".\r\n"
