"""The same connector on Dovecot: encryption, IDLE, a folder whose UIDs become void, limits, thousands of mails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from allears_sdk.connector import Wake
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal, hear
from bench.servers.certificate import make_certificate
from bench.servers.dovecot import Dovecot, Knobs
from connectors._mail.raw import header_block
from connectors.email import EmailConnector
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import COUNT, Mailbox, make_mail, make_mail_bytes, until

pytestmark = pytest.mark.services


@pytest.fixture
def box(dovecot: Dovecot) -> Mailbox:
    """A new user's INBOX."""
    return Mailbox(dovecot, user=f"user{next(COUNT)}@example.com")


class TestOnDovecot(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, box: Mailbox) -> None:
        self.mailbox = box

    def make_connector(self, context: Context) -> EmailConnector:
        return EmailConnector(self.mailbox.settings(max_mail_bytes=20_000), context)

    async def put(self, text: str) -> None:
        self.mailbox.put(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        self.mailbox.put(make_mail_bytes(text))

    async def put_malformed(self) -> None:
        self.mailbox.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.mailbox.put(make_mail("长" * 20_000))

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_encrypted_with_a_checked_certificate(
    box: Mailbox, dovecot: Dovecot, connect: Connect, journal: MiniJournal, tls: str
) -> None:
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    box.put(make_mail("1"))
    connector = await connect(box, tls=tls, port=port, ca_file=dovecot.knobs.certificate)
    await hear(connector, journal)
    assert len(journal.raws) == 1
    task = asyncio.create_task(listen(connector, journal))
    await asyncio.sleep(0.1)
    box.put(make_mail("2"))
    await until(lambda: len(journal.raws) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    stranger = await connect(box, tls=tls, port=port)
    with pytest.raises(Unavailable, match="does not verify"):
        await stranger.check()


async def test_starttls_is_not_skipped_where_it_is_missing(
    connect: Connect, tmp_path: Path, journal: MiniJournal
) -> None:
    with Dovecot() as server:
        connector = await connect(Mailbox(server), tls="starttls")
        with pytest.raises(ConfigError, match="STARTTLS"):
            await hear(connector, journal)


async def test_a_password_beyond_ascii(connect: Connect, tmp_path: Path, journal: MiniJournal) -> None:
    with Dovecot(Knobs(password="口令-7")) as server:
        await hear(await connect(Mailbox(server)), journal)
        with pytest.raises(AuthError):
            await hear(await connect(Mailbox(server), password="口令-8"), journal)


async def test_a_limit_on_connections_is_respected(connect: Connect, tmp_path: Path, journal: MiniJournal) -> None:
    with Dovecot(Knobs(connections=1)) as server:
        box = Mailbox(server)
        first = await connect(box)
        await hear(first, journal)
        with pytest.raises(RetryLater):
            await hear(await connect(box), journal)
        await first.stop()


async def test_idle_and_uids_that_become_void(
    box: Mailbox, dovecot: Dovecot, connect: Connect, journal: MiniJournal
) -> None:
    mails = [make_mail(str(number)) for number in range(20)]
    box.put(*mails)
    await hear(await connect(box, folders=("INBOX",)), journal)
    (dovecot.maildir(box.user) / "dovecot-uidlist").unlink()
    for index in dovecot.maildir(box.user).glob("dovecot.index*"):
        index.unlink()
    box.put(make_mail("new"))
    before = next(iter(journal.cursors.values()))["uidvalidity"]
    await hear(await connect(box), journal)
    assert next(iter(journal.cursors.values()))["uidvalidity"] != before
    assert len(journal.raws) == 21


@pytest.mark.parametrize(
    "mail",
    [
        b"\r\nno header\r\n",
        b"Subject: no end of header\r\nnot a field\r\n",
        b"Subject: x\r\nnot a field\r\nSubject: y\r\n\r\nbody\r\n\r\nmore",
        b"Subject: \xcd\xcb\xbf\xee\r\n\r\n",
        make_mail("usual"),
    ],
)
async def test_the_key_is_that_of_the_listed_header(box: Mailbox, mail: bytes) -> None:
    box.put(mail)
    with box.client() as client:
        (facts,) = client.fetch("1", ["BODY.PEEK[HEADER]", "BODY.PEEK[]"]).values()
    assert header_block(facts[b"BODY[]"]) == facts[b"BODY[HEADER]"]


@pytest.mark.parametrize("after", ["seen", "delete"])
async def test_two_thousand_mails_none_lost_none_doubled(
    box: Mailbox, connect: Connect, journal: MiniJournal, after: str
) -> None:
    with box.client() as client:
        for start in range(0, 2000, 200):
            client.multiappend("INBOX", [make_mail(str(number)) for number in range(start, start + 200)])
    connector = await connect(box, after=after)
    await hear(connector, journal, limit=100)
    texts = [raw.body.rpartition(b"\r\n\r\n")[2].strip().decode() for raw in journal.raws]
    assert sorted(map(int, texts)) == list(range(2000))
    assert len(box.uids("SEEN")) == (2000 if after == "seen" else 0)
    assert len(box.uids()) == (2000 if after == "seen" else 0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot) -> Iterator[Dovecot]:
    """Without UIDPLUS, MOVE and IDLE. Depends on `dovecot` for the skip where it is not installed."""
    folder = tmp_path_factory.mktemp("small")
    knobs = Knobs(capability="IMAP4rev1 LITERAL+ ID UNSELECT", certificate=make_certificate(folder))
    with Dovecot(knobs) as server:
        yield server


async def test_a_server_that_can_do_little(small: Dovecot, connect: Connect, journal: MiniJournal) -> None:
    box = Mailbox(small, user=f"user{next(COUNT)}@example.com")
    box.put(make_mail("1"))
    with pytest.raises(ConfigError, match="UIDPLUS"):
        await hear(await connect(box, after="delete"), journal)
    connector = await connect(box)
    assert "no IDLE: heard by polling" in (await connector.check()).details
    await hear(connector, journal)
    box.put(make_mail("2"))
    await hear(connector, journal)
    assert len(journal.raws) == 2


async def listen(connector: EmailConnector, journal: MiniJournal) -> None:
    async for item in connector.listen():
        assert isinstance(item, Wake)
        await hear(connector, journal)
