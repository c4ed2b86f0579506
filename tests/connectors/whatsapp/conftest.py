"""A WhatsApp Business account on a Graph API in miniature."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.whatsapp import WhatsappConnector, WhatsappSettings
from tests.connectors._meta.graph_server import SECRET, TOKEN, VERIFY_TOKEN, Graph, running

Connect = Callable[..., WhatsappConnector]
NUMBER_ID = "106540352242922"
ACCOUNT = "102290129340398"
PHONE = "8613800138000"
USER_ID = "CN.13491208655302741918"
NOW = int(START.timestamp())

_numbers = itertools.count(1)


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async with running() as graph:
        yield graph


@pytest.fixture
def connect(context: Context, graph: Graph) -> Connect:
    return lambda **settings: WhatsappConnector(make_settings(url=graph.url, **settings), context)


def make_settings(**more: Any) -> WhatsappSettings:
    known = {"app_secret": SECRET, "verify_token": VERIFY_TOKEN, "access_token": TOKEN}
    return WhatsappSettings.model_validate(known | more)


def make_message(text: str = "", **fields: Any) -> dict[str, Any]:
    """A customer's message; without `type` a text. A field of None is left out."""
    said = {"type": "text", "text": {"body": text}} if text else {}
    message = {
        "from": PHONE,
        "from_user_id": USER_ID,
        "id": f"wamid.HBgNODYxMzgwMDEzODAwMBUCABIYFjNFQjBD{next(_numbers):06}",
        "timestamp": str(NOW - 60),
        **said,
        **fields,
    }
    return {name: value for name, value in message.items() if value is not None}


def make_contact(name: str = "李雷", wa_id: str | None = PHONE, user_id: str | None = USER_ID) -> dict[str, Any]:
    contact = {"profile": {"name": name}, "wa_id": wa_id, "user_id": user_id}
    return {field: value for field, value in contact.items() if value is not None}


def make_delivery(
    *messages: dict[str, Any],
    contacts: list[dict[str, Any]] | None = None,
    field: str = "messages",
    holds: str = "messages",
    number_id: str = NUMBER_ID,
    **value: Any,
) -> dict[str, Any]:
    inside: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "8675512345678", "phone_number_id": number_id},
    }
    if messages:
        inside |= {"contacts": [make_contact()] if contacts is None else contacts, holds: list(messages)}
    entry = {"id": ACCOUNT, "changes": [{"value": inside | value, "field": field}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
