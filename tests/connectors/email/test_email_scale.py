"""Many mailboxes at many servers: one that hangs delays no other, and one server is entered by few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from allears.context import Contexts
from allears.journal.sqlite import open_journal
from allears_sdk.connector import Wake
from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.email import EmailConnector
from connectors.email.door import LOGINS, door_of
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import HANG, Mailbox, Meddler, make_mail, until

HUNG = 20


@dataclass
class Silent:
    """A server that takes connections and never says a word."""

    host: str = "127.0.0.1"
    port: int = 0
    password: str = "kefu-Pa55-word"
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read()
        writer.close()


@pytest.fixture
async def contexts(tmp_path: Path) -> AsyncIterator[Contexts]:
    """The daemon's own, with its bounded threads."""
    journal = await open_journal(tmp_path, FakeClock())
    contexts = Contexts(journal, tmp_path, FakeClock())
    yield contexts
    await contexts.close()
    await journal.close()


@pytest.fixture
async def silent() -> AsyncIterator[list[Silent]]:
    async with AsyncExitStack() as stack:
        servers = [Silent() for _ in range(HUNG)]
        for one in servers:
            listening = await asyncio.start_server(one.serve, one.host, 0)
            stack.callback(listening.close)
            one.port = listening.sockets[0].getsockname()[1]
        yield servers


async def test_twenty_hung_servers_delay_no_other(
    mailbox: Mailbox, silent: list[Silent], contexts: Contexts, journal: MiniJournal
) -> None:
    mailbox.put(make_mail("退款"))
    hung = [EmailConnector(Mailbox(one).settings(), contexts.channel(f"hung-{one.port}")) for one in silent]
    tasks = [asyncio.create_task(hear(one, MiniJournal())) for one in hung]
    await until(lambda: all(one.connections for one in silent))
    healthy = EmailConnector(mailbox.settings(), contexts.channel("healthy"))
    await asyncio.wait_for(hear(healthy, journal), 2)
    assert len(journal.raws) == 1
    assert not any(task.done() for task in tasks), "they still wait for their servers"
    for one in (*hung, healthy):
        await one.stop()
    await asyncio.wait(tasks, timeout=5)
    assert all(isinstance(task.exception(), Exception) for task in tasks)


async def test_mailboxes_that_hang_after_their_login_delay_no_other(
    mailbox: Mailbox, meddler: Meddler, contexts: Contexts, journal: MiniJournal
) -> None:
    meddler.refuse(b"SELECT|EXAMINE", HANG)
    box = Mailbox(meddler, folder=mailbox.folder)
    hung = [EmailConnector(box.settings(), contexts.channel(f"hung-{number}")) for number in range(HUNG)]
    tasks = [asyncio.create_task(hear(one, MiniJournal())) for one in hung]
    await until(lambda: sum(b"SELECT" in line for line in meddler.seen) == HUNG)
    mailbox.put(make_mail("退款"))
    healthy = EmailConnector(mailbox.settings(), contexts.channel("healthy"))
    await asyncio.wait_for(hear(healthy, journal), 2)
    assert len(journal.raws) == 1
    for one in (*hung, healthy):
        await one.stop()
    await asyncio.wait(tasks, timeout=5)


async def test_a_server_is_entered_by_few_at_a_time_and_all_get_in(
    mailbox: Mailbox, meddler: Meddler, contexts: Contexts
) -> None:
    meddler.refuse(b"LOGIN", HANG)
    box = Mailbox(meddler, folder=mailbox.folder)
    hung = [EmailConnector(box.settings(), contexts.channel(f"hung-{number}")) for number in range(LOGINS)]
    tasks = [asyncio.create_task(hear(one, MiniJournal())) for one in hung]
    await until(lambda: sum(b"LOGIN" in line for line in meddler.seen) == LOGINS)
    meddler.rules.clear()
    late = EmailConnector(box.settings(), contexts.channel("late"))
    entering = asyncio.create_task(hear(late, MiniJournal()))
    await asyncio.sleep(0.2)
    assert meddler.connections == LOGINS, "the door is full"
    await asyncio.wait_for(entering, 10)  # logins that hang let the next one in after a while
    assert not any(task.done() for task in tasks)
    for one in (*hung, late):
        await one.stop()
    await asyncio.wait(tasks, timeout=5)


async def test_one_door_for_all_mailboxes_at_a_server() -> None:
    assert door_of("IMAP.example.com", 993) is door_of("imap.example.com", 993)
    assert door_of("imap.example.com", 993) is not door_of("imap.example.com", 143)


async def test_a_server_that_tells_is_seldom_asked(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    box = Mailbox(meddler, folder=mailbox.folder)
    connector = await connect(box)
    await hear(connector, journal)
    task = asyncio.create_task(serve(connector, journal))
    await until(lambda: meddler.seen[-1] == b"IDLE")
    asked = len(meddler.seen)
    await hear(connector, journal)
    assert len(meddler.seen) > asked, "it has told of nothing yet: who knows whether it does"
    await until(lambda: meddler.seen[-1] == b"IDLE")
    await asyncio.to_thread(mailbox.put, make_mail("第一封"))
    await until(lambda: len(journal.raws) == 1 and meddler.seen[-1] == b"IDLE")
    asked = len(meddler.seen)
    await asyncio.sleep(0.05)  # the answer to IDLE
    await hear(connector, journal)
    assert len(meddler.seen) == asked
    await asyncio.to_thread(mailbox.put, make_mail("第二封"))
    await until(lambda: len(journal.raws) == 2 and meddler.seen[-1] == b"IDLE")
    asked = len(meddler.seen)
    clock = context.clock
    assert isinstance(clock, FakeClock)
    clock.advance(301)
    await hear(connector, journal)
    assert len(meddler.seen) > asked, "now and then it is asked all the same"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def serve(connector: EmailConnector, journal: MiniJournal) -> None:
    """Listens, and polls when woken, as the core does."""
    async for news in connector.listen():
        assert isinstance(news, Wake)
        await hear(connector, journal)


async def test_a_server_that_says_it_is_still_there_is_left_in_idle(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    await hear(connector, journal)
    task = asyncio.create_task(serve(connector, journal))
    await until(lambda: meddler.seen[-1] == b"IDLE")
    asked = len(meddler.seen)
    for times in (1, 2, 1):
        await asyncio.sleep(0.05)
        meddler.say(b"* OK Still here\r\n" * times)
    await asyncio.sleep(0.2)
    assert len(meddler.seen) == asked
    await asyncio.to_thread(mailbox.put, make_mail("退款"))
    await until(lambda: len(journal.raws) == 1)
    await until(lambda: meddler.seen[-1] == b"IDLE")
    await asyncio.to_thread(mailbox.put, make_mail("再来一封"))
    await until(lambda: len(journal.raws) == 2)
    assert meddler.connections == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
