"""Taobao's open platform in small: ratings, refunds and the message queue of one shop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from allears_sdk.clock import Clock
from allears_sdk.context import Context
from allears_sdk.message import Message
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.taobao import TaobaoConnector, TaobaoSettings
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors._marketplace.market import Item, china, from_china, md5_of, page_of, within

SHOP, KEY, SECRET, TOKEN = "示例旗舰店", "12345678", "topSecret-of-the-app", "6100e0-session-of-the-seller"

Connect = Callable[..., TaobaoConnector]


class Taobao:
    """What is written is `age` old by its clock. `faults` are answered first, one to a call; `tokens` are the sessions
    it takes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ratings: list[Item] = []
        self.refunds: list[Item] = []
        self.added: dict[str, Item] = {}
        """What buyers added at Tmall, by order line."""
        self.queue: dict[str, Item] = {}
        self.faults: list[httpx.Response] = []
        self.calls: list[dict[str, str]] = []
        self.tokens = {TOKEN}
        self.granted: list[dict[str, str]] = []
        self.most = 1500
        self.page_items = 150
        self.between: Callable[[], None] = lambda: None
        """Happens after each call."""

    def rate(
        self, number: int, text: str, *, result: Any = "bad", age: timedelta = timedelta(hours=2), **more: Any
    ) -> Item:
        """Written, or edited under its order."""
        row = {
            "tid": 3000000000000000000 + number,
            "oid": 3100000000000000000 + number,
            "role": "buyer",
            "nick": "t**1",
            "ouid": f"AAF{number}",
            "result": result,
            "created": china(self.clock.now() - age),
            "item_title": "示例保温杯 500ml",
            "num_iid": 600000000001,
            "content": text,
        } | more
        self.ratings[:] = [one for one in self.ratings if one["oid"] != row["oid"]] + [row]
        return row

    def claim(
        self, number: int, text: str, *, reason: Any = "质量问题", age: timedelta = timedelta(hours=2), **more: Any
    ) -> Item:
        """Asked for, or changed under its number."""
        row = {
            "refund_id": 170000000000000000 + number,
            "tid": 3000000000000000000 + number,
            "oid": 3100000000000000000 + number,
            "title": "示例保温杯 500ml",
            "buyer_nick": "t**1",
            "status": "WAIT_SELLER_AGREE",
            "created": china(self.clock.now() - age),
            "modified": china(self.clock.now() - age),
            "refund_fee": "59.00",
            "reason": reason,
            "desc": text,
            "good_status": "BUYER_RECEIVED",
            "refund_phase": "onsale",
        } | more
        self.refunds[:] = [one for one in self.refunds if one.get("refund_id") != row["refund_id"]] + [row]
        return row

    def tell(self, topic: str, content: Any, *, nick: str = SHOP) -> str:
        number = str(8000000000000000000 + len(self.queue) + len(self.calls) * 1000)
        said = content if isinstance(content, str) else json.dumps(content)
        self.queue[number] = {"id": int(number), "topic": topic, "content": said, "user_nick": nick}
        return number

    def answer(self, request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        if request.url.path == "/token":
            return self._grant(form)
        self.calls.append(form)
        try:
            return self.faults.pop(0) if self.faults else self._checked(form)
        finally:
            self.between()

    def _checked(self, form: dict[str, str]) -> httpx.Response:
        signed = {name: value for name, value in form.items() if name != "sign"}
        if form["sign"] != md5_of(SECRET, signed):
            return failed(25, "isv.invalid-signature")
        if form["app_key"] != KEY:
            return failed(29, "isv.invalid-app-key")
        if form["session"] not in self.tokens:
            return failed(27, "invalid-sessionkey")
        assert (form["format"], form["v"]) == ("json", "2.0")
        return {
            "taobao.traderates.get": self._rates,
            "tmall.traderate.feeds.get": self._feed,
            "taobao.refunds.receive.get": self._claims,
            "taobao.refund.get": self._claim,
            "taobao.tmc.messages.consume": self._consume,
            "taobao.tmc.messages.confirm": self._confirm,
        }[form["method"]](form)

    def _rates(self, form: dict[str, str]) -> httpx.Response:
        assert (form["rate_type"], form["role"]) == ("get", "buyer")
        if "tid" in form:
            rows = [row for row in self.ratings if str(row["tid"]) == form["tid"]]
        else:
            begin, end = from_china(form["start_date"]), from_china(form["end_date"])
            rows = within(self.ratings, begin, end, partial(_time, "created"))
        assert int(form["page_size"]) <= 150
        given = page_of(rows[: self.most], int(form["page_no"]), min(self.page_items, int(form["page_size"])))
        return listed("traderates_get_response", "trade_rates", "trade_rate", given, len(rows))

    def _feed(self, form: dict[str, str]) -> httpx.Response:
        found = self.added.get(form["child_trade_id"])
        if found is None:
            return failed(15, "isv.trade-not-exist")
        return httpx.Response(200, json={"tmall_traderate_feeds_get_response": {"tmall_rate_info": found}})

    def _claims(self, form: dict[str, str]) -> httpx.Response:
        begin, end = from_china(form["start_modified"]), from_china(form["end_modified"])
        rows = within(self.refunds, begin, end, partial(_time, "modified"))
        assert int(form["page_size"]) <= 100
        given = page_of(rows, int(form["page_no"]), min(self.page_items, int(form["page_size"])))
        return listed("refunds_receive_get_response", "refunds", "refund", given, len(rows))

    def _claim(self, form: dict[str, str]) -> httpx.Response:
        found = [row for row in self.refunds if str(row["refund_id"]) == form["refund_id"]]
        if not found:
            return failed(15, "isv.refund-not-exist")
        return httpx.Response(200, json={"refund_get_response": {"refund": found[0]}})

    def _consume(self, form: dict[str, str]) -> httpx.Response:
        assert 10 <= int(form["quantity"]) <= 200
        rows = list(self.queue.values())[: int(form["quantity"])]
        return listed("tmc_messages_consume_response", "messages", "tmc_message", rows, None)

    def _confirm(self, form: dict[str, str]) -> httpx.Response:
        numbers = form["s_message_ids"].split(",")
        assert len(numbers) <= 200
        for number in numbers:
            self.queue.pop(number, None)
        return httpx.Response(200, json={"tmc_messages_confirm_response": {"is_success": True}})

    def _grant(self, form: dict[str, str]) -> httpx.Response:
        self.granted.append(form)
        if form["client_secret"] != SECRET or form.get("code", "c-1") != "c-1":
            return httpx.Response(400, json={"error": "invalid_grant"})
        token = f"session-{len(self.granted):04}"
        self.tokens = {token}
        return httpx.Response(
            200, json={"access_token": token, "refresh_token": f"r-{len(self.granted)}", "expires_in": "172800"}
        )


def _time(name: str, row: Item) -> datetime:
    try:
        return from_china(row[name])
    except (ValueError, TypeError, KeyError):
        return START - timedelta(hours=2)


def listed(envelope: str, outer: str, inner: str, rows: list[Item], total: Any) -> httpx.Response:
    """An empty list is left out."""
    body: Item = {"request_id": "16xyz"} | ({outer: {inner: rows}} if rows else {})
    if total is not None:
        body["total_results"] = total
    return httpx.Response(200, json={envelope: body})


def failed(code: object, sub_code: str = "", said: str = "") -> httpx.Response:
    error = {"code": code, "msg": "Remote service error", "sub_code": sub_code, "sub_msg": said}
    return httpx.Response(200, json={"error_response": error})


def make_settings(**more: Any) -> TaobaoSettings:
    known = {"shop": SHOP, "app_key": KEY, "app_secret": SECRET, "access_token": TOKEN}
    return TaobaoSettings.model_validate({**known, **more})


async def heard(connector: TaobaoConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


@pytest.fixture
def taobao(clock: FakeClock) -> Iterator[Taobao]:
    taobao = Taobao(clock)
    with answered_by(taobao.answer):
        yield taobao


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, taobao: Taobao) -> Connect:
    return lambda **settings: TaobaoConnector(make_settings(**settings), context)
