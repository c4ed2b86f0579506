"""The same connector on Dovecot: encryption, its lock, deletion that counts only at QUIT, thousands of mails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import Died, MiniJournal, hear
from bench.servers.certificate import make_certificate
from bench.servers.dovecot import Dovecot, Knobs
from bench.servers.mailbox import Mailbox
from connectors.pop3 import Pop3Connector, Pop3Settings
from tests.connectors.pop3.maildrop import COUNT, make_mail, make_mail_bytes

pytestmark = pytest.mark.services


@pytest.fixture(scope="session")
def pop3_dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    if Dovecot.program() is None or not Dovecot.has_pop3():
        if os.environ.get("CI") == "true":
            pytest.fail("CI must provide Dovecot's POP3 server (apt: dovecot-pop3d)")
        pytest.skip("needs Dovecot's POP3 server (apt: dovecot-pop3d)")
    folder = tmp_path_factory.mktemp("dovecot")
    with Dovecot(Knobs(pop3=True, certificate=make_certificate(folder))) as server:
        yield server


class Account:
    """A new user's INBOX: filled over IMAP, read over POP3."""

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.host, self.port, self.password = server.host, server.port, server.password
        self.user = f"pop{next(COUNT)}@example.com"

    def put(self, *mails: bytes) -> None:
        box = Mailbox(self)
        for mail in mails:
            box.append(mail)
        box.close()

    def count(self) -> int:
        files = [*self.server.maildir(self.user).glob("new/*"), *self.server.maildir(self.user).glob("cur/*")]
        return len(files)

    def settings(self, **more: Any) -> Pop3Settings:
        fields: dict[str, Any] = {"host": self.host, "port": self.server.pop3_port, "tls": "none"}
        fields |= {"username": self.user, "password": self.password, "timeout_seconds": 5}
        return Pop3Settings.model_validate(fields | more)


@pytest.fixture
def account(pop3_dovecot: Dovecot) -> Account:
    return Account(pop3_dovecot)


class TestOnDovecotPop3(ConnectorContract):
    after = "nothing"

    @pytest.fixture(autouse=True)
    def source(self, account: Account) -> None:
        self.account = account

    def make_connector(self, context: Context) -> Pop3Connector:
        return Pop3Connector(self.account.settings(after=self.after, max_mail_bytes=20_000), context)

    async def put(self, text: str) -> None:
        self.account.put(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        self.account.put(make_mail_bytes(text))

    async def put_malformed(self) -> None:
        self.account.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.account.put(make_mail("长" * 20_000))

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")


class TestDeletingOnDovecotPop3(TestOnDovecotPop3):
    after = "delete"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_pop3_encrypted_with_a_checked_certificate(
    account: Account, context: Context, journal: MiniJournal, tls: str
) -> None:
    account.put(make_mail("密"))
    server = account.server
    port = server.pop3_tls_port if tls == "implicit" else server.pop3_port
    given = {"tls": tls, "port": port}
    connector = Pop3Connector(account.settings(**given, ca_file=server.knobs.certificate), context)
    await hear(connector, journal)
    assert len(journal.raws) == 1
    with pytest.raises(Unavailable, match="does not verify"):
        await hear(Pop3Connector(account.settings(**given), context), journal)


async def test_pop3_wrong_password(account: Account, context: Context, journal: MiniJournal) -> None:
    with pytest.raises(AuthError, match="refused the login"):
        await hear(Pop3Connector(account.settings(password="wrong"), context), journal)


async def test_pop3_check(account: Account, context: Context) -> None:
    account.put(make_mail("1"))
    identity = await Pop3Connector(account.settings(), context).check()
    assert identity.details[0].startswith("1 mails")
    assert any("UIDL" in detail for detail in identity.details)


@pytest.mark.parametrize("is_stored", [False, True])
async def test_pop3_killed_before_quit(
    account: Account, context: Context, journal: MiniJournal, is_stored: bool
) -> None:
    account.put(*(make_mail(str(number)) for number in range(4)))
    connector = Pop3Connector(account.settings(after="delete"), context)
    with pytest.raises(Died):
        await hear(connector, journal, limit=2, die_at=1, is_stored=is_stored)
    await connector.stop()
    assert account.count() == 4, "the first page was marked, but there was no QUIT"
    await hear(Pop3Connector(account.settings(after="delete"), context), journal)
    assert account.count() == 0
    assert len(journal.raws) == 4


async def test_pop3_thousands_of_mails(account: Account, context: Context, journal: MiniJournal) -> None:
    account.put(make_mail("0"))
    folder: Path = account.server.maildir(account.user) / "cur"
    for number in range(3000):
        file = folder / f"17953{number:05}.M{number}P1.host:2,S"
        file.write_bytes(make_mail(str(number + 1)))
        os.chown(file, folder.stat().st_uid, folder.stat().st_gid)
    connector = Pop3Connector(account.settings(), context)
    await hear(connector, journal, limit=100)
    assert len(journal.raws) == 3001
    await hear(connector, journal)
    account.put(make_mail("新"))
    await hear(connector, journal)
    assert len(journal.raws) == 3002
