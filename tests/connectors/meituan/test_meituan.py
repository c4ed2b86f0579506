"""Comments on 美团外卖: what is read, how often, and what the platform's answers ask for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Kind, Message, Rating, Raw, Role
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors._marketplace.times import BEIJING
from connectors.meituan import MeituanConnector
from connectors.meituan.api import sign
from tests.connectors.meituan.conftest import (
    DAY,
    OTHER_SHOP,
    SECRET,
    SHOP,
    Connect,
    Takeaway,
    day_of,
    make_settings,
    refused,
)


async def heard(connector: MeituanConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def said(messages: list[Message], role: Role = Role.CUSTOMER) -> list[str]:
    return [message.text for message in messages if message.author.role is role]


def test_the_signature_of_the_fact_sheet() -> None:
    asked = {
        "app_id": "9999",
        "app_poi_code": "S001",
        "end_time": "20260102",
        "pageoffset": "0",
        "pagesize": "20",
        "replyStatus": "0",
        "start_time": "20260101",
        "timestamp": "1767225600",
    }
    url = "https://waimaiopen.meituan.com/api/v1/comment/query"
    assert sign(url, asked, "mtSecret") == "1871b8af394b685e32641a666f8971a6"


async def test_a_comment_is_read_exactly(connect: Connect, takeaway: Takeaway, journal: MiniJournal) -> None:
    takeaway.write(
        1,
        "送餐慢了一小时，汤全洒了😡",
        comment_lables="送餐慢,餐品撒漏",
        critic_food_list="番茄牛腩汤",
        comment_pictures="https://p0.meituan.example/a.jpg,https://p0.meituan.example/b.jpg",
        comment_order_detail=[{"food_name": "番茄牛腩汤", "count": 2}],
        over_delivery_time_desc="超时10分钟以上送达",
    )
    comment, facts = await heard(connect(), journal)
    assert comment.text == "送餐慢了一小时，汤全洒了😡\n标签：送餐慢,餐品撒漏\n点踩：番茄牛腩汤"
    assert (comment.external_id, comment.rating) == ("2200000000001", Rating(value=1))
    assert comment.product == "示例餐厅（人民路店）"
    assert comment.posted_at == datetime.fromisoformat(day_of(DAY)).replace(tzinfo=BEIJING)
    assert [one.ref and one.ref.locator["url"][-5:] for one in comment.attachments] == ["a.jpg", "b.jpg"]
    assert (facts.author.role, facts.thread) == (Role.BOT, ("2200000000001",))
    assert facts.text == "质量：3 星\n包装：5 星\n配送：2 星\n所点菜品：番茄牛腩汤×2\n配送时长：超时10分钟以上送达"


async def test_an_english_one_with_much_left_out(connect: Connect, takeaway: Takeaway, journal: MiniJournal) -> None:
    takeaway.comments[SHOP] = [
        {"comment_id": "77", "comment_content": "Cold food, late", "comment_time": day_of(DAY), "food_comment_score": 0}
    ]
    (comment,) = await heard(connect(shops={SHOP: ""}), journal)
    assert (comment.text, comment.rating, comment.product) == ("Cold food, late", None, SHOP)


async def test_stars_without_a_word(connect: Connect, takeaway: Takeaway, journal: MiniJournal) -> None:
    takeaway.write(1, "")
    assert said(await heard(connect(), journal)) == ["总体：1 星"]


@pytest.mark.parametrize("is_all", [False, True], ids=["1-is-answered", "1-is-all"])
async def test_whatever_the_second_list_holds_each_is_read_once(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, is_all: bool
) -> None:
    takeaway.is_all = is_all
    for number in range(45):
        takeaway.write(number, f"第 {number} 条：少送一份", reply_status=number % 2)
    assert len(said(await heard(connect(), journal))) == 45
    assert await heard(connect(), journal) == []


async def test_what_is_added_weeks_later_and_our_answer(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    takeaway.write(1, "一般")
    await hear(connector, journal)
    clock.advance(12 * DAY)
    added: dict[str, Any] = {"add_comment": "吃完拉肚子，要求赔偿", "add_comment_time": day_of(-11 * DAY)}
    takeaway.write(1, "一般", **added)
    found = await heard(connector, journal)
    assert said(found) == ["一般", "吃完拉肚子，要求赔偿"]
    assert found[1].thread == ("2200000000001",)
    clock.advance(DAY)
    answered: dict[str, Any] = {
        "reply_status": 1,
        "e_reply_content": "非常抱歉，已为您退款",
        "e_reply_time": day_of(-12 * DAY),
    }
    takeaway.write(1, "一般", **added, **answered)
    found = await heard(connector, journal)
    assert (said(found), said(found, Role.COMPANY)) == ([], ["非常抱歉，已为您退款"])
    assert found[0].thread == ("2200000000001",)


async def test_older_ones_are_known_and_a_change_of_one_is_heard(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(12, 25):
        takeaway.write(number, "好吃", stars=5, age=number * DAY)
    takeaway.write(1, "少送一份", age=2 * DAY)
    connector = connect()
    assert said(await heard(connector, journal)) == ["少送一份"]
    assert len(journal.raws) == 14
    takeaway.write(20, "好吃个鬼", stars=1, age=20 * DAY)
    clock.advance(DAY)
    assert said(await heard(connector, journal)) == ["好吃个鬼"]
    raw = journal.raws[-1]
    again = Raw(key=raw.key, ordinal=2, body=raw.body, media_type=raw.media_type, received_at=START)
    assert connector.parse(again, connector.settings)[0].kind is Kind.EDITED


@pytest.mark.parametrize("limit", [1, 7])
async def test_three_days_without_us_lose_nothing(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, clock: FakeClock, limit: int
) -> None:
    takeaway.write(0, "少送一份")
    await hear(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 70):
        takeaway.write(number, f"第 {number} 条：少送一份", age=DAY - number * timedelta(hours=1))
    await hear(connect(), journal, limit=limit)
    assert len(journal.raws) == 70
    assert journal.gaps == []


async def test_more_than_four_weeks_without_us_are_a_gap(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connect(), journal)
    clock.advance(40 * DAY)
    await hear(connect(), journal)
    (gap,) = journal.gaps
    assert gap.since == START - DAY
    assert timedelta() <= gap.until - (START + 11 * DAY) < timedelta(minutes=1)


@pytest.mark.parametrize("hour", range(0, 24, 5))
async def test_only_days_that_are_over_are_asked_for(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, clock: FakeClock, hour: int
) -> None:
    clock.advance(timedelta(hours=hour))
    for _ in range(3):
        await hear(connect(), journal)  # the simulator refuses what Meituan refuses
        clock.advance(timedelta(hours=7))
    spans = {(query["start_time"], query["end_time"]) for query in takeaway.asked}
    assert all(begin <= end for begin, end in spans)


async def test_shops_are_streams_of_their_own(connect: Connect, takeaway: Takeaway, journal: MiniJournal) -> None:
    connector = connect(shops={SHOP: "一店", OTHER_SHOP: "二店"})
    assert await connector.streams() == ("meituan://9999/S001", "meituan://9999/S002")
    takeaway.comments[OTHER_SHOP].append(takeaway.write(5, "洒了"))
    takeaway.comments[SHOP].clear()
    assert {one.product for one in await heard(connector, journal) if one.rating} == {"二店"}
    assert [str(one) for one in (await connector.check()).details] == [
        "一店: 0 comments yesterday",
        "二店: 1 comments yesterday",
    ]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (refused(703, "签名验证错误"), AuthError, "key and secret"),
        (refused(705, "时间戳已过期"), ConfigError, "timestamp_unit"),
        (refused(803, "门店不存在"), ConfigError, "this shop"),
        (refused(706, "没有权限"), ConfigError, "console"),
        (refused(1030, "请求过于频繁"), RetryLater, "slow down"),
        (refused(1, "系统错误"), Unavailable, "Meituan: 1"),
        (httpx.Response(200, json={"data": "ng", "error": "?"}), Unavailable, "Meituan"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, json={"data": {}}), Unavailable, "not a list"),
        (httpx.Response(200, json={}), Unavailable, "not a list"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect,
    takeaway: Takeaway,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    takeaway.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize("row", [None, 7, [], {}, {"comment_id": ""}, {"comment_id": None}, {"comment_id": [1]}])
async def test_rows_that_are_no_comments_become_letters(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, row: Any
) -> None:
    takeaway.write(1, "洒了")
    takeaway.comments[SHOP].append(row)
    for _ in range(2):
        await hear(connect(), journal)
    assert sorted(bool(raw.quarantine) for raw in journal.raws) == [False, True]


@pytest.mark.parametrize("wrong", [{"food_comment_score": 6}, {"food_comment_score": "x"}, {"comment_content": {}}])
async def test_comments_that_cannot_be_read_are_letters(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, wrong: dict[str, Any]
) -> None:
    takeaway.write(1, "洒了", **wrong)
    with pytest.raises(BadMessage, match="2200000000001"):
        await heard(connect(), journal)


async def test_the_last_page_of_a_flood_is_never_silently_cut(
    connect: Connect, takeaway: Takeaway, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.meituan.api.MAX_PAGES", 2)
    for number in range(41):
        takeaway.write(number, "洒了")
    with pytest.raises(Unavailable, match="more than 40 comments"):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    "wrong", [{"shops": {}}, {"shops": {"a b": ""}}, {"app_id": "x"}, {"reply_statuses": []}, {"reply_statuses": [2]}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)
