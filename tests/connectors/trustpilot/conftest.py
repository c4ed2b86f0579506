"""Trustpilot in small: a company's reviews by page numbers, the newest written first, with and without a token."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.trustpilot import TrustpilotConnector, TrustpilotSettings
from tests.connectors._mail.hosted import answered_by, make_remote

UNIT = "46d6a890000064000500e0c3"
KEY, SECRET = "tp-key-7f3a9c2e", "tp-secret-51b0d8aa"
HOOK = "hook-secret-2d9c417e6b"

Connect = Callable[..., TrustpilotConnector]
Item = dict[str, Any]


class Trustpilot:
    """`faults` are answered first, one to a request for reviews."""

    def __init__(self) -> None:
        self.reviews: list[Item] = []
        self.product_reviews: list[Item] = []
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0
        self.page_items = 100

    def write(
        self, number: int, text: Any, *, stars: Any = 1, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """Written, or edited under its id."""
        review = {
            "id": f"53demo{number:018}",
            "consumer": {"id": f"53c{number:05}", "displayName": "Demo C.", "displayLocation": "London, GB"},
            "stars": stars,
            "title": "Late parcel",
            "text": text,
            "language": "en",
            "createdAt": (START - age).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "updatedAt": None,
            "companyReply": None,
            "isVerified": True,
            "status": "active",
            "numberOfLikes": len(self.asked),
            "referenceId": f"ORD-{number}",
            "referralEmail": f"demo{number}@example.com",
        } | more
        self.reviews[:] = [one for one in self.reviews if one["id"] != review["id"]] + [review]
        return review

    def write_of_product(self, number: int, content: str, *, stars: int = 1, age: timedelta) -> Item:
        review = {
            "id": f"53prod{number:018}",
            "consumer": {"id": f"53c{number:05}", "displayName": "Demo C.", "email": f"demo{number}@example.com"},
            "product": {"id": "53p1", "name": "Demo Kettle 1.7 l", "sku": "KET-17"},
            "stars": stars,
            "content": content,
            "language": "en",
            "createdAt": (START - age).isoformat(),
            "referenceId": f"ORD-{number}",
            "state": "published",
        }
        self.product_reviews.append(review)
        return review

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/oauth/oauth-business-users-for-applications/accesstoken":
            return self._token(request)
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        if path.startswith("/v1/private/"):
            if request.headers.get("authorization") != f"Bearer t-{self.tokens:06}":
                return refused(401, "Invalid token")
        elif request.headers.get("apikey") != KEY:
            return refused(401, "Invalid key")
        return self._page(path.removeprefix("/v1").removeprefix("/private"), request.url.params)

    def _token(self, request: httpx.Request) -> httpx.Response:
        expected = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"]}
        if request.headers.get("authorization") != f"Basic {expected}":
            return refused(401, "Invalid client")
        self.tokens += 1
        return httpx.Response(200, json={"access_token": f"t-{self.tokens:06}", "expires_in": "359999"})

    def _page(self, path: str, query: httpx.QueryParams) -> httpx.Response:
        if path == f"/product-reviews/business-units/{UNIT}/reviews":
            return self._rows("productReviews", self.product_reviews, query)
        if path != f"/business-units/{UNIT}/reviews":
            return refused(403, "Not your business unit")
        assert query["orderBy"] == "createdat.desc"
        rows = sorted(self.reviews, key=lambda one: (_order(one), one["id"]), reverse=True)
        hidden = {"referenceId", "referralEmail"}
        is_private = "authorization" in self.asked[-1].headers
        shown = rows if is_private else [{k: v for k, v in row.items() if k not in hidden} for row in rows]
        return self._rows("reviews", shown, query)

    def _rows(self, name: str, rows: list[Item], query: httpx.QueryParams) -> httpx.Response:
        limit = min(int(query["perPage"]), self.page_items)
        assert 1 <= int(query["perPage"]) <= 100
        start = (int(query["page"]) - 1) * limit
        return httpx.Response(200, json={"links": [], name: rows[start : start + limit]})


def _order(row: Item) -> str:
    return row["createdAt"] if str(row["createdAt"])[:1] == "2" else START.isoformat()


def refused(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"message": message, "errorCode": status})


def pushed(row: Item) -> Item:
    """A review as it is pushed: the author has a `name`, there is no e-mail and no answer."""
    who = row["consumer"]
    kept = {name: row[name] for name in ("id", "language", "title", "text", "stars", "createdAt", "referenceId")}
    return kept | {"consumer": {"id": who["id"], "name": who["displayName"]}, "isVerified": True, "tags": []}


def post(*events: Any, body: bytes | None = None, path: str = f"/{HOOK}", method: str = "POST") -> Request:
    content = json.dumps({"events": events}, ensure_ascii=False).encode() if body is None else body
    return Request(
        method=method,
        path=path,
        query=(),
        headers=(("Content-Type", "application/json"),),
        body=content,
        remote_address="192.0.2.7",
        received_at=START,
    )


def event(name: str, data: Any) -> Item:
    return {"eventName": name, "version": "1", "eventData": data}


def make_settings(**more: Any) -> TrustpilotSettings:
    known = {"business_unit_id": UNIT, "api_key": KEY, "api_secret": SECRET, "webhook_secret": HOOK}
    return TrustpilotSettings.model_validate(known | more)


@pytest.fixture
def trustpilot() -> Iterator[Trustpilot]:
    trustpilot = Trustpilot()
    with answered_by(trustpilot.answer):
        yield trustpilot


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, trustpilot: Trustpilot) -> Connect:
    return lambda **settings: TrustpilotConnector(make_settings(**settings), context)
