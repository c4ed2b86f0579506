"""A journal with everything around it in small: what a worker would read, what a courier would say."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from allears.journal.journal import Journal
from allears.journal.records import (
    ComplaintFile,
    DeliveryState,
    Deposit,
    Destination,
    DueConversation,
    DueDelivery,
    Frozen,
    Letter,
    Outcome,
    Policy,
    Reading,
    Route,
    StoredRaw,
)
from allears.journal.sqlite import open_journal
from allears_sdk import codec
from allears_sdk.complaint import AttachedFile, Complaint, Said
from allears_sdk.connector import Accepted, Threading
from allears_sdk.message import MESSAGE_JSON, Attachment, Author, Message, Raw
from allears_sdk.sink import Ticket
from allears_sdk.testing import FakeClock
from normalizer.conversation import Draft, Heard

FILE = "journal.sqlite3"
MAIL = Policy(threading=Threading.MAIL)
REVIEW = Policy(threading=Threading.ITEM, public=True)
CHAT = Policy(threading=Threading.CHAT, settle_seconds=15, settle_max_seconds=120, idle_seconds=3600)
POLICIES = {"mail": MAIL, "review": REVIEW, "chat": CHAT}
DESTINATIONS = ("jsonl", "hook")
LI, AMY = "li.lei@mail.example.cn", "amy@example.com"
PRAISE = "谢谢, thank you"


def router(record: Complaint) -> Route:
    named = [Destination(name=name) for name in DESTINATIONS]
    return Route(destinations=(*named, Destination(name="list", is_view=True)))


def draft(heard: Sequence[Heard], reference: str = "") -> Draft:
    """What a worker would make of a conversation: everything but thanks deserves filing."""
    words = [one.message.text for one in heard]
    record = Complaint(
        id=reference,
        title=words[0][:40],
        nature="praise" if words == [PRAISE] else "complaint",
        received_at=heard[0].received_at,
        description="\n".join(words),
        priority="P1" if any("着火" in text or "fire" in text for text in words) else "P3",
        conversation=tuple(_said(one) for one in heard),
        attachments=tuple(_attached(one.message, file) for one in heard for file in one.message.attachments),
    )
    return Draft(record=record, files=any(text != PRAISE for text in words))


def _said(heard: Heard) -> Said:
    message, author = heard.message, heard.message.author
    return Said(
        id=message.external_id, role=author.role, author=author.id, at=heard.received_at, text=message.text,
        kind=message.kind.value,
    )  # fmt: skip


def _attached(message: Message, file: Attachment) -> AttachedFile:
    return AttachedFile(
        name=file.name, media_type=file.media_type, size=file.size or 0, sha256=file.sha256, skipped=file.skipped,
        pending=file.is_pending, message=message.external_id,
    )  # fmt: skip


def mail(
    key: str, who: str = LI, *, subject: str = "屏幕碎了", thread: tuple[str, ...] = (), text: str = "", **facts: Any
) -> Message:
    """A mail as its reader hands it over: Message-ID `<key@mail>`, known apart by what it says."""
    return Message(
        external_id=f"{key}~digest", known_as=(f"<{key}@mail>",), thread=tuple(f"<{one}@mail>" for one in thread),
        author=Author(id=who, email=who), subject=subject, text=text or f"屏幕碎了，要求退款 {key}", **facts,
    )  # fmt: skip


def said(text: str, who: str = "wm-li", *, thread: str = "", **facts: Any) -> Message:
    """A chat message or a review."""
    return Message(text=text, author=Author(id=who), thread=(thread,) if thread else (), **facts)


class Desk:
    """The journal of one data folder, and short ways to do what the stages do."""

    def __init__(self, journal: Journal, folder: Path, clock: FakeClock) -> None:
        self.journal = journal
        self.folder = folder
        self.clock = clock
        self.broken: list[str] = []

    @classmethod
    async def open(cls, folder: Path, clock: FakeClock | None = None, *, exclusive: bool = True) -> Desk:
        clock = clock or FakeClock()
        broken: list[str] = []
        journal = await open_journal(folder, clock, exclusive=exclusive, on_broken=broken.append)
        desk = cls(journal, folder, clock)
        desk.broken = broken
        return desk

    async def close(self) -> None:
        await self.journal.close()

    async def reopen(self) -> None:
        """As after a crash: what was leased is not given back."""
        await self.close()
        self.journal = (await Desk.open(self.folder, self.clock)).journal

    # Accepting

    def raw(self, key: str, message: Message | None = None, **facts: Any) -> Raw:
        body = codec.encode(message or said(f"耳机左边没有声音 / no sound {key}"))
        return replace(
            Raw(key=key, body=body, media_type=MESSAGE_JSON, received_at=self.clock.now()),
            **facts,
        )

    async def accept(self, channel: str, *raws: Raw, **facts: Any) -> Sequence[Accepted]:
        policy = POLICIES.get(channel, REVIEW)
        return await self.journal.accept(Deposit(channel=channel, raws=raws, policy=policy, **facts))

    # Parsing, joining, filing

    async def take(self, *channels: str, limit: int = 1000, max_bytes: int = 8 << 20) -> Sequence[StoredRaw]:
        return await self.journal.take_raws(limit, max_bytes, channels or tuple(POLICIES))

    def reading(self, stored: StoredRaw, *messages: Message) -> Reading:
        """What a worker makes of it: its body is one message, unless the test says otherwise."""
        read = messages or (codec.decode(stored.raw.body, Message),)
        alone = draft([Heard(message=read[0], received_at=stored.raw.received_at)]) if len(read) == 1 else None
        return Reading(raw_id=stored.id, messages=read, draft=alone)

    async def join(self, readings: Sequence[Reading], policies: Mapping[str, Policy] = POLICIES) -> None:
        await self.journal.join(readings, policies, router)

    async def read_waiting(self) -> None:
        await self.join([self.reading(stored) for stored in await self.take()])

    async def file_due(self) -> int:
        """Derive and file what is due now; how many conversations."""
        due = await self.journal.due_conversations(self.clock.now(), 1000)
        for one in due:
            await self.file_one(one)
        return len(due)

    async def file_one(self, due: DueConversation) -> bool:
        settles = POLICIES.get(due.channel, REVIEW).threading is Threading.CHAT
        return await self.journal.file(due, draft(due.messages, due.reference), router, settles=settles)

    async def settle(self) -> None:
        """Read and file everything, whatever it waits for."""
        await self.read_waiting()
        while (at := await self.journal.next_due()) is not None:
            if at > self.clock.now():
                self.clock.advance(at - self.clock.now())
            assert await self.file_due()

    async def hear(self, channel: str, key: str, message: Message, **facts: Any) -> str:
        """Take one message all the way to its complaint; its reference, "" when it was not filed."""
        await self.accept(channel, self.raw(key, message, **facts))
        await self.settle()
        return self.reference_of(channel, message.external_id or key)

    # Delivering

    async def due(self, destination: str = "jsonl", limit: int = 1000) -> Sequence[DueDelivery]:
        return await self.journal.due_deliveries(destination, self.clock.now(), limit)

    async def freeze(self, *due: DueDelivery, wait_seconds: float = 60) -> None:
        deadline = self.clock.now() + timedelta(seconds=30)
        at = deadline + timedelta(seconds=wait_seconds)
        await self.journal.freeze(
            [
                Frozen(delivery=one.id, payload=one.payload or one.event.id.encode(), deadline=deadline, resolve_at=at)
                for one in due
            ]
        )

    async def sent(self, *due: DueDelivery, destination: str = "jsonl") -> None:
        await self.journal.note_outcomes(destination, [self.outcome(one, DeliveryState.SENT) for one in due])

    def outcome(self, due: DueDelivery, state: DeliveryState, **facts: Any) -> Outcome:
        if state is DeliveryState.SENT and due.ticket is None:
            facts.setdefault("ticket", Ticket(id=due.key))
        if state in (DeliveryState.PENDING, DeliveryState.DOUBT):
            facts.setdefault("at", self.clock.now())
        return Outcome(delivery=due.id, state=state, **facts)

    async def send_all(self, destination: str = "jsonl") -> list[str]:
        """Deliver everything that is due; the events' ids, in order."""
        done: list[str] = []
        while due := await self.due(destination):
            await self.freeze(*due)
            await self.sent(*due, destination=destination)
            done.extend(one.event.id for one in due)
        return done

    async def open_deliveries(self) -> int:
        done = (DeliveryState.SENT, DeliveryState.DISCARDED)
        return sum(row.state not in done for row in await self.journal.deliveries(limit=10_000))

    async def letters(self, state: str = "open") -> Sequence[Letter]:
        return await self.journal.letters(state=state)

    async def events(self, reference: str) -> list[tuple[str, ...]]:
        """The messages of each event of a complaint."""
        return [event.messages for event in (await self.file(reference)).events]

    async def file(self, reference: str) -> ComplaintFile:
        found = await self.journal.complaint(reference)
        assert found is not None, f"there is no complaint {reference}"
        return found

    # Looking at the tables, where the interface does not show them

    def rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.folder / FILE)) as sql:
            return sql.execute(query, values).fetchall()

    def blobs(self) -> list[Path]:
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]

    def reference_of(self, channel: str, external_id: str) -> str:
        """The reference of the conversation a message is in."""
        found = self.rows(
            "SELECT c.reference FROM messages m JOIN conversations c ON c.id = m.conversation_id"
            " WHERE m.channel=? AND m.external_id=?",
            channel,
            external_id,
        )
        references = {str(row[0]) for row in found}
        assert len(references) == 1, f"{external_id} is in {references or 'no conversation'}"
        return references.pop()

    def related(self, reference: str) -> list[str]:
        (row,) = self.rows("SELECT related FROM conversations WHERE reference=?", reference)
        return codec.decode(row[0], list[str])


def body_file(stored: StoredRaw) -> Path:
    return Path(stored.body_file)
