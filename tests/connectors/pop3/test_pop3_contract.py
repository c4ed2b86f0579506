"""What every connector promises, by mail over POP3."""

from __future__ import annotations

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from connectors.pop3 import Pop3Connector
from tests.connectors.pop3.maildrop import Maildrop, make_mail, make_mail_bytes

LIMIT = 20_000


class Pop3Contract(ConnectorContract):
    after = "nothing"

    @pytest.fixture(autouse=True)
    def source(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop

    def make_connector(self, context: Context) -> Pop3Connector:
        return Pop3Connector(self.maildrop.settings(after=self.after, max_mail_bytes=LIMIT), context)

    async def put(self, text: str) -> None:
        self.maildrop.put(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        self.maildrop.put(make_mail_bytes(text))

    async def put_malformed(self) -> None:
        self.maildrop.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.maildrop.put(make_mail("长" * LIMIT))

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")


class TestNothing(Pop3Contract):
    pass


class TestDelete(Pop3Contract):
    after = "delete"


class TestWithoutUidl(Pop3Contract):
    @pytest.fixture(autouse=True)
    def poor(self, maildrop: Maildrop) -> None:
        maildrop.on(b"^UIDL", b"-ERR unknown command")
        maildrop.capabilities.remove("UIDL")


class TestWithoutUidlAndTop(Pop3Contract):
    after = "delete"

    @pytest.fixture(autouse=True)
    def poorest(self, maildrop: Maildrop) -> None:
        maildrop.on(b"^(UIDL|TOP|CAPA)", b"-ERR unknown command")
