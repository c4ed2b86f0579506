"""The App Store Connect API in small, on real HTTP: tokens are checked by PyJWT, pages are cut behind a review."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.app_store_connect import AppStoreConnectConnector, AppStoreConnectSettings

APP, OTHER_APP = "6448311069", "6450000001"
ISSUER, KEY_ID = "57246542-96fe-1a63-e053-0824d011072a", "2X9R4HXF34"
CUPERTINO = timezone(timedelta(hours=-8))
_KEY = generate_private_key(SECP256R1())
PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

Connect = Callable[..., AppStoreConnectConnector]
Item = dict[str, Any]


class AppStore:
    """Reviews by app. `failures` are answered before anything else, one to a request."""

    def __init__(self, now: Callable[[], datetime] = lambda: START) -> None:
        self.reviews: dict[str, list[Item]] = {APP: [], OTHER_APP: []}
        self.answers: dict[str, Item] = {}
        self.failures: list[web.Response] = []
        self.asked: list[web.Request] = []
        self.tokens: list[str] = []
        self.page_items = 200
        self.left = 3545
        """Calls in this hour."""
        self.url = ""
        self._now = now

    def write(
        self, number: int, text: str, *, stars: int = 1, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """Written, or edited under its id."""
        written = (START - age).astimezone(CUPERTINO).isoformat(timespec="seconds")
        said = {"rating": stars, "title": "", "body": text, "reviewerNickname": "示例昵称", "createdDate": written}
        review = {
            "type": "customerReviews",
            "id": f"00000011-demo-{number:04}",
            "attributes": said | {"territory": "CHN"} | more,
            "relationships": {"response": {"links": {"self": f"{self.url}/v1/customerReviews/{number}/response"}}},
            "links": {"self": f"{self.url}/v1/customerReviews/{number}"},
        }
        rows = self.reviews[APP]
        rows[:] = [row for row in rows if row["id"] != review["id"]] + [review]
        return review

    def answer(self, review: Item, text: str, *, state: str = "PUBLISHED") -> None:
        reply = f"resp-{review['id']}"
        review["relationships"]["response"]["data"] = {"type": "customerReviewResponses", "id": reply}
        said = {"responseBody": text, "lastModifiedDate": "2026-11-22T01:00:00-08:00", "state": state}
        self.answers[reply] = {"type": "customerReviewResponses", "id": reply, "attributes": said}

    async def show(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if self.failures:
            return self.failures.pop(0)
        if not self._lets_in(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return fault(401, "NOT_AUTHORIZED")
        rows = self.reviews.get(request.match_info["app"])
        if rows is None:
            return fault(404, "NOT_FOUND")
        assert request.query["sort"] == "-createdDate"
        limit = min(int(request.query["limit"]), self.page_items)
        rows = sorted(rows, key=_order, reverse=True)
        if cursor := request.query.get("cursor", ""):
            behind = base64.urlsafe_b64decode(cursor).decode()
            rows = [row for row in rows if _order(row) < behind]
        return self._page(request, rows, limit)

    def _page(self, request: web.Request, rows: list[Item], limit: int) -> web.Response:
        page, links = rows[:limit], {"self": str(request.url)}
        if len(rows) > limit:
            cursor = base64.urlsafe_b64encode(_order(page[-1]).encode()).decode()
            links["next"] = str(request.url.update_query(cursor=cursor))
        named = {row["relationships"]["response"].get("data", {}).get("id") for row in page if "relationships" in row}
        included = [self.answers[name] for name in sorted(named & self.answers.keys())]
        paging = {"total": len(self.reviews[request.match_info["app"]]), "limit": limit}
        body: Item = {"data": page, "links": links, "meta": {"paging": paging}}
        if request.query.get("include") == "response":
            body["included"] = included
        left = f"user-hour-lim:3600;user-hour-rem:{self.left};, user-minute-lim:150;user-minute-rem:149;"
        return web.json_response(body, headers={"X-Rate-Limit": left})

    def _lets_in(self, token: str) -> bool:
        self.tokens.append(token)
        try:
            options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "aud"]}
            read = jwt.decode(token, _KEY.public_key(), ["ES256"], options, audience="appstoreconnect-v1")
        except jwt.PyJWTError:
            return False
        now, is_ours = self._now().timestamp(), read.get("iss") == ISSUER or read.get("sub") == "user"
        is_now = read["iat"] <= now < read["exp"] <= read["iat"] + 1200
        return is_ours and is_now and jwt.get_unverified_header(token)["kid"] == KEY_ID


def _order(row: Item) -> str:
    at = row["attributes"].get("createdDate") or START.isoformat()
    return f"{datetime.fromisoformat(at).timestamp():015.3f} {row['id']}"


def fault(status: int, code: str, **headers: str) -> web.Response:
    error = {"id": "5f3c", "status": str(status), "code": code, "title": "No.", "detail": "The request is refused."}
    return web.json_response({"errors": [error]}, status=status, headers=headers)


@asynccontextmanager
async def running(now: Callable[[], datetime] = lambda: START) -> AsyncIterator[AppStore]:
    store = AppStore(now)
    app = web.Application()
    app.router.add_get("/v1/apps/{app}/customerReviews", store.show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield store
    await runner.cleanup()


def make_settings(url: str, **more: Any) -> AppStoreConnectSettings:
    known = {"url": url, "apps": {APP: "示例商城"}, "key_id": KEY_ID, "issuer_id": ISSUER, "private_key": PEM}
    return AppStoreConnectSettings.model_validate(known | more)


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[AppStore]:
    async with running(clock.now) as store:
        yield store


@pytest.fixture
def connect(context: Context, store: AppStore) -> Connect:
    return lambda **settings: AppStoreConnectConnector(make_settings(store.url, **settings), context)
