"""After-sales cases of a Pinduoduo shop: what is read, what follows up, and what its errors mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Kind, Message, Raw, Role
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.pdd import PddConnector
from tests.connectors._marketplace.grants import SellersGrants
from tests.connectors.pdd.conftest import SECRET, SHOP, TOKEN, Connect, Pinduoduo, failed, listed, make_settings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def heard(connector: PddConnector, journal: MiniJournal) -> list[Message]:
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


@pytest.mark.parametrize("as_number", [False, True])
async def test_a_case_is_read_exactly(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, as_number: bool
) -> None:
    row = pinduoduo.claim(1, "收到商品破损 📦")
    if as_number:  # as other clients have seen it
        row["created_time"] = str(int(START.timestamp()) - 3600)
        row["after_sales_type"] = "2"
    said, facts = await heard(connect(), journal)
    assert (said.text, said.subject, said.is_complaint) == ("收到商品破损 📦", "", True)
    assert (said.external_id, said.order) == ("after-sales:30100000000000001", "261122-000000000000001")
    assert (said.product, said.posted_at) == ("示例收纳箱 大号", START - HOUR)
    assert (facts.author.role, facts.thread) == (Role.BOT, (said.external_id,))
    assert facts.text.splitlines() == [
        "售后编号：30100000000000001",
        "类型：仅退款",
        "状态：买家申请退款，待商家处理",
        "原因：收到商品破损 📦",
        "退款金额：8.00 元",
        "订单金额：19.90 元",
        "商家编码：BOX-L",
    ]


async def test_a_plain_reason_is_no_complaint_until_the_platform_is_called_in(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(statuses=[2, 8])
    pinduoduo.claim(1, "不喜欢、效果不好")
    said, _ = await heard(connector, journal)
    assert (said.text, said.is_complaint) == ("", False)
    clock.advance(HOUR)
    pinduoduo.claim(1, "不喜欢、效果不好", status=8, age=timedelta(minutes=10))
    again, facts = await heard(connector, journal)
    assert (again.text, again.is_complaint) == ("不喜欢、效果不好", True)
    assert "平台处理中" in facts.text
    assert again.revision != said.revision


async def test_a_new_state_is_no_edit_and_a_withdrawn_case_is_told(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    pinduoduo.claim(1)
    before = await heard(connector, journal)
    clock.advance(HOUR)
    pinduoduo.claim(1, status=11, age=timedelta(minutes=10))
    said, facts, gone = await heard(connector, journal)
    assert (said.external_id, said.revision) == (before[0].external_id, before[0].revision)
    assert facts.revision != before[1].revision
    assert (gone.kind, gone.external_id, gone.posted_at) == (
        Kind.WITHDRAWN,
        said.external_id,
        clock.now() - timedelta(minutes=10),
    )


async def test_each_state_is_asked_for_in_closed_half_hours(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal
) -> None:
    for number, status in enumerate((2, 10, 11)):
        pinduoduo.claim(number, status=status)
    await heard(connect(), journal)
    assert len(journal.raws) == 3
    assert {call["after_sales_status"] for call in pinduoduo.calls} == {"2", "10", "11"}
    assert len(make_settings(statuses=list(range(2, 19))).statuses) == 17


async def test_cases_that_move_while_they_are_read_hide_none(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(300):
        pinduoduo.claim(number, age=timedelta(minutes=20, seconds=number))
    numbers = iter(range(0, 300, 3))

    def change() -> None:
        if (number := next(numbers, None)) is not None:
            pinduoduo.claim(number, status=10, age=timedelta())

    pinduoduo.between = change
    connector = connect(look_back="PT30M")
    await hear(connector, journal, limit=100)
    clock.advance(HOUR)
    pinduoduo.between = lambda: None
    await hear(connector, journal, limit=100)
    assert len({raw.key for raw in journal.raws}) == 300


async def test_three_days_without_us_lose_nothing(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, clock: FakeClock
) -> None:
    await heard(connect(statuses=[2]), journal)
    clock.advance(3 * DAY)
    for number in range(72):
        pinduoduo.claim(number, age=timedelta(hours=number, minutes=5))
    await heard(connect(statuses=[2]), journal)
    assert (len(journal.raws), journal.gaps) == (72, [])


async def test_streams_and_check(connect: Connect, pinduoduo: Pinduoduo) -> None:
    pinduoduo.claim(1, age=timedelta(minutes=10))
    found = await connect().check()
    assert [str(one) for one in found.details] == ["1 cases of status 2 in half an hour"]
    assert await connect().streams() == (f"pdd://{SHOP}/2,10,11",)
    statuses = [*range(2, 19), *range(21, 28), *range(31, 34)]
    assert await connect(statuses=statuses).streams() == (f"pdd://{SHOP}/all",)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(404), ConfigError, "`url`"),
        (httpx.Response(503), RetryLater, "503"),
        (httpx.Response(502), Unavailable, "502"),
        (failed(70031, "调用过于频繁"), RetryLater, "too many"),
        (failed("20004"), AuthError, "client_secret"),
        (failed(10035, "应用未授权该接口权限"), ConfigError, "apply for it"),
        (failed(52101), Unavailable, "52101"),
        (failed(None), Unavailable, "-1"),
        (httpx.Response(200, json={"error_response": "no"}), Unavailable, "-1"),
        (httpx.Response(200, json={}), Unavailable, "not what it documents"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
        (listed([{}], "many"), Unavailable, "not what it documents"),
        (listed([{}, {}], 1), Unavailable, "not what it documents"),
    ],
)
async def test_errors_say_what_is_to_be_done(
    connect: Connect,
    pinduoduo: Pinduoduo,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    pinduoduo.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    shown = str(caught.value) + caught.value.detail
    assert SECRET not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize("row", [None, 7, {}, {"id": ""}, {"id": True}, {"id": ["x"]}, {"id": "9" * 100_000}])
async def test_rows_that_are_no_cases_become_letters(
    connect: Connect, pinduoduo: Pinduoduo, journal: MiniJournal, row: Any
) -> None:
    for _ in range(2):
        pinduoduo.faults = [listed([row, pinduoduo.claim(1)], 2)]
        await hear(connect(look_back="PT20M"), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize(
    "body", [b'{"id": 5, "after_sales_status": "two"}', b'{"id": 5, "order_sn": []}', b'{"order_sn": "x"}']
)
def test_cases_that_cannot_be_read(body: bytes) -> None:
    raw = Raw(key="after-sales:5", body=body, media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="after-sales:5"):
        PddConnector.parse(raw, make_settings())


def test_what_is_not_told_is_not_made_up() -> None:
    raw = Raw(key="after-sales:5", body=b'{"id": 5}', media_type="application/json", received_at=START)
    said, _ = PddConnector.parse(raw, make_settings())
    assert (said.text, said.order, said.product, said.posted_at) == ("", "", "", None)
    stamped = b'{"id": 5, "created_time": 1767225600, "updated_time": "1767225600"}'
    raw = Raw(key="after-sales:5", body=stamped, media_type="application/json", received_at=START)
    said, facts = PddConnector.parse(raw, make_settings())
    assert said.posted_at == facts.posted_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong", [{"client_id": ""}, {"statuses": []}, {"statuses": [0]}, {"url": "ftp://x"}, {"interval_seconds": 1}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


class TestGrants(SellersGrants):
    page = "https://fuwu.pinduoduo.com/service-market/auth?client_id=pddcid&response_type=code&"
    told_by = ("type", "pdd.pop.auth.token.create", "pdd.pop.auth.token.refresh")

    @pytest.fixture
    def market(self, pinduoduo: Pinduoduo) -> Pinduoduo:
        return pinduoduo
