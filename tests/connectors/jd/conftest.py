"""JD's open platform in small: reviews at the older gateway, after-sales cases at the newer one, and tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.clock import Clock
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from connectors.jd import JdConnector, JdSettings
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors._marketplace.market import Item, from_china, md5_of, page_of, within

SHOP, KEY, SECRET, TOKEN = "示例京东自营店", "JDAPPKEY", "jdSecret-of-the-app", "tok001-of-the-seller"
CASES = "/rest/sp-aftercare/v0/afs-orders"
REVIEWS = "jingdong_pop_PopCommentJsfService_getVenderCommentsForJos_responce"

Connect = Callable[..., JdConnector]


class Jd:
    """What is written is `age` old by its clock. `faults` are answered first, one to a call; `tokens` are those it
    takes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reviews: list[Item] = []
        self.cases: dict[str, Item] = {}
        self.broken: set[str] = set()
        """Cases whose own page fails."""
        self.rows: list[Any] = []
        """Listed beside the cases."""
        self.faults: list[httpx.Response] = []
        self.calls: list[httpx.Request] = []
        self.tokens = {TOKEN}
        self.granted: list[dict[str, str]] = []
        self.pictures: dict[str, bytes] = {}
        self.page_items = 50
        self.allowed = 10_000
        """Calls; what is more is refused."""

    def rate(self, number: int, text: str, *, score: Any = 1, age: timedelta = timedelta(hours=2), **more: Any) -> Item:
        """Written, or edited under its id."""
        at = self.clock.now() - age
        row = {
            "commentId": f"1750{number:08}",
            "skuid": 100012043978,
            "skuName": "示例电饭煲 4L",
            "content": text,
            "creationTime": int(at.timestamp() * 1000),
            "score": score,
            "replyCount": 0,
            "nickName": "j***8",
            "orderId": 29000000000 + number,
            "open_id_buyer": f"oid{number}",
            "images": [],
            "replies": [],
        } | more
        self.reviews[:] = [one for one in self.reviews if one["commentId"] != row["commentId"]] + [row]
        return row

    def claim(self, number: int, text: Any, *, age: timedelta = timedelta(hours=2), **more: Any) -> Item:
        """Asked for, or changed under its number."""
        at = int((self.clock.now() - age).timestamp() * 1000)
        status = more.pop("status", "10001")
        case = {
            "afsOrderId": 1000 + number,
            "orderId": 29000000000 + number,
            "afsOrderBaseInfo": {"applyTime": at, "modifiedTime": at},
            "afsOrderStatusInfo": {"mainStatus": status, "subStatus": ""},
            "customerApplyInfo": {"customerExpect": 10, "applyReason": "质量问题", "questionDesc": text},
            "refundInfo": {"refundStatus": 1, "applyRefundAmount": "199.00"},
            "orderInfo": {"orderId": str(29000000000 + number)},
            "skuInfoList": [{"skuId": "100012043978", "skuName": "示例电饭煲 4L", "skuNum": 1}],
        } | more
        self.cases[str(case["afsOrderId"])] = case
        return case

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith("360buyimg.com"):
            found = self.pictures.get(request.url.path)
            return httpx.Response(404) if found is None else httpx.Response(200, content=found)
        if request.url.path.startswith("/oauth2/"):
            return self._grant(request)
        self.calls.append(request)
        if self.faults:
            return self.faults.pop(0)
        if len(self.calls) > self.allowed:
            return httpx.Response(429, headers={"Retry-After": "1"})
        return self._route(request) if request.url.path == "/routerjson" else self._rest(request)

    def _route(self, request: httpx.Request) -> httpx.Response:
        query, form = dict(request.url.params), dict(httpx.QueryParams(request.content.decode()))
        sign = query.pop("sign")
        if sign != md5_of(SECRET, query | form) or query["app_key"] != KEY:
            return failed(12)
        if query["access_token"] not in self.tokens:
            return failed(19)
        assert abs(self.clock.now() - datetime.fromisoformat(query["timestamp"])) < timedelta(minutes=6)
        assert query["method"] == "jingdong.pop.PopCommentJsfService.getVenderCommentsForJos"
        asked = json.loads(form["360buy_param_json"])
        begin, end = from_china(asked["beginTime"]), from_china(asked["endTime"])
        rows = within(self.reviews, begin, end, lambda row: _at(row.get("creationTime"), begin))
        size = min(self.page_items, int(asked["pageSize"]))
        return reviewed(page_of(rows, int(asked["page"]), size), len(rows))

    def _rest(self, request: httpx.Request) -> httpx.Response:
        given = {name: request.headers[name] for name in ("X-JOS-App-Key", "X-JOS-Access-Token", "X-JOS-Timestamp")}
        number = request.url.path.removeprefix(CASES).removeprefix("/")
        signed = {**given, **dict(request.url.params)} | ({"afsOrderId": number} if number else {})
        assert request.headers["X-JOS-Request-Identity"] == "vender"
        if request.headers["X-JOS-Sign"] != md5_of(SECRET, signed):
            return refused("99904030001")
        if given["X-JOS-Access-Token"] not in self.tokens:
            return httpx.Response(401)
        if not number:
            return self._list(request.url.params)
        if number in self.broken:
            return httpx.Response(500)
        if number not in self.cases:
            return httpx.Response(404)
        return httpx.Response(200, json={"Response": {"success": True, "data": self.cases[number]}})

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        begin, end = (_at(int(query[name]), self.clock.now()) for name in ("updateStartTime", "updateEndTime"))
        assert end - begin <= timedelta(hours=24)
        rows = within(
            list(self.cases.values()), begin, end, lambda row: _at(row["afsOrderBaseInfo"]["modifiedTime"], begin)
        )
        named = [*self.rows, *({"afsOrderId": row["afsOrderId"], "orderId": row["orderId"]} for row in rows)]
        size = min(self.page_items, int(query["pageSize"]))
        return cases(page_of(named, int(query["page"]), size), len(named))

    def _grant(self, request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        self.granted.append({"page": request.url.path.rpartition("/")[2], **form})
        if form["app_secret"] != SECRET or form.get("code", "c-1") != "c-1":
            return httpx.Response(200, json={"code": 400, "msg": "invalid code"})
        token = f"token-{len(self.granted):04}"
        self.tokens = {token}
        body = {"access_token": token, "refresh_token": f"r-{len(self.granted)}", "expires_in": 86_400}
        return httpx.Response(200, json=body)


def _at(value: Any, otherwise: datetime) -> datetime:
    if isinstance(value, str) and "-" in value:
        return from_china(value)
    return datetime.fromtimestamp(int(value) / 1000, UTC) if str(value).isdigit() else otherwise


def reviewed(rows: list[Any], total: Any) -> httpx.Response:
    return httpx.Response(200, json={REVIEWS: {"comments": rows, "totalItem": total, "page": 1, "resultCode": "0"}})


def cases(rows: list[Any], total: Any) -> httpx.Response:
    pages = {"currentPage": 1, "pageSize": 50, "totalItems": total}
    return httpx.Response(200, json={"success": True, "data": rows, "paginationData": pages})


def failed(code: object) -> httpx.Response:
    return httpx.Response(200, json={"error_response": {"zh_desc": "失败", "code": code, "en_desc": "failed"}})


def refused(code: object) -> httpx.Response:
    return httpx.Response(200, json={"success": False, "errorList": [{"code": code, "message": "拒绝"}]})


def make_settings(**more: Any) -> JdSettings:
    known = {"shop": SHOP, "app_key": KEY, "app_secret": SECRET, "access_token": TOKEN}
    return JdSettings.model_validate({**known, **more})


@pytest.fixture
def jd(clock: FakeClock) -> Iterator[Jd]:
    jd = Jd(clock)
    with answered_by(jd.answer):
        yield jd


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, jd: Jd) -> Connect:
    return lambda **settings: JdConnector(make_settings(**settings), context)
