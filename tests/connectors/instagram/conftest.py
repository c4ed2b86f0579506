"""An Instagram account on a Graph API in miniature."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing.clock import START
from connectors.instagram import InstagramConnector, InstagramSettings
from tests.connectors._meta.graph_server import SECRET, TOKEN, VERIFY_TOKEN, Graph, running

Connect = Callable[..., InstagramConnector]
ACCOUNT = "17841405822304914"
MEDIA = "17895695668004550"
IGSID = "7718000112233"
NOW = int(START.timestamp())

_numbers = itertools.count(1)


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async with running() as graph:
        yield graph


@pytest.fixture
def connect(context: Context, graph: Graph) -> Connect:
    return lambda **settings: InstagramConnector(make_settings(url=graph.url, **settings), context)


def make_settings(**more: Any) -> InstagramSettings:
    known = {"app_secret": SECRET, "verify_token": VERIFY_TOKEN, "access_token": TOKEN, "instagram_id": ACCOUNT}
    return InstagramSettings.model_validate({**known, "username": "example_shop", **more})


def make_delivery(**entry: Any) -> dict[str, Any]:
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": NOW, **entry}]}


def make_change(field: str = "comments", *, is_instagram_login: bool = False, **value: Any) -> dict[str, Any]:
    """A comment, as it is delivered: without a time. A field of None is left out."""
    who = {"id": "232323232", "username": "ana.p"}
    known = {"id": "17865799348089039", "from": who, "media": {"id": MEDIA, "media_product_type": "FEED"}, **value}
    inside = {name: one for name, one in known.items() if one is not None}
    if is_instagram_login:
        return make_delivery(field=field, value=inside)
    return make_delivery(changes=[{"field": field, "value": inside}])


def make_mention(**value: Any) -> dict[str, Any]:
    return make_delivery(changes=[{"field": "mentions", "value": {"media_id": "17918195224117851", **value}}])


def make_event(text: str = "", **fields: Any) -> dict[str, Any]:
    said = {"mid": f"aWdfZAG{next(_numbers):06}", **({"text": text} if text else {})}
    known = {"sender": {"id": IGSID}, "recipient": {"id": ACCOUNT}, "timestamp": (NOW - 60) * 1000, "message": said}
    return make_delivery(messaging=[{**known, **fields}])


def written(age_hours: float) -> str:
    return f"{START - timedelta(hours=age_hours):%Y-%m-%dT%H:%M:%S}+0000"


def make_comment(name: str, text: str, *, age_hours: float = 1, **fields: Any) -> dict[str, Any]:
    """As a read gives it."""
    known = {"id": name, "text": text, "timestamp": written(age_hours), "username": "ana.p"}
    return {**known, "from": {"id": "232323232", "username": "ana.p"}, **fields}


def make_media(name: str = MEDIA, *, age_hours: float = 24) -> dict[str, Any]:
    return {"id": name, "timestamp": written(age_hours), "permalink": f"https://www.instagram.com/p/{name[-4:]}/"}


def by(username: str, number: str = "999") -> dict[str, Any]:
    """`from`, which Python keeps for itself."""
    return {"from": {"id": number, "username": username}, "username": username}
