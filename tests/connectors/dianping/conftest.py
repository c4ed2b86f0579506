"""openapi.dianping.com in small: reviews of a span of time, fifty at most, by shop and platform."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors._marketplace.times import BEIJING
from connectors.dianping import DianpingConnector, DianpingSettings
from tests.connectors._mail.hosted import answered_by, make_remote

SHOP, OTHER_SHOP = "6a1b2c3d4e5f", "7f6e5d4c3b2a"
KEY, SECRET, SEED = "dpkey", "dpSecret-7f3a9c0d5b", "refresh-number-0-5b1e4c"
DAY = timedelta(days=1)

Connect = Callable[..., DianpingConnector]
Item = dict[str, Any]


def written(age: timedelta) -> str:
    """As the platform writes a time that lies so far before the clock's start; to the minute."""
    return f"{(START - age).astimezone(BEIJING):%Y-%m-%d %H:%M}"


class Dianping:
    """`faults` are answered first, one to a call. A refresh token is good once."""

    def __init__(self) -> None:
        self.reviews: dict[tuple[str, str], list[Any]] = {}
        self.faults: list[httpx.Response] = []
        self.asked: list[dict[str, str]] = []
        self.refreshed = 0
        self.renewals: Any = None
        self.session = "session-0"
        self.is_bare = False
        """The list itself is `data`, as one client reads it."""

    def write(
        self,
        number: int,
        text: str = "",
        *,
        stars: Any = 10,
        age: timedelta = timedelta(hours=3),
        platform: str = "1",
        shop: str = SHOP,
        **more: Any,
    ) -> Item:
        """Written, or changed under its id."""
        review = {
            "reviewId": f"40086{number:05}",
            "star": stars,
            "accurateStar": 0,
            "reviewTime": written(age),
            "consumeOrderId": f"4935{number:08}",
            "consumeAmount": "",
            "consumeTime": "",
            "serialNumbers": "",
            "reviewQuality": len(self.asked) % 2,
            "scoreDetails": [],
            **({"content": text} if text else {}),
        } | more
        rows = self.reviews.setdefault((shop, platform), [])
        rows[:] = [row for row in rows if not _is(row, review["reviewId"])] + [review]
        return review

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/router/oauth/token":
            return self._token(dict(parse_qsl(request.content.decode())))
        assert request.url.path == "/router/ugc/queryshopreview"
        query = dict(request.url.params)
        self.asked.append(query)
        if self.faults:
            return self.faults.pop(0)
        text = "".join(name + query[name] for name in sorted(query) if name != "sign")
        if hashlib.md5(f"{SECRET}{text}{SECRET}".encode()).hexdigest() != query["sign"]:
            return refused(602, "签名错误")
        if query["session"] != self.session:
            return refused(608, "session无效或已过期")
        return self._list(query)

    def _token(self, form: Item) -> httpx.Response:
        assert (form["app_key"], form["app_secret"], form["grant_type"]) == (KEY, SECRET, "refresh_token")
        due = SEED if not self.refreshed else f"refresh-number-{self.refreshed}"
        if form["refresh_token"] != due:
            return httpx.Response(200, json={"code": 400, "msg": "refresh_token无效"})
        self.refreshed += 1
        self.session = f"session-{self.refreshed}"
        told = {"access_token": self.session, "refresh_token": f"refresh-number-{self.refreshed}", "expires_in": 86_400}
        if self.renewals is not None:
            told["remain_refresh_count"] = self.renewals - self.refreshed
        return httpx.Response(200, json={"code": 200, **told})

    def _list(self, query: dict[str, str]) -> httpx.Response:
        begin, end, count = query["begintime"], query["endtime"], int(query["limit"])
        assert begin <= end
        assert (query["offset"], query["star"], count) == ("0", "1", 50)
        rows = [
            row for row in self.reviews.get((query["open_shop_uuid"], query["platform"]), []) if _fits(row, begin, end)
        ]
        found = rows[-count:]
        return well(found if self.is_bare else {"reviewInfoDTOList": found or None})


def _fits(row: Any, begin: str, end: str) -> bool:
    at = row.get("reviewTime") if isinstance(row, dict) else None
    if not isinstance(at, str):
        return end >= written(timedelta(hours=1))
    return begin <= f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S}" <= end


def _is(row: Any, review: str) -> bool:
    return isinstance(row, dict) and row.get("reviewId") == review


def well(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"code": 200, "msg": "success", "data": data})


def refused(code: object, message: str) -> httpx.Response:
    return httpx.Response(200, json={"code": code, "msg": message})


def make_settings(**more: Any) -> DianpingSettings:
    known = {"app_key": KEY, "app_secret": SECRET, "refresh_token": SEED, "shops": {SHOP: "示例餐厅（人民路店）"}}
    return DianpingSettings.model_validate(known | more)


@pytest.fixture
def dianping() -> Iterator[Dianping]:
    dianping = Dianping()
    with answered_by(dianping.answer):
        yield dianping


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, dianping: Dianping) -> Connect:
    return lambda **settings: DianpingConnector(make_settings(**settings), context)
