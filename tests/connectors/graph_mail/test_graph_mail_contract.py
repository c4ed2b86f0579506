"""What every connector promises, by mail over Graph."""

from __future__ import annotations

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from connectors.graph_mail import GraphMailConnector
from tests.connectors.graph_mail.conftest import make_settings
from tests.connectors.graph_mail.graph import NOTIFY_SECRET, NOTIFY_URL, Graph, make_mail

LIMIT = 20_000


class MailContract(ConnectorContract):
    after = "seen"
    move_to = ""

    @pytest.fixture(autouse=True)
    def source(self, graph: Graph) -> None:
        self.graph = graph
        graph.most_per_page = 3

    def make_connector(self, context: Context) -> GraphMailConnector:
        more = {"notification_url": NOTIFY_URL, "notification_secret": NOTIFY_SECRET}
        settings = make_settings(after=self.after, move_to=self.move_to, max_mail_bytes=LIMIT, **more)
        return GraphMailConnector(settings, context)

    async def put(self, text: str) -> None:
        self.graph.put(make_mail(text))

    async def put_bytes(self, text: bytes) -> None:
        self.graph.put(make_mail(text))

    async def put_malformed(self) -> None:
        self.graph.put(b"\xff\xfe: no header at all\r\n\xb2\xbb\xca\xc7")

    async def put_oversize(self) -> None:
        self.graph.put(make_mail("长" * LIMIT))

    async def request(self, text: str) -> Request:
        body = (
            '{"value":[{"id":"lsgTZMr9KwAAA","subscriptionId":"7f105c7d-2dc5-4530-97cd-000000000000",'
            '"subscriptionExpirationDateTime":"2026-11-24T04:00:00.952Z","clientState":"' + NOTIFY_SECRET + '",'
            '"changeType":"created","resource":"Users/e0e4@84bd/Messages/AAkALg0001-immutable=",'
            '"tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95",'
            '"resourceData":{"@odata.type":"#Microsoft.Graph.Message","id":"AAkALg0001-immutable="}}]}'
        )
        return make_request(body.encode())


def make_request(body: bytes, query: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request(
        method="POST",
        path="",
        query=query,
        headers=(("content-type", "application/json; charset=utf-8"),),
        body=body,
        remote_address="52.159.23.209",
        received_at=START,
    )


class TestSeen(MailContract):
    pass


class TestDelete(MailContract):
    after = "delete"


class TestMove(MailContract):
    after = "move"
    move_to = "Filed"


class TestNothing(MailContract):
    after = "nothing"
