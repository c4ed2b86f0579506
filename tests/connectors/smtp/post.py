"""A post office: the smtp connector in a real intake on the real journal, and clients that knock at it."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from allears.intake.intake import Intake
from allears.journal.journal import Journal
from allears_sdk.connector import Connector
from connectors.smtp import SmtpConnector, SmtpSettings
from tests.intake.hall import Hall, until

SENDER = "li.lei@example.net"
OURS = "complaints@example.com"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def mail(text: str = "屏幕碎了，要求退款。The screen is broken.", **headers: str) -> bytes:
    """As a mail program sends it: CRLF, UTF-8 as 8bit."""
    message = EmailMessage()
    message["From"] = "李雷 <li.lei@example.net>"
    message["To"] = OURS
    message["Subject"] = "投诉：屏幕 / broken screen"
    message["Message-ID"] = f"<{abs(hash(text))}@example.net>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text, cte="8bit")
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Post(Hall):
    """`open_post` starts the channel "mx" with these settings."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        super().__init__(journal, folder)
        self.journal = journal
        self.port = free_port()
        self.connectors: list[SmtpConnector] = []
        self.callers: list[Caller] = []

    def make_intake(self) -> Intake:
        gate: Any = self.gate
        return Intake(gate, self, self.hands.timing, schedule=self.hands, find_class=lambda kind: self._class())

    def _class(self) -> type[Connector[Any]]:
        made = self.connectors

        class Noted(SmtpConnector):
            def __init__(self, settings: SmtpSettings, context: Any) -> None:
                super().__init__(settings, context)
                made.append(self)

        return Noted

    async def open_post(self, **settings: Any) -> None:
        await self.intake.start()
        await self.apply(**settings)

    async def apply(self, **settings: Any) -> None:
        given = {"port": self.port, "recipients": ("example.com",), "greeting_name": "mx.example.com"} | settings
        errors = await self.intake.apply({"mx": SmtpSettings(**given)})
        assert not errors, errors
        await until(lambda: self.said("smtp.listening"), "the port is open")

    def smtp(self, **settings: Any) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example.net", timeout=10, **settings)

    async def send(self, content: bytes, recipients: Sequence[str] = (OURS,), sender: str = SENDER) -> None:
        """By smtplib, in a thread. Raises what it raises."""

        def deliver() -> None:
            with self.smtp() as client:
                client.sendmail(sender, list(recipients), content)

        await asyncio.to_thread(deliver)

    async def knock(self) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        return caller

    async def close(self) -> None:
        self.gate.open.set()
        for caller in self.callers:
            await caller.hang_up()
        await self.intake.stop(1)

    async def bodies(self) -> list[bytes]:
        """Of all raws on disk, read by a connection of its own."""
        return [raw.body for deposit in self.gate.deposits for raw in deposit.raws]

    async def counts(self) -> tuple[int, int]:
        """Stored and duplicate, as the journal counts."""
        (row,) = await self.journal.channels()
        return row.stored, row.duplicate


class Caller:
    """A client that says exactly these bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, words: bytes) -> None:
        with suppress(RuntimeError):  # uvloop's word for a closed connection
            self.writer.write(words)

    async def hear(self) -> str:
        """One answer, all its lines. "" when the connection is gone."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(5):
                while line := (await self.reader.readline()).decode():
                    lines.append(line.rstrip("\r\n"))
                    if line[3:4] != "-":
                        break
        except ConnectionError:
            pass
        return "\n".join(lines)

    async def ask(self, *commands: str) -> list[str]:
        """One after the other; the answers."""
        answers = []
        for command in commands:
            self.say(command.encode("utf-8", "surrogateescape") + b"\r\n")
            answers.append(await self.hear())
        return answers

    async def address(self, *recipients: str, sender: str = f"<{SENDER}>", greeting: str = "EHLO") -> None:
        """Up to the 354 of DATA."""
        assert (await self.hear()).startswith("220")
        commands = [f"{greeting} c.example.net", f"MAIL FROM:{sender}"]
        commands += [f"RCPT TO:<{recipient}>" for recipient in recipients or (OURS,)]
        answers = await self.ask(*commands, "DATA")
        assert answers[-1].startswith("354"), answers

    async def gone(self) -> bool:
        """Whether the other side has hung up, now or soon."""
        try:
            async with asyncio.timeout(5):
                while await self.reader.read(65_536):
                    pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    async def hang_up(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return
