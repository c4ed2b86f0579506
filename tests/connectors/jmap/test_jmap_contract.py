"""What every connector promises, by mail over JMAP: on a small server of our own, and on Cyrus."""

from __future__ import annotations

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from connectors.jmap import JmapConnector, JmapSettings
from tests.connectors.jmap.cyrus import Cyrus
from tests.connectors.jmap.server import COUNT, TOKEN, JmapServer, make_mail, make_mail_bytes

LIMIT = 20_000


class JmapContract(ConnectorContract):
    after = "seen"

    @pytest.fixture(autouse=True)
    def source(self, server: JmapServer) -> None:
        self.server = server

    def make_connector(self, context: Context) -> JmapConnector:
        more = {"move_to": "archive"} if self.after == "move" else {}
        settings = self.server.settings(after=self.after, max_mail_bytes=LIMIT, token=TOKEN, **more)
        return JmapConnector(settings, context)

    async def deliver(self, mail: bytes) -> None:
        self.server.put(mail)

    async def put(self, text: str) -> None:
        await self.deliver(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        await self.deliver(make_mail_bytes(text))

    async def put_malformed(self) -> None:
        await self.deliver(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        await self.deliver(make_mail("长" * LIMIT))

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")


class TestSeen(JmapContract):
    pass


class TestNothing(JmapContract):
    after = "nothing"


class TestMove(JmapContract):
    after = "move"


class TestDelete(JmapContract):
    after = "delete"


@pytest.mark.services
class TestOnCyrus(JmapContract):
    @pytest.fixture(autouse=True)
    def source_on_cyrus(self, cyrus: Cyrus) -> None:
        self.cyrus = cyrus
        self.user = f"kefu{next(COUNT)}"
        cyrus.add_user(self.user, "Archive")

    def make_connector(self, context: Context) -> JmapConnector:
        more = {"after": "move", "move_to": "Archive"} if self.after == "move" else {"after": self.after}
        login = {"username": self.user, "password": self.cyrus.password}
        settings = {"url": self.cyrus.url, "max_mail_bytes": LIMIT, "timeout_seconds": 5, **login, **more}
        return JmapConnector(JmapSettings.model_validate(settings), context)

    async def deliver(self, mail: bytes) -> None:
        with self.cyrus.client(self.user) as client:
            client.append("INBOX", mail)

    async def put_malformed(self) -> None:
        await self.deliver(b"Subject: \xb2\xbb\xca\xc7\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n\xff\xfe\r\n")


@pytest.mark.services
class TestMoveOnCyrus(TestOnCyrus):
    after = "move"


@pytest.mark.services
class TestDeleteOnCyrus(TestOnCyrus):
    after = "delete"
