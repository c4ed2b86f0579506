"""Links to attachments, and what ticket stores tell, over a real socket."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from allears.attachments import Attachments
from allears.delivery.engine import Engine
from allears.http.beside import Beside
from allears.http.public import PublicServer
from allears.journal.errors import JournalUnavailable
from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Answer, Request
from allears_sdk.message import Attachment
from allears_sdk.sink import Certainty, Hearing, TicketChange, TicketStatus
from allears_sdk.testing import MemorySettings, MemorySink, make_context, memory_sink
from tests.http.test_public_room import House
from tests.journal.desk import Desk, mail

PHOTO = b"\xff\xd8\xff\xe0 jpeg of a broken screen"
SHA256 = hashlib.sha256(PHOTO).hexdigest()
SECRET = "told-by-nobody-else"


class Telling(MemorySink):
    """Takes `{"ticket": …}` with the secret in a header."""

    spec = memory_sink(Certainty.A, Certainty.A, tells=True).spec

    def hear(self, request: Request) -> Hearing:
        if request.header("X-Secret") != SECRET:
            return Hearing(refused="wrong secret")
        if request.body == b"crash":
            raise KeyError("ticket")
        at = self.context.clock.now()
        change = TicketChange(ticket=request.body.decode(), at=at, status=TicketStatus.SOLVED)
        return Hearing(changes=[change], answer=Answer(status=204))


class Room:
    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.base = "https://ears.shop.example"
        self.engine = Engine(desk.journal, desk.clock)
        self.folder = folder
        self.journal: Any = desk.journal

    def attachments(self, key: bytes = b"k" * 32) -> Attachments:
        return Attachments(self.desk.journal, lambda: self, base_url=self.base, key=key)

    def parse(self, name: str, raw: object) -> Sequence[Any]:
        raise KeyError(name)

    @asynccontextmanager
    async def open(self, **settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
        context = make_context("desk", self.folder, clock=self.desk.clock)
        sinks = {"desk": Telling(context), "客服": Telling(context), "mute": MemorySink(context)}
        quiet = MemorySettings(sink="memory", enabled=False)
        await self.engine.apply({name: (sink, quiet) for name, sink in sinks.items()})
        beside = Beside(self.attachments(), self.engine, self.journal, self.desk.clock)
        server = PublicServer(House(), self.desk.clock, beside=beside, **settings)
        await server.start()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
                yield session
        finally:
            await server.stop()
            await self.engine.stop(1)


@pytest.fixture
def room(desk: Desk, tmp_path: Path) -> Room:
    return Room(desk, tmp_path)


async def photo(room: Room) -> tuple[str, AttachedFile]:
    """A complaint with one picture, filed."""
    attached = Attachment(name="碎屏 照片.jpg", media_type="image/jpeg", content=PHOTO, sha256=SHA256, size=len(PHOTO))
    reference = await room.desk.hear("mail", "li-0", mail("li-0", attachments=(attached,)))
    file = await room.desk.journal.complaint(reference)
    assert file is not None
    kept = file.messages[0].message.attachments[0]
    return reference, AttachedFile(name=kept.name, media_type=kept.media_type, size=kept.size, sha256=kept.sha256)


async def test_a_link_opens_its_file_until_it_expires(room: Room) -> None:
    reference, file = await photo(room)
    link = room.attachments().link(reference, file, room.desk.clock.now() + timedelta(days=30))
    assert link.startswith(room.base + "/files/")
    assert link == room.attachments().link(reference, file, room.desk.clock.now() + timedelta(days=30)), "pure"
    async with room.open() as session, session.get(link.removeprefix(room.base)) as answer:
        assert (answer.status, await answer.read()) == (200, PHOTO)
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    room.desk.clock.advance(31 * 86_400)
    async with room.open() as session, session.get(link.removeprefix(room.base)) as answer:
        assert (answer.status, await answer.read()) == (404, b"")


@pytest.mark.parametrize("key", [b"k" * 32, b"x" * 32])
async def test_links_of_others_open_nothing(room: Room, key: bytes) -> None:
    reference, file = await photo(room)
    link = room.attachments(key).link(reference, file, room.desk.clock.now() + timedelta(days=1))
    path = link.removeprefix(room.base)
    forged = [path] if key != b"k" * 32 else [
        path.replace("until=", "until=9"),
        path.replace(file.sha256[:4], "0000"),
        path.replace(reference, "ALE-7K3M-Q9TX-4RWD"),
        path.partition("?")[0],
        "/files/",
        path.replace("sign=", "sign=é"),
    ]  # fmt: skip
    async with room.open() as session:
        for one in forged:
            async with session.get(one) as answer:
                assert answer.status == 404, one


async def test_a_forgotten_customer_s_file_is_gone_though_the_link_is_good(room: Room) -> None:
    reference, file = await photo(room)
    link = room.attachments().link(reference, file, room.desk.clock.now() + timedelta(days=1))
    lost = AttachedFile(name=file.name, media_type=file.media_type, size=file.size, sha256="0" * 64)
    other = room.attachments().link(reference, lost, room.desk.clock.now() + timedelta(days=1))
    async with room.open() as session:
        async with session.get(other.removeprefix(room.base)) as answer:
            assert answer.status == 404
        async with session.get(link.removeprefix(room.base)) as answer:
            assert answer.status == 200


def test_without_a_public_address_there_are_no_links(room: Room) -> None:
    room.base = ""
    file = AttachedFile(name="a", media_type="image/jpeg", size=1, sha256="9f" * 32)
    assert room.attachments().link("ALE-7K3M-Q9TX-4RWD", file, room.desk.clock.now()) == ""


@pytest.mark.parametrize(
    ("path", "secret", "body", "status"),
    [
        ("/back/desk", SECRET, b"4711", 204),
        ("/back/%E5%AE%A2%E6%9C%8D", SECRET, b"4711", 204),
        ("/back/desk", "guessed", b"4711", 403),
        ("/back/desk", SECRET, b"crash", 400),
        ("/back/mute", SECRET, b"4711", 404),
        ("/back/nobody", SECRET, b"4711", 404),
        ("/back/", SECRET, b"4711", 404),
        ("/back/desk", SECRET, b"x" * (2 << 20), 413),
    ],
)
async def test_what_a_store_tells_is_answered_as_its_sink_says(
    room: Room, path: str, secret: str, body: bytes, status: int
) -> None:
    async with room.open() as session, session.post(path, data=BytesIO(body), headers={"X-Secret": secret}) as answer:
        assert answer.status == status


async def test_only_refused_tellings_count_against_their_sender(room: Room) -> None:
    async with room.open(rate_limit_per_minute=2) as session:

        async def statuses(secret: str, count: int) -> list[int]:
            found = []
            for _ in range(count):
                async with session.post("/back/desk", data=b"1", headers={"X-Secret": secret}) as answer:
                    found.append(answer.status)
            return found

        assert set(await statuses(SECRET, 20)) == {204}
        assert (await statuses("guessed", 5))[-1] == 429
        assert set(await statuses(SECRET, 3)) == {204}


async def test_a_journal_that_is_down_asks_the_store_to_come_back(room: Room) -> None:
    class Down:
        async def note_tickets(self, destination: str, changes: object) -> int:
            raise JournalUnavailable("the disk is full")

    room.journal = Down()
    headers = {"X-Secret": SECRET}
    async with room.open() as session, session.post("/back/desk", data=b"4711", headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
