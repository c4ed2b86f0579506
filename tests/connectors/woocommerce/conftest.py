"""A WooCommerce shop in small: reviews by page numbers, the newest first, by their status."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.woocommerce import WooCommerceConnector, WooCommerceSettings
from tests.connectors._mail.hosted import answered_by, make_remote

SHOP = "https://shop.example.com"
KEY, SECRET = "ck_7f3a9c2e51b0", "cs_d8aa44110c9e"

Connect = Callable[..., WooCommerceConnector]
Item = dict[str, Any]


class Shop:
    """`faults` are answered first, one to a request."""

    def __init__(self) -> None:
        self.reviews: dict[int, Item] = {}
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.page_items = 100
        self.hidden: set[int] = set()
        """What the key's user may not read: left out of its page."""
        self.has_totals = True

    def write(
        self, number: int, text: Any, *, stars: Any = 1, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """Written, or edited under its id."""
        at = START - age
        review = {
            "id": 22_000 + number,
            "date_created": (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S"),
            "date_created_gmt": at.strftime("%Y-%m-%dT%H:%M:%S"),
            "product_id": 22,
            "product_name": "Demo Kettle &#8211; 1.7&nbsp;l",
            "product_permalink": f"{SHOP}/product/demo-kettle/",
            "status": "approved",
            "reviewer": "Demo C.",
            "reviewer_email": f"Demo{number}@example.com",
            "review": f"<p>{text}</p>\n" if isinstance(text, str) else text,
            "rating": stars,
            "verified": True,
            "reviewer_avatar_urls": {"24": f"https://avatars.example.com/{len(self.asked)}?s=24"},
        } | more
        self.reviews[number] = review
        return review

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        query = request.url.params
        basic = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        is_ours = request.headers.get("authorization") == f"Basic {basic}"
        if not is_ours and (query.get("consumer_key"), query.get("consumer_secret")) != (KEY, SECRET):
            return refused(401, "woocommerce_rest_cannot_view", f"Sorry, {query.get('consumer_key')}")
        if request.url.path != "/wp-json/wc/v3/products/reviews":
            return refused(404, "rest_no_route", "No route was found matching the URL and request method.")
        return self._list(query)

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        assert (query["orderby"], query["order"]) == ("date_gmt", "desc")
        wanted = {"all": ("approved", "hold"), "trash": ("trash",)}[query["status"]]
        rows = sorted((one for one in self.reviews.values() if one["status"] in wanted), key=_order, reverse=True)
        number, limit = int(query["page"]), min(int(query["per_page"]), self.page_items)
        page = [row for row in rows[(number - 1) * limit : number * limit] if row["id"] not in self.hidden]
        totals = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(-(-len(rows) // limit))}
        return httpx.Response(200, json=page, headers=totals if self.has_totals else {})


def _order(row: Item) -> str:
    return row["date_created_gmt"] if str(row["date_created_gmt"])[:1] == "2" else START.isoformat()


def refused(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": message, "data": {"status": status}})


def make_settings(**more: Any) -> WooCommerceSettings:
    return WooCommerceSettings.model_validate({"url": SHOP, "consumer_key": KEY, "consumer_secret": SECRET} | more)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with answered_by(shop.answer):
        yield shop


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, shop: Shop) -> Connect:
    return lambda **settings: WooCommerceConnector(make_settings(**settings), context)
