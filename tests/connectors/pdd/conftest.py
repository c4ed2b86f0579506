"""Pinduoduo's open platform in small: the after-sales cases of one shop, and its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.clock import Clock
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from connectors.pdd import PddConnector, PddSettings
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors._marketplace.market import Item, china, from_china, md5_of, page_of, within

SHOP, CLIENT, SECRET, TOKEN = "示例家居专营店", "pddcid", "pddSecret-of-the-app", "tok001-of-the-shop"

Connect = Callable[..., PddConnector]


class Pinduoduo:
    """What is changed is `age` old by its clock. `faults` are answered first, one to a call; `tokens` are those it
    takes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.cases: list[Item] = []
        self.faults: list[httpx.Response] = []
        self.calls: list[dict[str, str]] = []
        self.tokens = {TOKEN}
        self.granted: list[dict[str, str]] = []
        self.page_items = 100
        self.between: Callable[[], None] = lambda: None
        """Happens after each call."""

    def claim(
        self,
        number: int,
        reason: Any = "商品破损",
        *,
        status: Any = 2,
        age: timedelta = timedelta(hours=1),
        **more: Any,
    ) -> Item:
        """Asked for, or changed under its number."""
        row = {
            "id": 30100000000000000 + number,
            "order_sn": f"261122-{number:015}",
            "after_sales_status": status,
            "after_sales_type": 2,
            "after_sale_reason": reason,
            "goods_name": "示例收纳箱 大号",
            "goods_id": 1,
            "outer_id": "BOX-L",
            "refund_amount": "8.00",
            "order_amount": "19.90",
            "created_time": china(self.clock.now() - age),
            "updated_time": china(self.clock.now() - age),
        } | more
        self.cases[:] = [one for one in self.cases if one.get("id") != row["id"]] + [row]
        return row

    def answer(self, request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        self.calls.append(form)
        try:
            return self.faults.pop(0) if self.faults else self._checked(form)
        finally:
            self.between()

    def _checked(self, form: dict[str, str]) -> httpx.Response:
        signed = {name: value for name, value in form.items() if name != "sign"}
        if form["sign"] != md5_of(SECRET, signed) or form["client_id"] != CLIENT:
            return failed(20004, "签名错误")
        assert abs(int(form["timestamp"]) - self.clock.now().timestamp()) < 600
        assert form["data_type"] == "JSON"
        if form["type"].startswith("pdd.pop.auth.token."):
            return self._grant(form)
        if form["access_token"] not in self.tokens:
            return failed(10019, "access_token已过期")
        assert form["type"] == "pdd.refund.list.increment.get"
        return self._list(form)

    def _list(self, form: dict[str, str]) -> httpx.Response:
        begin, end = (datetime.fromtimestamp(int(form[f"{edge}_updated_at"]), UTC) for edge in ("start", "end"))
        assert timedelta() < end - begin <= timedelta(minutes=30)
        assert end <= self.clock.now() - timedelta(minutes=3)
        rows = [row for row in self.cases if str(row.get("after_sales_status")) in (form["after_sales_status"], "?")]
        rows = within(rows, begin, end, lambda row: from_china(row["updated_time"]))
        size = min(self.page_items, int(form["page_size"]))
        return listed(page_of(rows, int(form["page"]), size), len(rows))

    def _grant(self, form: dict[str, str]) -> httpx.Response:
        self.granted.append(form)
        if form.get("code", "c-1") != "c-1":
            return failed(50001, "code无效")
        token = f"token-{len(self.granted):04}"
        self.tokens = {token}
        kind = form["type"].rpartition(".")[2]
        body = {"access_token": token, "refresh_token": f"r-{len(self.granted)}", "expires_in": 86_400}
        return httpx.Response(200, json={f"pop_auth_token_{kind}_response": body})


def listed(rows: list[Any], total: Any) -> httpx.Response:
    return httpx.Response(200, json={"refund_increment_get_response": {"total_count": total, "refund_list": rows}})


def failed(code: object, said: str = "") -> httpx.Response:
    error = {"error_code": code, "error_msg": said, "sub_code": "", "sub_msg": said, "request_id": "16xyz"}
    return httpx.Response(200, json={"error_response": error})


def make_settings(**more: Any) -> PddSettings:
    known = {"shop": SHOP, "client_id": CLIENT, "app_secret": SECRET, "access_token": TOKEN}
    return PddSettings.model_validate({**known, "statuses": [2, 10, 11], "look_back": "PT3H", **more})


@pytest.fixture
def pinduoduo(clock: FakeClock) -> Iterator[Pinduoduo]:
    pinduoduo = Pinduoduo(clock)
    with answered_by(pinduoduo.answer):
        yield pinduoduo


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, pinduoduo: Pinduoduo) -> Connect:
    return lambda **settings: PddConnector(make_settings(**settings), context)
