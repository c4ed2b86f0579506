"""The filing stage on a real journal with real worker processes; time is turned by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

from allears.filing.routing import to_all
from allears.filing.stage import Filing, Reader
from allears.journal.records import ComplaintFile, Deposit, Destination, Letter, Policy, Router
from allears.workers.pool import Workers
from allears_sdk.complaint import Complaint, Event
from allears_sdk.connector import Accepted, Threading
from allears_sdk.message import MESSAGE_JSON, RFC822, Raw
from allears_sdk.settings import ChannelSettings
from normalizer.conversation import Facts
from tests.journal.desk import Desk
from tests.workers.poison import POISON

JSONL, HOOK = Destination(name="jsonl"), Destination(name="hook")
POLICIES = {
    "mail": Policy(threading=Threading.MAIL),
    "chat": Policy(threading=Threading.CHAT, settle_seconds=15, settle_max_seconds=120, idle_seconds=3600),
    "review": Policy(threading=Threading.ITEM, public=True),
    "desk": Policy(threading=Threading.ITEM),
    "poison": Policy(threading=Threading.ITEM),
}


def reader(channel: str) -> Reader:
    settings = ChannelSettings(connector="poison") if channel == "poison" else None
    return Reader(
        policy=POLICIES[channel], facts=Facts(channel=channel, connector=f"{channel}-kind"), settings=settings
    )


class Office:
    """A journal, and the stage that reads and files what lies in it."""

    def __init__(self, desk: Desk, *, timeout_seconds: float = 20) -> None:
        self.desk = desk
        self.workers = Workers(1, timeout_seconds)
        self.stage = Filing(
            desk.journal, self.workers, desk.clock, {name: reader(name) for name in POLICIES}, to_all([JSONL])
        )
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self.stage.run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    # Hearing

    async def mail(self, key: str, text: str, *, who: str = "lilei@mail.example.cn", **headers: str) -> None:
        message = EmailMessage()
        given = {"From": f"李雷 <{who}>", "To": "kefu@example.com", "Subject": "屏幕碎了", **headers}
        for name, value in given.items():
            message[name.replace("_", "-")] = value
        message["Message-ID"] = f"<{key}@mail.example.cn>"
        message.set_content(text)
        await self.accept("mail", key, message.as_bytes(), RFC822)

    async def answer(self, key: str, to: str, text: str, **headers: str) -> None:
        """A mail in the thread of another."""
        reference = f"<{to}@mail.example.cn>"
        await self.mail(key, text, **{"In_Reply_To": reference, "Subject": "Re: 屏幕碎了", **headers})

    async def say(self, channel: str, key: str, text: str, **facts: Any) -> None:
        thread = facts.pop("thread", "")
        message = {"text": text, "author": {"id": facts.pop("who", "wm-li")}, **facts}
        if thread:
            message["thread"] = [thread]
        body = json.dumps(message, ensure_ascii=False).encode()
        await self.accept(channel, key, body, MESSAGE_JSON, thread=thread if channel == "chat" else "")

    async def poison(self, *bodies: str) -> None:
        raws = [
            Raw(key=f"p-{index}", body=body.encode(), media_type=POISON, received_at=self.desk.clock.now())
            for index, body in enumerate(bodies)
        ]
        await self.deposit("poison", *raws)

    async def accept(self, channel: str, key: str, body: bytes, media_type: str, **facts: Any) -> None:
        raw = Raw(key=key, body=body, media_type=media_type, received_at=self.desk.clock.now())
        await self.deposit(channel, replace(raw, **facts))

    async def deposit(self, channel: str, *raws: Raw) -> Sequence[Accepted]:
        return await self.desk.journal.accept(Deposit(channel=channel, raws=raws, policy=POLICIES[channel]))

    # Waiting

    async def settle(self, seconds: float = 0) -> None:
        """Everything that waits is read, and everything due within this time is filed at its moment."""
        until = self.desk.clock.monotonic() + seconds
        while True:
            await self._rest()
            next_due = self._next_due()
            pause = None if next_due is None else next_due - self.desk.clock.now().timestamp()
            if pause is None or self.desk.clock.monotonic() + pause > until:
                self.desk.clock.advance(until - self.desk.clock.monotonic())
                return
            self.desk.clock.advance(max(pause, 0) + 1e-3)
            self.desk.journal.bells.conversations.set()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(45):
                while self._is_busy():  # noqa: ASYNC110 - what is waited for rings no bell
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError("something waits and nobody takes it") from None

    async def until_filed(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(await self.complaints()) < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)

    def _is_busy(self) -> bool:
        (row,) = self.desk.rows(
            "SELECT (SELECT count(*) FROM raws WHERE state='waiting')"
            " + (SELECT count(*) FROM conversations WHERE due_at <= ?)",
            self.desk.clock.now().timestamp(),
        )
        return bool(row[0])

    def _next_due(self) -> float | None:
        """Of all, also of those somebody still holds: the journal names only what is free."""
        ((at,),) = self.desk.rows("SELECT min(due_at) FROM conversations")
        return None if at is None else float(at)

    # Looking

    async def complaints(self) -> list[ComplaintFile]:
        """In the order they were opened."""
        rows, _ = await self.desk.journal.complaints(limit=1000)
        files = [await self.desk.file(row.id) for row in rows]
        return sorted(files, key=lambda file: (file.events[0].at, file.record.id))

    async def events(self) -> list[Event]:
        """Of the only complaint."""
        (file,) = await self.complaints()
        return list(file.events)

    async def letters(self) -> Sequence[Letter]:
        return await self.desk.letters()

    def deliveries(self) -> list[tuple[str, int]]:
        """(destination, number of the event) in the order they were filed."""
        rows = self.desk.rows(
            "SELECT d.destination, e.sequence FROM deliveries d JOIN events e ON e.id = d.event_id ORDER BY d.id"
        )
        return [(row[0], row[1]) for row in rows]


def route_by(choose: Callable[[Complaint], Sequence[Destination]]) -> Router:
    def router(complaint: Complaint) -> Any:
        return to_all(choose(complaint))(complaint)

    return router


def without(readers: Mapping[str, Reader], name: str) -> dict[str, Reader]:
    return {known: reader for known, reader in readers.items() if known != name}
