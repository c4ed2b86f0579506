"""What every connector promises, by mail, on pymap."""

from __future__ import annotations

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from connectors.email import EmailConnector
from tests.connectors.email.harness import Mailbox, make_mail, make_mail_bytes

LIMIT = 20_000


class MailContract(ConnectorContract):
    after = "seen"

    @pytest.fixture(autouse=True)
    def source(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def make_connector(self, context: Context) -> EmailConnector:
        settings = self.mailbox.settings(after=self.after, max_mail_bytes=LIMIT)
        return EmailConnector(settings, context)

    async def put(self, text: str) -> None:
        self.mailbox.put(make_mail(text))

    async def push(self, text: str) -> None:
        await self.put(text)

    async def put_bytes(self, text: bytes) -> None:
        self.mailbox.put(make_mail_bytes(text))

    async def put_malformed(self) -> None:
        self.mailbox.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.mailbox.put(make_mail("长" * LIMIT))

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")


class TestSeen(MailContract):
    pass


class TestDelete(MailContract):
    after = "delete"


class TestNothing(MailContract):
    after = "nothing"
