"""A server that takes few connections: mailboxes take turns, none is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from allears_sdk.connector import Wake
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.email import EmailConnector
from connectors.email.slots import Slots, slots_of
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import COUNT, Mailbox, Meddler, make_mail, until


class Somebody:
    """Gives way when `idle`, and then at once."""

    def __init__(self, slots: Slots, *, idle: bool = True) -> None:
        self.slots = slots
        self.idle = idle

    def give_way(self) -> bool:
        if self.idle:
            self.slots.give_back(self)
        return self.idle


def granted(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_polls_takes_the_place_of_who_has_idled_longest() -> None:
    slots = Slots()
    people = [Somebody(slots) for _ in range(3)]
    for one in people:
        await slots.take(one, 2)
    assert slots._held == {people[1]: None, people[2]: None}
    await slots.take(people[2], 2)
    assert slots._held == {people[1]: None, people[2]: None}, "who has a place asks for no other"


async def test_idle_waits_until_there_is_room_and_after_those_who_poll() -> None:
    slots = Slots()
    busy, idler, poller = (Somebody(slots, idle=False) for _ in range(3))
    await slots.take(busy, 1)
    idling = asyncio.create_task(slots.take(idler, 1, patient=True))
    await settle()
    assert not slots.wanted
    polling = asyncio.create_task(slots.take(poller, 1))
    await settle()
    assert slots.wanted
    slots.give_back(busy)
    await settle()
    assert (granted(polling), granted(idling)) == (True, False)
    slots.give_back(poller)
    await settle()
    assert granted(idling)


async def test_a_poll_of_the_same_mailbox_ends_its_patience() -> None:
    slots = Slots()
    busy, mailbox = Somebody(slots, idle=False), Somebody(slots, idle=False)
    await slots.take(busy, 1)
    idling = asyncio.create_task(slots.take(mailbox, 1, patient=True))
    await settle()
    busy.idle = True
    await slots.take(mailbox, 1)
    await settle()
    assert granted(idling)


@pytest.mark.parametrize("patient", [True, False])
async def test_who_no_longer_waits_keeps_nobody_out(patient: bool) -> None:
    slots = Slots()
    busy, gone, last = (Somebody(slots, idle=False) for _ in range(3))
    await slots.take(busy, 1)
    early = asyncio.create_task(slots.take(gone, 1, patient=patient))
    await settle()
    slots.give_back(busy)
    early.cancel()  # in the same turn of the loop in which it was granted
    await settle()
    await asyncio.wait_for(slots.take(last, 1), 1)


async def test_one_for_all_mailboxes_at_a_server() -> None:
    assert slots_of("IMAP.example.com", 993) is slots_of("imap.example.com", 993)
    assert slots_of("imap.example.com", 993) is not slots_of("imap.example.com", 143)


async def test_three_mailboxes_over_two_connections(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    boxes = [Mailbox(meddler, folder=f"{mailbox.folder}-{next(COUNT)}") for _ in range(3)]
    own = [Mailbox(mailbox.server, folder=box.folder) for box in boxes]
    for box in own:
        box.create()
    connectors = [await connect(box, max_connections=2) for box in boxes]
    tasks = [asyncio.create_task(serve(one, journal)) for one in connectors]
    for number in range(4):
        for box in own:
            await asyncio.to_thread(box.put, make_mail(f"第{number}封"))
        for one in connectors:  # their schedules
            await asyncio.wait_for(hear(one, journal), 10)
        await until(lambda stored=number: len(journal.raws) == 3 * (stored + 1))  # type: ignore[misc]  # bound now
    assert meddler.peak <= 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(connector: EmailConnector, journal: MiniJournal) -> None:
    """Listens, and polls when woken, as the core does."""
    async for news in connector.listen():
        assert isinstance(news, Wake)
        await hear(connector, journal)


async def test_a_mailbox_that_is_removed_leaves_its_place(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    box = Mailbox(meddler, folder=mailbox.folder)
    first, second = await connect(box, max_connections=1), await connect(box, max_connections=1)
    await hear(first, journal)
    task = asyncio.create_task(serve(first, journal))
    await until(lambda: b"IDLE" in meddler.seen)
    await first.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(hear(second, journal), 10)
    assert meddler.peak == 1


async def test_idle_is_heard_at_once_while_there_is_room(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), max_connections=1)
    await hear(connector, journal)
    task = asyncio.create_task(serve(connector, journal))
    await until(lambda: b"IDLE" in meddler.seen)
    await asyncio.to_thread(mailbox.put, make_mail("刚到"))
    await until(lambda: len(journal.raws) == 1)
    assert meddler.connections == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
