"""What every connector promises, by WhatsApp numbers that are pushed to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.whatsapp import WhatsappConnector
from tests.connectors._meta.graph_server import deliver, running
from tests.connectors.whatsapp.conftest import make_delivery, make_message, make_settings


class TestPushed(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.graph:
            yield

    def make_connector(self, context: Context) -> WhatsappConnector:
        return WhatsappConnector(make_settings(url=self.graph.url), context)

    async def request(self, text: str) -> Request:
        return deliver(make_delivery(make_message(text)))

    async def left_file(self, content: bytes) -> Ref:
        self.graph.files["m-1"] = content
        address = {"url": f"{self.graph.url}/files/m-1", "mime_type": "image/jpeg", "file_size": len(content)}
        self.graph.objects["1003383421387256"] = {"messaging_product": "whatsapp", "id": "1003383421387256", **address}
        return Ref(locator={"media": "1003383421387256", "name": "发票.jpg"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"media": "1003383421387999", "name": "发票.jpg"})

    async def test_a_delivery_of_several_is_cut(self, connector: WhatsappConnector) -> None:
        first, second = make_message("屏幕碎了"), make_message("refund please", id="wamid.TWO")
        reception = await connector.receive(deliver(make_delivery(first, second)))
        assert [raw.key for raw in reception.raws] == [first["id"], "wamid.TWO"]
        held = [json.loads(raw.body)["entry"][0]["changes"][0]["value"]["messages"] for raw in reception.raws]
        assert held == [[first], [second]]
