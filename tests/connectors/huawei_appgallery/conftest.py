"""AppGallery Connect's reviews in small: a span of time, the newest written first, by page numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.huawei_appgallery import HuaweiAppGalleryConnector, HuaweiAppGallerySettings
from tests.connectors._mail.hosted import answered_by, make_remote

APP, OTHER_APP = "100000001", "100000002"
CLIENT, SECRET = "1060000000000000000", "7F3A9C-secret-of-the-client"
HALF_YEAR_MS = 181 * 86_400_000

Connect = Callable[..., HuaweiAppGalleryConnector]
Item = dict[str, Any]


class AppGallery:
    """Reviews by app. `faults` are answered first, one to a request."""

    def __init__(self) -> None:
        self.reviews: dict[str, list[Item]] = {APP: [], OTHER_APP: []}
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0
        self.page_items = 100

    def write(
        self, number: int, text: str, *, stars: Any = 1, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """Written, or edited under its id."""
        review = {
            "reviewId": f"10086{number:05}",
            "content": text,
            "rating": stars,
            "dateline": int((START - age).timestamp() * 1000),
            "lang": "zh",
            "countryCode": "CN",
            "versionName": "4.2.1",
            "phoneName": "示例手机",
            "devReplyState": 0,
            "likes": len(self.asked),
        } | more
        rows = self.reviews[APP]
        rows[:] = [row for row in rows if row["reviewId"] != review["reviewId"]] + [review]
        return review

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/oauth2/v1/token":
            return self._token(json.loads(request.content))
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        is_ours = request.headers.get("authorization") == f"Bearer t-{self.tokens:06}"
        if not is_ours or request.headers.get("client_id") != CLIENT:
            return httpx.Response(401, json={"ret": {"code": 205524993, "msg": "token"}})
        assert request.url.path == "/api/reviews/v1/manage/dev/reviews"
        return self._list(request.url.params)

    def _token(self, form: Item) -> httpx.Response:
        if form != {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}:
            return httpx.Response(200, json={"ret": {"code": 203817223, "msg": "client secret is wrong"}})
        self.tokens += 1
        return httpx.Response(200, json={"access_token": f"t-{self.tokens:06}", "expires_in": 172800})

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        begin, end = int(query["beginTime"]), int(query["endTime"])
        assert begin < end <= begin + HALF_YEAR_MS
        assert (query["sort"], query["countries"]) == ("0", "CN")
        if query["appId"] not in self.reviews:
            return failed(50010027)
        rows = [row for row in self.reviews[query["appId"]] if begin <= _order(row) <= end]
        rows.sort(key=_order, reverse=True)
        limit = min(int(query["limit"]), self.page_items)
        start = (int(query["page"]) - 1) * limit
        page = {"reviewList": rows[start : start + limit], "hasNext": start + limit < len(rows), "total": len(rows)}
        return well(page)


def _order(row: Item) -> int:
    return int(row["dateline"]) if str(row["dateline"]).isdigit() else int(START.timestamp() * 1000) - 1


def well(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"ret": {"code": 0, "msg": "success"}, "data": data})


def failed(code: object) -> httpx.Response:
    return httpx.Response(200, json={"ret": {"code": code, "msg": "failed"}})


def make_settings(**more: Any) -> HuaweiAppGallerySettings:
    known = {"apps": {APP: "示例商城"}, "client_id": CLIENT, "client_secret": SECRET}
    return HuaweiAppGallerySettings.model_validate(known | more)


@pytest.fixture
def gallery() -> Iterator[AppGallery]:
    gallery = AppGallery()
    with answered_by(gallery.answer):
        yield gallery


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, gallery: AppGallery) -> Connect:
    return lambda **settings: HuaweiAppGalleryConnector(make_settings(**settings), context)
