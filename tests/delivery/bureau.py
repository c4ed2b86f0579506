"""A channel that acknowledges, in small: the real journal, the real courier of its answers, and a connector that is
told what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from allears.delivery.courier import Courier
from allears.delivery.replies import ReplySink, reply_settings
from allears.filing.acknowledging import responder
from allears.journal.records import REPLIES, DeliveryRow, Route
from allears_sdk.complaint import Complaint
from allears_sdk.connector import Address, Connector
from allears_sdk.context import Context
from allears_sdk.message import Message
from allears_sdk.settings import AcknowledgeSettings, ChannelSettings
from allears_sdk.testing import ScriptedConnector, make_context
from tests.journal.desk import POLICIES, Desk, draft, router


class Answering(ScriptedConnector):
    """Notes what it is to say, and fails as it is told to."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.said: list[tuple[str, str, str]] = []
        """(whom, text, key)"""
        self.errors: list[Exception] = []
        """Of the next calls, raised before anything is said."""
        self.lose_answers = False
        self.gate: asyncio.Event | None = None

    async def reply(self, address: Address, text: str, key: str) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.said.append((address.to.id, text, key))
        if self.gate is not None:
            await self.gate.wait()
        if self.lose_answers:
            raise ConnectionResetError("the answer was lost")


class Bureau:
    """`hear` files, `work` delivers."""

    def __init__(self, desk: Desk, folder: Path, channel: str = "mail", **settings: Any) -> None:
        self.desk = desk
        self.channel = channel
        self.name = REPLIES + channel
        self.connector = Answering(make_context(channel, folder, clock=desk.clock))
        self.is_running = True
        self._folder = folder
        self.configure(**settings)
        self.courier = self.hire()

    def configure(self, **settings: Any) -> None:
        acknowledge = AcknowledgeSettings(**settings)
        self.settings = reply_settings(acknowledge)
        self._respond = responder(self.channel, ChannelSettings(connector="scripted"), acknowledge, self.desk.clock)

    def hire(self, *, restored: bool = False) -> Courier:
        context = make_context(self.channel, self._folder, clock=self.desk.clock)
        sink = ReplySink(self.settings, context, self._find)
        return Courier(self.name, self.desk.journal, self.desk.clock, sink, self.settings, restored=restored)

    def _find(self) -> Connector[Any] | None:
        return self.connector if self.is_running else None

    def route(self, record: Complaint) -> Route:
        return replace(router(record), responder=self._respond)

    async def hear(self, key: str, *messages: Message, **facts: Any) -> str:
        """One raw and all that is to be done about it, ticket stores left alone; the reference of its first message."""
        for index, message in enumerate(messages):
            name = f"{key}-{index}" if index else key
            await self.desk.accept(self.channel, self.desk.raw(name, message, **facts))
        taken = await self.desk.take()
        await self.desk.journal.join([self.desk.reading(stored) for stored in taken], POLICIES, self.route)
        while (at := await self.desk.journal.next_due()) is not None:
            if at > self.desk.clock.now():
                self.desk.clock.advance(at - self.desk.clock.now())
            for due in await self.desk.journal.due_conversations(self.desk.clock.now(), 1000):
                settles = self.channel == "chat"
                await self.desk.journal.file(due, draft(due.messages, due.reference), self.route, settles=settles)
        return self.desk.reference_of(self.channel, messages[0].external_id or key)

    async def work(self, seconds: float = 0) -> None:
        """Everything that happens within this time."""
        until = self.desk.clock.monotonic() + seconds
        while True:
            while await self.courier.take():
                await self.courier.settle()
            at = await self.desk.journal.next_delivery(self.name)
            left = until - self.desk.clock.monotonic()
            pause = None if at is None else max((at - self.desk.clock.now()).total_seconds(), self.courier.rest_seconds)
            if pause is None or pause > left:
                self.desk.clock.advance(left)
                return
            self.desk.clock.advance(max(pause, 1e-3))

    async def crash(self, *, restored: bool = False) -> None:
        """The process dies and another one starts."""
        await self.courier.stop(0)
        await self.desk.reopen()
        await self.desk.journal.recover()
        self.connector.lose_answers, self.connector.gate = False, None
        self.courier = self.hire(restored=restored)

    async def rows(self) -> Sequence[DeliveryRow]:
        """In the order they were filed."""
        rows = await self.desk.journal.deliveries(destination=self.name, limit=1000)
        return sorted(rows, key=lambda row: row.id)

    async def states(self) -> list[str]:
        return [row.state.value for row in await self.rows()]
