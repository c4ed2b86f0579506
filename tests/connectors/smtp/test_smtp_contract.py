"""The listener keeps every connector's promises, and a listener's own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import pytest

from allears_sdk.connector import Batch
from allears_sdk.context import Context
from allears_sdk.testing.connectors import EMOJI, GBK, TEXTS, ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.smtp import SmtpConnector, SmtpSettings
from tests.connectors.smtp.post import Caller, free_port, mail


class TestSmtp(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self) -> None:
        self.port = free_port()

    def make_connector(self, context: Context) -> SmtpConnector:
        return SmtpConnector(SmtpSettings(port=self.port, recipients=("example.com",)), context)

    async def send_all(self, contents: list[bytes]) -> list[bool]:
        """One after the other on one connection, as a sender that repeats what was not taken; what was."""
        caller = Caller(*await self.connect())
        taken = []
        await caller.hear()
        await caller.ask("EHLO c")
        for content in contents:
            answers = await caller.ask("MAIL FROM:<a@b.example>", "RCPT TO:<x@example.com>", "DATA")
            if answers[-1].startswith("354"):
                caller.say(content + b"\r\n.\r\n")
                answers = [await caller.hear()]
            taken.append(answers[-1].startswith("250"))
        await caller.hang_up()
        return taken

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Once the door is open."""
        while True:
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.sleep(0.01)

    @pytest.mark.parametrize("is_stored", [False, True], ids=["before-commit", "after-commit"])
    @pytest.mark.parametrize("die_at", [0, 1, 4])
    async def test_death_at_a_listeners_yield_loses_and_doubles_nothing(
        self, connector: Any, journal: MiniJournal, context: Context, die_at: int, is_stored: bool
    ) -> None:
        contents = [mail(text) for text in (*TEXTS, EMOJI)]
        contents.append(b"From: wang@example.com\r\n\r\n" + GBK)
        sending, batches = None, 0
        async with aclosing(connector.listen()) as items:
            listening = asyncio.ensure_future(anext(items))
            sending = asyncio.create_task(self.send_all(contents))
            while True:
                batch = await listening
                if is_stored or batches != die_at:
                    journal.accept("", batch)
                if batches == die_at:
                    break
                batches += 1
                listening = asyncio.ensure_future(anext(items))
        taken = await sending
        await connector.stop()
        assert taken.count(True) == die_at
        reborn = self.make_connector(context)
        hearing = asyncio.create_task(self.hear_all(reborn, journal))
        again = [content for content, is_taken in zip(contents, taken, strict=True) if not is_taken]
        assert all(await self.send_all(again))
        hearing.cancel()
        await asyncio.wait([hearing])
        await reborn.stop()
        assert sorted(raw.body for raw in journal.raws) == sorted(content + b"\r\n" for content in contents)

    async def hear_all(self, connector: SmtpConnector, journal: MiniJournal) -> None:
        async for item in connector.listen():
            assert isinstance(item, Batch)
            journal.accept("", item)
