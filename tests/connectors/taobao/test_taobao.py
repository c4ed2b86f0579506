"""A Taobao shop: what is read and filed, what is confirmed when, and what Taobao's errors mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.taobao import TaobaoConnector
from tests.connectors._marketplace.grants import SellersGrants
from tests.connectors.taobao.conftest import SECRET, SHOP, TOKEN, Connect, Taobao, failed, heard, listed, make_settings

DAY = timedelta(days=1)
RATINGS, REFUNDS = ["ratings"], ["refunds"]


async def test_a_rating_is_read_exactly(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    taobao.rate(1, " 漏水，客服不理人 ", created="2026-11-22 10:00:00", reply="亲，非常抱歉")
    said, answer = await heard(connect(sources=RATINGS), journal)
    assert said == Message(
        text="漏水，客服不理人",
        external_id="rate:3100000000000000001:buyer:2026-11-22 10:00:00",
        thread=("rate:3100000000000000001:buyer",),
        author=Author(id="AAF1", name="t**1"),
        posted_at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
        rating=Rating(value=1, best=3, worst=1),
        product="示例保温杯 500ml",
        order="3000000000000000001",
        permalink="https://item.taobao.com/item.htm?id=600000000001",
        visibility=Visibility.PUBLIC,
    )
    assert (answer.text, answer.author.role, answer.thread[0]) == ("亲，非常抱歉", Role.COMPANY, said.external_id)


@pytest.mark.parametrize(("result", "value"), [("good", 3), ("neutral", 2), ("bad", 1)])
async def test_three_grades(connect: Connect, taobao: Taobao, journal: MiniJournal, result: str, value: int) -> None:
    taobao.rate(1, "Lid leaks 😡", result=result, tid=None, num_iid=None, nick=None, ouid=None, item_title=None)
    (said,) = await heard(connect(sources=RATINGS), journal)
    assert (said.rating, said.order, said.permalink) == (
        Rating(value=value, best=3, worst=1),
        "3100000000000000001",
        "",
    )


async def test_our_answer_is_no_edit_of_the_rating(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(sources=RATINGS)
    written = taobao.rate(1, "漏水")["created"]
    assert len(await heard(connector, journal)) == 1
    taobao.rate(1, "漏水", created=written, reply="已为您补发")
    clock.advance(DAY)
    assert [one.author.role for one in await heard(connector, journal)] == [Role.COMPANY]


async def test_an_old_rating_is_known_and_its_edit_heard_within_a_day(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    taobao.rate(1, "很好", result="good", created="2026-11-02 10:00:00")
    connector = connect(sources=RATINGS)
    assert await heard(connector, journal) == []
    taobao.rate(1, "用了三周盖子就裂了", created="2026-11-02 10:00:00")
    assert await heard(connector, journal) == []
    clock.advance(DAY)
    assert [one.text for one in await heard(connector, journal)] == ["用了三周盖子就裂了"]


async def test_a_refund_is_a_complaint_with_its_facts(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    taobao.claim(1, "杯盖一拧就漏，烫到手了", created="2026-11-22 10:00:00", modified="2026-11-22 10:30:00")
    said, facts = await heard(connect(sources=REFUNDS), journal)
    assert (said.subject, said.text, said.is_complaint) == ("质量问题", "杯盖一拧就漏，烫到手了", True)
    assert (said.order, said.product) == ("3000000000000000001", "示例保温杯 500ml")
    assert (said.external_id, said.author.name) == ("refund:170000000000000001", "t**1")
    assert said.posted_at == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert (facts.author.role, facts.thread) == (Role.BOT, (said.external_id,))
    assert "退款金额：59.00 元" in facts.text
    assert "买家已申请，等待卖家同意" in facts.text


async def test_a_plain_reason_is_no_complaint(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    taobao.claim(1, "", reason="7天无理由退换货")
    taobao.claim(2, "颜色和图片差太多", reason="多拍/拍错/不想要")
    taobao.claim(3, "", reason="收到商品少件、破损或污渍")
    connector = connect(sources=REFUNDS)
    messages = await heard(connector, journal)
    said = {one.order[-1]: one for one in messages if one.author.role is Role.CUSTOMER}
    assert [said[order].is_complaint for order in "123"] == [False, False, True]
    assert [said[order].text for order in "123"] == ["", "颜色和图片差太多", "收到商品少件、破损或污渍"]
    assert "退款原因：7天无理由退换货" in next(one.text for one in messages if "000001-facts" in one.external_id)
    assert all(connector.parse(raw, make_settings(plain_reasons=[]))[0].is_complaint for raw in journal.raws)


async def test_a_change_of_state_alone_is_no_edit_of_what_was_said(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(sources=REFUNDS)
    taobao.claim(1, "漏水")
    before = await heard(connector, journal)
    clock.advance(DAY)
    taobao.claim(1, "漏水", status="SELLER_REFUSE_BUYER")
    after = await heard(connector, journal)
    assert (before[0].external_id, before[0].revision) == (after[0].external_id, after[0].revision)
    assert before[1].revision != after[1].revision
    assert "卖家拒绝退款" in after[1].text
    clock.advance(DAY)
    taobao.claim(1, "漏水，卖家拒绝，要求平台介入", status="SELLER_REFUSE_BUYER")
    assert (await heard(connector, journal))[0].revision != before[0].revision


async def test_refunds_that_move_while_they_are_read_hide_none(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(30):
        taobao.claim(number, f"第 {number} 笔：漏水", age=timedelta(minutes=30 + number))
    taobao.page_items = 100
    numbers = iter(range(30))

    def change() -> None:
        number = next(numbers, None)
        if number is not None:
            taobao.claim(number, f"第 {number} 笔：漏水", age=timedelta(), status="SUCCESS")

    taobao.between = change
    connector = connect(sources=REFUNDS)
    await heard(connector, journal)
    clock.advance(timedelta(hours=1))
    await heard(connector, journal)
    assert {raw.key for raw in journal.raws} == {f"refund:{170000000000000000 + number}" for number in range(30)}


@pytest.mark.parametrize("source", [RATINGS, REFUNDS])
async def test_three_days_without_us_lose_nothing(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock, source: list[str]
) -> None:
    taobao.most = 50
    await heard(connect(sources=source), journal)
    clock.advance(3 * DAY)
    for number in range(70):
        (taobao.rate if source == RATINGS else taobao.claim)(number, "漏水", age=timedelta(hours=number + 1))
    await heard(connect(sources=source), journal)
    assert (len(journal.raws), journal.gaps) == (70, [])


async def test_half_a_year_without_us_is_a_gap(
    connect: Connect, taobao: Taobao, journal: MiniJournal, clock: FakeClock
) -> None:
    await heard(connect(sources=RATINGS), journal)
    clock.advance(200 * DAY)
    await heard(connect(sources=RATINGS), journal)
    assert [gap.until for gap in journal.gaps] == [START + 20 * DAY]


async def test_more_ratings_than_one_question_brings(connect: Connect, taobao: Taobao, journal: MiniJournal) -> None:
    for number in range(1, 1700):
        taobao.ratings.append(taobao.rate(0, "漏水", age=timedelta(minutes=number)) | {"oid": 31 * 10**17 + number})
    taobao.ratings[:] = [row for row in taobao.ratings if row["oid"] > 31 * 10**17]
    await hear(connect(sources=RATINGS), journal, limit=200)
    assert (len(journal.raws), journal.gaps) == (1699, [])


async def test_streams_and_check(connect: Connect, taobao: Taobao) -> None:
    taobao.rate(1, "漏水")
    connector = connect(sources=["ratings", "refunds", "messages"])
    assert set(await connector.streams()) == {
        f"taobao://{SHOP}/{source}" for source in ("ratings", "refunds", "messages")
    }
    found = await connector.check()
    assert [str(one) for one in found.details] == ["1 ratings in a day", "0 refunds changed in a day"]


@pytest.mark.parametrize("method", ["hmac", "hmac-sha256"])
async def test_other_ways_to_sign_are_sent_as_such(connect: Connect, taobao: Taobao, method: str) -> None:
    with pytest.raises(AuthError, match="app_secret"):  # the simulator knows MD5 alone
        await connect(sign_method=method).check()
    assert taobao.calls[-1]["sign_method"] == method
    assert len(taobao.calls[-1]["sign"]) == (64 if method.endswith("256") else 32)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(404), ConfigError, "does not take this call"),
        (failed(7, "accesscontrol.limited-by-api-access-count"), RetryLater, "too many"),
        (failed("7", "", "This ban will last for 15 more seconds"), RetryLater, "too many"),
        (failed(15, "isp.call-limited"), RetryLater, "too many"),
        (failed(15, "isp.top-remote-connection-timeout"), Unavailable, "timeout"),
        (failed(11, "isv.permission-api-package-limit"), ConfigError, "apply for it"),
        (failed(25, "isv.invalid-signature"), AuthError, "app_secret"),
        (failed(29), AuthError, "app_key"),
        (failed(41, "isv.invalid-parameter"), ConfigError, "does not take this call"),
        (failed(None), Unavailable, "-1"),
        (httpx.Response(200, json={"error_response": []}), Unavailable, "-1"),
        (httpx.Response(200, json={}), Unavailable, "not what it documents"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
        (listed("traderates_get_response", "trade_rates", "trade_rate", [{}], "many"), Unavailable, "how many rows"),
        (
            httpx.Response(200, json={"traderates_get_response": {"trade_rates": 5, "total_results": 1}}),
            Unavailable,
            "not what it documents",
        ),
    ],
)
async def test_errors_say_what_is_to_be_done(
    connect: Connect,
    taobao: Taobao,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    taobao.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(sources=RATINGS), journal)
    assert SECRET not in str(caught.value) + caught.value.detail
    assert TOKEN not in str(caught.value) + caught.value.detail
    if isinstance(caught.value, RetryLater) and "15 more" in caught.value.detail:
        assert caught.value.after_seconds == 15


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        {},
        {"oid": ""},
        {"oid": True, "created": "2026-11-22 10:00:00"},
        {"oid": 5, "created": "yesterday"},
        {"oid": 5, "created": "9999999999999999"},
        {"oid": "x" * 100_000, "created": "2026-11-22 10:00:00"},
    ],
)
async def test_rows_that_are_no_ratings_become_letters(
    connect: Connect, taobao: Taobao, journal: MiniJournal, row: Any
) -> None:
    good = taobao.rate(1, "漏水")
    for _ in range(2):
        taobao.faults = [listed("traderates_get_response", "trade_rates", "other_name", [row, good], 2)]
        await hear(connect(sources=RATINGS), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize(
    "body",
    [b'{"oid": 5, "created": 7}', b'{"oid": 5, "created": "x", "result": "awful"}', b'{"oid": 5, "created": "x"}'],
)
def test_ratings_that_cannot_be_read(body: bytes) -> None:
    raw = Raw(key="rate:5", body=body, media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="rate:5"):
        TaobaoConnector.parse(raw, make_settings())


def test_an_edit_is_told_as_one() -> None:
    body = '{"oid": 5, "created": "2026-11-22 10:00:00", "result": "bad", "content": "漏"}'.encode()
    raw = Raw(key="rate:5", ordinal=2, body=body, media_type="application/json", received_at=START)
    assert TaobaoConnector.parse(raw, make_settings())[0].kind is Kind.EDITED


@pytest.mark.parametrize(
    "wrong", [{"app_key": "abc"}, {"shop": ""}, {"sources": []}, {"sources": ["orders"]}, {"url": "http://taobao.com"}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


def test_secrets_lose_the_blanks_around_them() -> None:
    assert make_settings(app_secret=" s3cret-of-the-app \n").app_secret.get_secret_value() == "s3cret-of-the-app"


class TestGrants(SellersGrants):
    page = "https://oauth.taobao.com/authorize?client_id=12345678&view=web&response_type=code&"
    told_by = ("grant_type", "authorization_code", "refresh_token")
    lasts = timedelta(days=2)

    @pytest.fixture
    def market(self, taobao: Taobao) -> Taobao:
        return taobao
