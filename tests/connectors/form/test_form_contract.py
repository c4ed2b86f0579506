"""The form keeps every connector's promises, once as page and once as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from allears_sdk.codec import encode
from allears_sdk.connector import Connector, Request
from allears_sdk.context import Context
from allears_sdk.message import MESSAGE_JSON
from allears_sdk.testing.clock import START
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.form import FormConnector, FormSettings

TOKEN = "correct-horse-battery"


def post(body: bytes, content_type: str) -> Request:
    return Request(
        method="POST",
        path="",
        query=(),
        headers=[("Content-Type", content_type), ("Authorization", f"Bearer {TOKEN}")],
        body=body,
        remote_address="192.0.2.7",
        received_at=START,
    )


class TestFormPage(ConnectorContract):
    def make_connector(self, context: Context) -> FormConnector:
        return FormConnector(FormSettings(token=SecretStr(TOKEN)), context)

    async def request(self, text: str) -> Request:
        return post(urlencode({"text": text}).encode(), "application/x-www-form-urlencoded")


class TestJsonTwin(ConnectorContract):
    def make_connector(self, context: Context) -> FormConnector:
        return FormConnector(FormSettings(token=SecretStr(TOKEN)), context)

    async def request(self, text: str) -> Request:
        return post(encode({"text": text}), "application/json")

    async def test_parse_is_pure_and_raises_bad_message_alone(
        self, connector: Connector[Any], journal: MiniJournal
    ) -> None:
        """JSON is a standard media type: the house reads it, `FormConnector.parse` never sees it."""
        (raw,) = (await connector.receive(await self.request("坏了"))).raws
        assert raw.media_type == MESSAGE_JSON
