"""A Page on a Graph API in miniature."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.facebook import FacebookConnector, FacebookSettings
from tests.connectors._meta.graph_server import SECRET, TOKEN, VERIFY_TOKEN, Graph, running

Connect = Callable[..., FacebookConnector]
PAGE = "999"
POST = "999_111"
PSID = "6891234567890"
ANA = {"id": "777", "name": "Ana P."}
LI_LEI = {"id": "778", "name": "李雷"}
OURS = {"id": PAGE, "name": "示例商城"}
NOW = int(START.timestamp())

_numbers = itertools.count(1)


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async with running() as graph:
        yield graph


@pytest.fixture
def connect(context: Context, graph: Graph) -> Connect:
    return lambda **settings: FacebookConnector(make_settings(url=graph.url, **settings), context)


def make_settings(**more: Any) -> FacebookSettings:
    known = {"app_secret": SECRET, "verify_token": VERIFY_TOKEN, "access_token": TOKEN, "page_id": PAGE}
    return FacebookSettings.model_validate(known | more)


def written(at: datetime) -> str:
    """As reads give it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}+0000"


def make_post(name: str = POST, *, age_days: float = 1, changed_days: float = 0, **fields: Any) -> dict[str, Any]:
    times = {"created_time": START - timedelta(days=age_days), "updated_time": START - timedelta(days=changed_days)}
    known = {"id": name, **{field: written(at) for field, at in times.items()}, "from": OURS, "message": "新品上市"}
    return {**known, "permalink_url": f"https://www.facebook.com/{name}", **fields}


def make_comment(name: str, text: str, *, age_hours: float = 1, **fields: Any) -> dict[str, Any]:
    """As a read gives it. A field of None is left out."""
    at = written(START - timedelta(hours=age_hours))
    known = {"id": name, "from": ANA, "message": text, "created_time": at, **fields}
    return {field: value for field, value in known.items() if value is not None}


def make_change(verb: str = "add", field: str = "feed", **value: Any) -> dict[str, Any]:
    """As it is delivered."""
    known = {"item": "comment", "verb": verb, "comment_id": "111_333", "post_id": POST, "parent_id": POST, "from": ANA}
    inside = {name: one for name, one in {**known, "created_time": NOW - 60, **value}.items() if one is not None}
    return make_delivery(changes=[{"field": field, "value": inside}])


def make_delivery(account: str = PAGE, **entry: Any) -> dict[str, Any]:
    return {"object": "page", "entry": [{"id": account, "time": NOW, **entry}]}


def make_event(text: str = "", *, place: str = "messaging", **fields: Any) -> dict[str, Any]:
    """Somebody writes to the Page."""
    said = {"mid": f"m_{next(_numbers):06}", **({"text": text} if text else {})}
    known = {"sender": {"id": PSID}, "recipient": {"id": PAGE}, "timestamp": (NOW - 60) * 1000 + 123, "message": said}
    event = {name: one for name, one in {**known, **fields}.items() if one is not None}
    happened: dict[str, Any] = {place: [event]}
    return make_delivery(**happened)


def by(who: dict[str, str] | None) -> dict[str, Any]:
    """`from`, which Python keeps for itself."""
    return {"from": who}
