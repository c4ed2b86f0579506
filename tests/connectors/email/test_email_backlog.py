"""Big folders on Dovecot: what lies there costs nothing, and what piled up keeps no new mail waiting."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import datetime, timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.journal import MiniJournal, hear
from bench.servers.dovecot import Dovecot
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import COUNT, Mailbox, Meddler, make_mail

pytestmark = pytest.mark.services

OLD = 20_000
OUTAGE = 3_000


@pytest.fixture
def box(dovecot: Dovecot) -> Mailbox:
    """A new user's INBOX."""
    return Mailbox(dovecot, user=f"user{next(COUNT)}@example.com")


@pytest.fixture
def line(dovecot: Dovecot, meddler: Meddler) -> Meddler:
    """To Dovecot, counting what passes."""
    meddler.target_port = dovecot.port
    return meddler


def fill(dovecot: Dovecot, box: Mailbox, texts: list[str], at: list[datetime]) -> None:
    """As a mail server delivers, without asking it; Dovecot takes the file's time for the time of arrival."""
    box.uids()
    folder = dovecot.maildir(box.user) / "new"
    owner = folder.parent.stat()
    for number, (text, when) in enumerate(zip(texts, at, strict=True)):
        path = folder / f"{int(when.timestamp())}.M{number:06}P1.test"
        path.write_bytes(make_mail(text).replace(b"\r\n", b"\n"))
        os.chown(path, owner.st_uid, owner.st_gid)
        os.utime(path, (when.timestamp(), when.timestamp()))


def texts(journal: MiniJournal) -> list[str]:
    return [raw.body.split()[-1].decode() for raw in journal.raws]


async def test_twenty_thousand_old_mails_cost_nothing(
    box: Mailbox, dovecot: Dovecot, line: Meddler, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    now = context.clock.now()
    ages = [now - timedelta(days=400) + timedelta(minutes=number) for number in range(OLD)]
    fill(dovecot, box, ["旧"] * OLD, ages)
    fill(dovecot, box, ["近"] * 3, [now - timedelta(days=1)] * 3)
    connector = await connect(Mailbox(line, user=box.user), timeout_seconds=30)
    await hear(connector, journal)
    assert texts(journal) == ["近"] * 3
    assert line.received < 10_000, "the first run looks back by date, it lists no folder"
    for expected in (0, 1):
        before, asked = line.received, len(line.seen)
        if expected:
            box.put(make_mail("新"))
        await hear(connector, journal)
        assert len(journal.raws) == 3 + expected
        assert line.received - before < 1_000 + 500 * expected
        assert len(line.seen) - asked <= 5, line.seen
    await connector.stop()
    before = line.received
    await hear(await connect(Mailbox(line, user=box.user), timeout_seconds=30), journal)
    assert line.received - before < 2_000, "after a restart neither"


async def test_after_three_days_away_new_mail_does_not_wait_for_the_old(
    box: Mailbox, dovecot: Dovecot, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    connector = await connect(box)
    await hear(connector, journal)
    now = context.clock.now()
    ages = [now - timedelta(hours=72) + timedelta(seconds=80 * number) for number in range(OUTAGE)]
    fill(dovecot, box, [f"旧{number}" for number in range(OUTAGE)], ages)
    (stream,) = await connector.streams()
    arrived = 0
    waited: list[int] = []
    async for batch in connector.poll(stream, journal.cursors[stream], {}, 100):
        journal.accept(stream, batch)
        if len(journal.raws) > 500 * (arrived + 1) and arrived < 4:
            await asyncio.to_thread(box.put, make_mail(f"新{arrived}"))
            arrived += 1
            waited.append(len(journal.raws))
    found = texts(journal)
    assert sorted(found) == sorted([f"旧{number}" for number in range(OUTAGE)] + [f"新{number}" for number in range(4)])
    for number, since in enumerate(waited):
        assert found.index(f"新{number}") - since <= 300, "two pages at most come before it"
    oldest_first = [int(text[1:]) for text in found if re.fullmatch(r"旧\d+", text) and int(text[1:]) < OUTAGE // 3]
    assert oldest_first == sorted(oldest_first)
