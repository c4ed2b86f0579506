"""What every connector promises, by a LINE official account."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.message import Ref
from allears_sdk.testing.connectors import ConnectorContract
from connectors.line import LineConnector
from tests.connectors.line.conftest import make_settings, make_text
from tests.connectors.line.line_server import deliver, running


class TestPushed(ConnectorContract):
    @pytest.fixture(autouse=True)
    async def source(self) -> AsyncIterator[None]:
        async with running() as self.line:
            yield

    def make_connector(self, context: Context) -> LineConnector:
        return LineConnector(make_settings(self.line.url), context)

    async def request(self, text: str) -> Request:
        return deliver(make_text(text))

    async def left_file(self, content: bytes) -> Ref:
        self.line.files["354718705033693859"] = content
        return Ref(locator={"message": "354718705033693859", "name": "发票.pdf"})

    async def lost_file(self) -> Ref:
        return Ref(locator={"message": "354718705033690000", "name": "发票.pdf"})
