"""Judge.me in small: a shop's reviews by page numbers, in whichever order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.signing import hmac_hex
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.judge_me import JudgeMeConnector, JudgeMeSettings
from tests.connectors._mail.hosted import answered_by, make_remote

SHOP = "example-shop.myshopify.com"
TOKEN, APP_SECRET = "jm-token-7f3a9c2e51", "jm-app-b0d8aa4411"
PICTURE = "https://pictures.example.com/1/original.jpg"

Connect = Callable[..., JudgeMeConnector]
Item = dict[str, Any]


class JudgeMe:
    """`faults` are answered first, one to a request for reviews."""

    def __init__(self) -> None:
        self.reviews: dict[int, Item] = {}
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.pictures: dict[str, bytes] = {}
        self.page_items = 100
        self.is_newest_first = True

    def write(
        self, number: int, body: Any, *, stars: Any = 1, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """Written, or edited under its id."""
        at = (START - age).isoformat()
        review = {
            "id": 434_000 + number,
            "title": None,
            "body": body,
            "rating": stars,
            "product_external_id": 6_811_000_000_000 + number,
            "product_title": "Demo Kettle 1.7 l",
            "product_handle": "demo-kettle",
            "reviewer": {
                "id": 602_000 + number,
                "external_id": None,
                "email": f"Demo{number}@example.com",
                "name": "Demo C. ",
                "phone": None,
                "tags": None,
            },
            "source": "email",
            "curated": "ok",
            "published": True,
            "hidden": False,
            "verified": "buyer",
            "featured": False,
            "created_at": at,
            "updated_at": at,
            "pictures": [],
            "likes": len(self.asked),
        } | more
        self.reviews[number] = review
        return review

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "pictures.example.com":
            found = self.pictures.get(str(request.url))
            return httpx.Response(403) if found is None else _picture(found)
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        query = request.url.params
        token = query.get("api_token") or request.headers.get("x-api-token")
        if (query["shop_domain"], token) != (SHOP, TOKEN):
            return httpx.Response(401, json={"error": f"Invalid token {token}"})
        if request.url.path != "/api/v1/reviews":
            return httpx.Response(404, json={"error": "Not found"})
        rows = sorted(self.reviews.values(), key=_order, reverse=self.is_newest_first)
        number, limit = int(query["page"]), min(int(query["per_page"]), self.page_items)
        page = rows[(number - 1) * limit : number * limit]
        return httpx.Response(200, json={"current_page": number, "per_page": limit, "reviews": page})


def _order(row: Item) -> str:
    return row["created_at"] if str(row["created_at"])[:1] == "2" else START.isoformat()


def _picture(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"Content-Type": "image/jpeg"})


def pushed(what: str, row: Any) -> Item:
    return {"event": what, "platform": "shopify", "review": row, "shop_domain": SHOP}


def post(
    data: Any,
    *,
    secret: str = TOKEN,
    header: str = "JUDGEME-HMAC-SHA256",
    signature: str | None = None,
    method: str = "POST",
) -> Request:
    body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    signed = hmac_hex(secret, body) if signature is None else signature
    return Request(
        method=method,
        path="",
        query=(),
        headers=(("Content-Type", "application/json"), (header, signed)),
        body=body,
        remote_address="192.0.2.7",
        received_at=START,
    )


def make_settings(**more: Any) -> JudgeMeSettings:
    return JudgeMeSettings.model_validate({"shop_domain": SHOP, "api_token": TOKEN} | more)


@pytest.fixture
def judge_me() -> Iterator[JudgeMe]:
    judge_me = JudgeMe()
    with answered_by(judge_me.answer):
        yield judge_me


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, judge_me: JudgeMe) -> Connect:
    return lambda **settings: JudgeMeConnector(make_settings(**settings), context)
