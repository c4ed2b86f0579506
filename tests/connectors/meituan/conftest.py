"""美团外卖 in small: comments of whole days by shop and by whether they were answered, twenty at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.clock import Clock
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors._marketplace.times import BEIJING
from connectors.meituan import MeituanConnector, MeituanSettings
from tests.connectors._mail.hosted import answered_by, make_remote

SHOP, OTHER_SHOP = "S001", "S002"
APP, SECRET = "9999", "mtSecret-7f3a9c0d5b"
DAY = timedelta(days=1)

Connect = Callable[..., MeituanConnector]
Item = dict[str, Any]


def day_of(age: timedelta) -> str:
    """Of the time that lies so far before the clock's start; negative: after it."""
    return f"{(START - age).astimezone(BEIJING):%Y-%m-%d}"


class Takeaway:
    """`faults` are answered first, one to a request. `is_all`: whether 1 lists all, or those that were answered."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.comments: dict[str, list[Any]] = {SHOP: [], OTHER_SHOP: []}
        self.faults: list[httpx.Response] = []
        self.asked: list[dict[str, str]] = []
        self.is_all = False
        self.picture = b"\xff\xd8"

    def write(self, number: int, text: str, *, stars: Any = 1, age: timedelta = DAY, **more: Any) -> Item:
        """Written, or changed under its id."""
        comment = {
            "result": "ok",
            "comment_id": 2200000000000 + number,
            "comment_content": text,
            "comment_time": day_of(age),
            "comment_lables": "",
            "comment_pictures": "",
            "food_comment_score": stars,
            "order_comment_score": 3,
            "packing_score": 5,
            "delivery_comment_score": 2,
            "add_comment": "",
            "add_comment_time": "",
            "ship_time": 42 + len(self.asked),
            "praise_food_list": "",
            "critic_food_list": "",
            "reply_status": 0,
            "e_reply_content": "",
            "e_reply_time": "",
        } | more
        rows = self.comments[SHOP]
        rows[:] = [row for row in rows if not _is(row, comment["comment_id"])] + [comment]
        return comment

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/picture.jpg":
            return httpx.Response(200, content=self.picture, headers={"Content-Type": "image/jpeg"})
        query = dict(request.url.params)
        if request.url.path != "/api/v1/comment/query":
            return httpx.Response(404)
        self.asked.append(query)
        if self.faults:
            return self.faults.pop(0)
        signed = {name: value for name, value in query.items() if name != "sig"}
        text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        place = f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.path}"
        if hashlib.md5(f"{place}?{text}{SECRET}".encode()).hexdigest() != query["sig"]:
            return refused(703, "签名验证错误")
        assert 0 <= self.clock.now().timestamp() - int(query["timestamp"]) < 60, "it may have waited at the limit"
        return self._list(query)

    def _list(self, query: dict[str, str]) -> httpx.Response:
        if query["app_poi_code"] not in self.comments:
            return refused(803, "门店不存在")
        today = f"{self.clock.now().astimezone(BEIJING):%Y%m%d}"
        oldest = f"{(self.clock.now() - 30 * DAY).astimezone(BEIJING):%Y%m%d}"
        if not oldest <= query["start_time"] <= query["end_time"] < today:
            return refused(1001, "日期超出范围")
        status, start, count = query["replyStatus"], int(query["pageoffset"]), int(query["pagesize"])
        assert count <= 20
        rows = [row for row in self.comments[query["app_poi_code"]] if self._fits(row, query, status)]
        return httpx.Response(200, json={"data": rows[start : start + count]})

    def _fits(self, row: Any, query: dict[str, str], status: str) -> bool:
        if not isinstance(row, dict):
            return status == "0"
        day = str(row.get("comment_time")).replace("-", "")
        is_in = not day.isdecimal() or query["start_time"] <= day <= query["end_time"]
        return is_in and ((status == "1" and self.is_all) or str(row.get("reply_status", 0)) == status)


def _is(row: Any, comment: int) -> bool:
    return isinstance(row, dict) and row.get("comment_id") == comment


def refused(code: int, message: str) -> httpx.Response:
    return httpx.Response(200, json={"data": "ng", "error": {"code": code, "msg": message}})


def make_settings(**more: Any) -> MeituanSettings:
    known = {"app_id": APP, "app_secret": SECRET, "shops": {SHOP: "示例餐厅（人民路店）"}}
    return MeituanSettings.model_validate(known | more)


@pytest.fixture
def takeaway(clock: FakeClock) -> Iterator[Takeaway]:
    takeaway = Takeaway(clock)
    with answered_by(takeaway.answer):
        yield takeaway


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, takeaway: Takeaway) -> Connect:
    return lambda **settings: MeituanConnector(make_settings(**settings), context)
