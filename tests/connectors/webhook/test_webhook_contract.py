"""What every connector promises: JSON with a Standard Webhooks signature, a signed chat, a form with a token."""

from __future__ import annotations

import base64
from typing import Any, ClassVar
from urllib.parse import urlencode

from standardwebhooks import Webhook

from allears_sdk.codec import encode
from allears_sdk.connector import Request, Threading
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.webhook import WebhookConnector
from connectors.webhook.settings import WebhookSettings
from tests.connectors.webhook.conftest import NOW, OPEN, post

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
STANDARD = {"method": "standard", "secrets": [SECRET]}


def signed(body: bytes) -> Request:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", NOW, body.decode()),
    }
    return post(body, headers=headers)


class WebhookContract(ConnectorContract):
    settings: ClassVar[dict[str, Any]]

    def make_connector(self, context: Context) -> WebhookConnector:
        return WebhookConnector(WebhookSettings.model_validate(self.settings), context)


class TestStandard(WebhookContract):
    settings: ClassVar[dict[str, Any]] = {"auth": STANDARD, "map": {"text": "$.data.text", "id": "$.id"}}

    async def request(self, text: str) -> Request:
        return signed(encode({"id": "e-1", "data": {"text": text}}))


class TestChat(WebhookContract):
    settings: ClassVar[dict[str, Any]] = {
        "auth": STANDARD,
        "threading": "chat",
        "answer": {"body": '{"reference": "{reference}"}'},
        "map": {"items": "$.events[*]", "text": "@.text", "id": "@.id", "thread": "$.chat"},
    }

    async def request(self, text: str) -> Request:
        return signed(encode({"chat": "c-1", "events": [{"id": f"m-{at}", "text": text} for at in range(3)]}))

    async def test_its_settings_make_it_a_chat(self, context: Context) -> None:
        spec = self.make_connector(context).own_spec
        assert (spec.threading, spec.signed) == (Threading.CHAT, True)


class TestForm(WebhookContract):
    settings: ClassVar[dict[str, Any]] = {"auth": OPEN, "map": {"text": {"What happened": "$.text"}}}

    async def request(self, text: str) -> Request:
        return post(urlencode({"text": text}), media_type="application/x-www-form-urlencoded")
