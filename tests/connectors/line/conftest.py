"""An official account on a Messaging API in miniature."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.line import LineConnector, LineSettings
from tests.connectors.line.line_server import CHANNEL_ID, SECRET, LineServer, running

Connect = Callable[..., LineConnector]
USER = "U206d25c2ea6bd87c17655609a1c37cb8"
GROUP = "Ca56f94637c40cbc7d0f6e3a1b2c4d5e6"
NOW = int(START.timestamp() * 1000)

_numbers = itertools.count(1)


@pytest.fixture
async def line() -> AsyncIterator[LineServer]:
    async with running() as server:
        yield server


@pytest.fixture
def connect(context: Context, line: LineServer) -> Connect:
    return lambda **settings: LineConnector(make_settings(line.url, **settings), context)


def make_settings(url: str = "http://127.0.0.1:9", **more: Any) -> LineSettings:
    known = {"channel_secret": SECRET, "channel_id": CHANNEL_ID, "url": url, "content_url": url}
    return LineSettings.model_validate(known | more)


def make_event(kind: str = "message", **fields: Any) -> dict[str, Any]:
    """As LINE words it. A field of None is left out."""
    number = next(_numbers)
    event = {
        "type": kind,
        "webhookEventId": f"01FZ74A0TDDPYRVKNK77X{number:05}",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": NOW - 60_000,
        "source": {"type": "user", "userId": USER},
        "mode": "active",
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def make_text(text: str, **fields: Any) -> dict[str, Any]:
    message = {"id": f"4448616918{next(_numbers):06}", "type": "text", "quoteToken": "q3Plxr4AgKd", "text": text}
    return make_event(message=message, **{"replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", **fields})


def make_media(kind: str, **fields: Any) -> dict[str, Any]:
    provider = {"contentProvider": {"type": "line"}, "quoteToken": "q3Plxr4AgKd"} if kind != "file" else {}
    return make_event(message={"id": "354718705033693859", "type": kind, **provider, **fields})


def make_group(user: str | None = USER) -> dict[str, str]:
    return {"type": "group", "groupId": GROUP} | ({"userId": user} if user else {})
