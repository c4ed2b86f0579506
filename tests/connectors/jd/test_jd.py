"""A JD shop: what is read and filed, what follows up, and what JD's errors mean."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.sorted_signing import sign_md5
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.jd import JdConnector
from connectors.jd.parse import image_path
from tests.connectors._marketplace.grants import SellersGrants
from tests.connectors.jd.conftest import (
    SECRET,
    SHOP,
    TOKEN,
    Connect,
    Jd,
    cases,
    failed,
    make_settings,
    refused,
    reviewed,
)

DAY = timedelta(days=1)
REVIEWS, AFTER_SALES = ["reviews"], ["after_sales"]


async def heard(connector: JdConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def test_signatures_are_those_of_the_worked_examples() -> None:
    given = {
        "360buy_param_json": (
            '{"beginTime":"2026-01-01 00:00:00","endTime":"2026-01-01 01:00:00","page":"1","pageSize":"50"}'
        ),
        "access_token": "tok001",
        "app_key": "JDAPPKEY",
        "method": "jingdong.pop.PopCommentJsfService.getVenderCommentsForJos",
        "timestamp": "2026-01-01 08:00:00.000+0800",
        "v": "2.0",
    }
    assert sign_md5("jdSecret", given) == "B8F3C8DC18EB936CD863E867556A6935"
    headers = {
        "X-JOS-App-Key": "JDAPPKEY",
        "X-JOS-Access-Token": "tok001",
        "X-JOS-Timestamp": "1767225600000",
    }
    span = {"updateStartTime": "1767222000000", "updateEndTime": "1767225600000", "page": "1", "pageSize": "50"}
    assert sign_md5("jdSecret", headers | span) == "8C6F0DEBB7CCDD52CBB93E40E22EC183"
    detail = {"scopeSet": "refundInfo,skuExtInfo", "afsOrderId": "1001"}
    assert sign_md5("jdSecret", headers | detail) == "87EE23883FDEADDC25599F27812189F4"


@pytest.mark.parametrize("in_words", [False, True])
async def test_a_review_is_read_exactly(connect: Connect, jd: Jd, journal: MiniJournal, in_words: bool) -> None:
    row = jd.rate(1, " 煮饭夹生，客服推脱 ", score="1", creationTime=1795312800000)
    if in_words:
        row["creationTime"] = "2026-11-22 10:00:00"
    (said,) = await heard(connect(sources=REVIEWS), journal)
    assert said == Message(
        text="煮饭夹生，客服推脱",
        external_id="review:175000000001",
        author=Author(id="oid1", name="j***8"),
        posted_at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
        rating=Rating(value=1, best=5, worst=1),
        product="示例电饭煲 4L",
        order="29000000001",
        permalink="https://item.jd.com/100012043978.html",
        visibility=Visibility.PUBLIC,
    )


async def test_our_replies_are_context_and_no_edit(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(sources=REVIEWS)
    written = jd.rate(1, "Rice cooker smells burnt 😡")["creationTime"]
    assert len(await heard(connector, journal)) == 1
    reply = {"replyId": 7, "content": "已联系您", "creationTime": "2026-11-22 11:30:00", "nickName": "示例客服"}
    jd.rate(
        1, "Rice cooker smells burnt 😡", creationTime=written, replyCount=1, replies=[reply, None, {"content": "x"}]
    )
    clock.advance(DAY)
    (answer,) = await heard(connector, journal)
    assert (answer.text, answer.author.role) == ("已联系您", Role.COMPANY)
    assert answer.thread == ("review:175000000001",)


async def test_pictures_are_asked_for_at_jd_alone(connect: Connect, jd: Jd, journal: MiniJournal) -> None:
    urls = [
        "//img30.360buyimg.com/n1/a.jpg",
        "https://evil.example.com/a.jpg",
        None,
        "https://img1.360buyimg.com/b.jpg",
    ]
    jd.rate(1, "裂了", images=[{"imgUrl": url} for url in urls])
    (said,) = await heard(connect(sources=REVIEWS), journal)
    assert [one.ref.locator["path"] if one.ref else one.skipped for one in said.attachments] == [
        "img30.360buyimg.com/n1/a.jpg",
        "not an address of JD's",
        "not an address of JD's",
        "img1.360buyimg.com/b.jpg",
    ]


@pytest.mark.parametrize(
    "address",
    ["//360buyimg.com.evil.example/a", "//x.360buyimg.com", "//[", "//x.360buyimg.com/a?u=1", "a", "file:///x"],
)
def test_addresses_that_are_not_jds(address: str) -> None:
    assert image_path(address) == ""


def test_scores_may_be_classes() -> None:
    body = b'{"commentId": 5, "score": 2}'
    raw = Raw(key="review:5", ordinal=2, body=body, media_type="application/json", received_at=START)
    (said,) = JdConnector.parse(raw, make_settings(score_scale="class"))
    assert (said.rating, said.kind) == (Rating(value=2, best=3, worst=1), Kind.EDITED)
    with pytest.raises(BadMessage, match="score_scale"):
        JdConnector.parse(
            Raw(key="review:5", body=b'{"commentId": 5, "score": 5}', media_type="application/json", received_at=START),
            make_settings(score_scale="class"),
        )


async def test_an_old_review_is_known_and_its_edit_heard_within_a_day(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    connector, written = connect(sources=REVIEWS), "2026-11-01 10:00:00"
    jd.rate(1, "好用", score=5, creationTime=written)
    assert await heard(connector, journal) == []
    jd.rate(1, "三周就坏了", score=1, creationTime=written)
    clock.advance(DAY)
    assert [one.text for one in await heard(connector, journal)] == ["三周就坏了"]


async def test_a_case_is_a_complaint_with_its_facts(connect: Connect, jd: Jd, journal: MiniJournal) -> None:
    jd.claim(1, "内胆掉漆，用了两次")
    said, facts = await heard(connect(sources=AFTER_SALES), journal)
    assert (said.text, said.subject, said.is_complaint) == ("内胆掉漆，用了两次", "质量问题", True)
    assert (said.external_id, said.order, said.product) == ("after-sales:1001", "29000000001", "示例电饭煲 4L")
    assert said.posted_at == START - timedelta(hours=2)
    assert facts.text.splitlines() == [
        "服务单号：1001",
        "状态：10001",
        "客户期望：10",
        "原因：质量问题",
        "退款状态：1",
        "申请退款金额：199.00 元",
    ]
    assert facts.author.role is Role.BOT


async def test_words_under_another_name_or_none_at_all(connect: Connect, jd: Jd, journal: MiniJournal) -> None:
    jd.claim(1, None, customerApplyInfo={"remark": "漏电", "customerExpect": 10})
    connector = connect(sources=AFTER_SALES)
    said, _ = await heard(connector, journal)
    assert (said.text, said.subject) == ("", "京东售后服务单 1001")
    assert connector.parse(journal.raws[0], make_settings(words_field="remark"))[0].text == "漏电"


async def test_a_new_state_is_no_edit_of_what_was_said(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(sources=AFTER_SALES)
    jd.claim(1, "掉漆")
    before = await heard(connector, journal)
    clock.advance(DAY)
    jd.claim(1, "掉漆", status="20001")
    after = await heard(connector, journal)
    assert after[0].revision == before[0].revision
    assert after[1].revision != before[1].revision


@pytest.mark.parametrize("source", [REVIEWS, AFTER_SALES])
async def test_three_days_without_us_lose_nothing(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock, source: list[str]
) -> None:
    jd.page_items = 50
    await heard(connect(sources=source), journal)
    clock.advance(3 * DAY)
    for number in range(140):
        (jd.rate if source == REVIEWS else jd.claim)(number, "坏了", age=timedelta(minutes=30 * number + 5))
    await heard(connect(sources=source), journal)
    assert (len(journal.raws), journal.gaps) == (140, [])


async def test_a_case_that_is_listed_but_not_to_be_had_is_a_letter(
    connect: Connect, jd: Jd, journal: MiniJournal
) -> None:
    jd.claim(1, "掉漆")
    jd.rows = [{"afsOrderId": 99}]
    assert len(await heard(connect(sources=AFTER_SALES), journal)) == 2
    assert journal.missing["after-sales:99"].locator == {"afsOrderId": "99"}


async def test_a_case_whose_page_fails_holds_up_the_others_three_times(
    connect: Connect, jd: Jd, journal: MiniJournal
) -> None:
    jd.claim(1, "掉漆")
    jd.claim(2, "漏电")
    jd.broken = {"1001"}
    connector = connect(sources=AFTER_SALES)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await hear(connector, journal)
    await hear(connector, journal)
    assert set(journal.missing) == {"after-sales:1001"}
    assert [raw.key for raw in journal.raws] == ["after-sales:1002"]


async def test_an_outage_of_the_cases_pages_makes_no_letters(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(3):
        jd.claim(number, "漏水")
        jd.broken.add(str(1000 + number))
    connector = connect(sources=AFTER_SALES)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await heard(connector, journal)
        clock.advance(timedelta(minutes=5))
    assert not journal.raws
    assert not journal.missing
    jd.broken.clear()
    await heard(connector, journal)
    assert len(journal.raws) == 3


async def test_what_fails_for_hours_is_a_letter(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    jd.claim(1, "漏水", age=timedelta(minutes=7))
    jd.broken.add("1001")
    connector = connect(sources=AFTER_SALES)
    with pytest.raises(Unavailable):
        await heard(connector, journal)
    clock.advance(timedelta(hours=6))
    await heard(connector, journal)
    assert set(journal.missing) == {"after-sales:1001"}


async def test_streams_and_check(connect: Connect, jd: Jd) -> None:
    jd.rate(1, "坏了")
    connector = connect()
    assert await connector.streams() == (f"jd://{SHOP}/reviews", f"jd://{SHOP}/after_sales")
    assert await connect(sources=REVIEWS).streams() == (f"jd://{SHOP}/reviews",)
    assert [str(one) for one in (await connector.check()).details] == [
        "1 reviews in a day",
        "0 cases changed in a day",
    ]
    asked = json.loads(dict(httpx.QueryParams(jd.calls[0].content.decode()))["360buy_param_json"])
    assert (asked["score"], asked["page"]) == ("0", "1")


@pytest.mark.parametrize(
    ("source", "answer", "error", "text"),
    [
        (REVIEWS, httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (REVIEWS, httpx.Response(500), Unavailable, "500"),
        (REVIEWS, httpx.Response(404), ConfigError, "gateway_url"),
        (REVIEWS, failed(67), RetryLater, "too many"),
        (REVIEWS, failed("601"), RetryLater, "too many"),
        (REVIEWS, failed(8), ConfigError, "clock"),
        (REVIEWS, failed(15), ConfigError, "no longer"),
        (REVIEWS, failed(None), Unavailable, "-1"),
        (REVIEWS, httpx.Response(200, json={"error_response": 5}), Unavailable, "-1"),
        (REVIEWS, httpx.Response(200, json={}), Unavailable, "not what it documents"),
        (REVIEWS, httpx.Response(200, json=[]), Unavailable, "no object"),
        (REVIEWS, httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
        (REVIEWS, reviewed([{}], "many"), Unavailable, "not what it documents"),
        (REVIEWS, reviewed([{}], None), Unavailable, "not what it documents"),
        (AFTER_SALES, httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (AFTER_SALES, httpx.Response(404), ConfigError, "url"),
        (AFTER_SALES, refused("99904030005"), ConfigError, "云鼎"),
        (AFTER_SALES, refused(None), Unavailable, "-1"),
        (AFTER_SALES, httpx.Response(200, json={"success": False}), Unavailable, "-1"),
        (AFTER_SALES, httpx.Response(200, json={"Response": 5}), Unavailable, "not what it documents"),
        (AFTER_SALES, cases([{}], None), Unavailable, "not what it documents"),
    ],
)
async def test_errors_say_what_is_to_be_done(
    connect: Connect,
    jd: Jd,
    journal: MiniJournal,
    source: list[str],
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    jd.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(sources=source), journal)
    shown = str(caught.value) + caught.value.detail
    assert SECRET not in shown
    assert TOKEN not in shown
    if "429" in shown:
        assert isinstance(caught.value, RetryLater)
        assert caught.value.after_seconds == 7


async def test_no_permission_inside_a_result_and_a_result_wrapped_once_more(connect: Connect, jd: Jd) -> None:
    name = "jingdong_pop_PopCommentJsfService_getVenderCommentsForJos_responce"
    jd.faults = [httpx.Response(200, json={name: {"resultCode": "403", "resultMsg": "无权限"}})]
    with pytest.raises(ConfigError, match="apply for it"):
        await connect(sources=REVIEWS).check()
    jd.faults = [httpx.Response(200, json={name: {"code": "0", "result": {"comments": None, "totalItem": 3}}})]
    assert [str(one) for one in (await connect(sources=REVIEWS).check()).details] == ["3 reviews in a day"]


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        {},
        {"commentId": ""},
        {"commentId": 5},
        {"commentId": 5, "creationTime": "soon"},
        {"commentId": "x" * 99999},
    ],
)
async def test_rows_that_are_no_reviews_become_letters(
    connect: Connect, jd: Jd, journal: MiniJournal, row: Any
) -> None:
    good = jd.rate(1, "坏了")
    for _ in range(2):
        jd.faults = [reviewed([row, good], 2)]
        await hear(connect(sources=REVIEWS), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize("row", [None, 7, {}, {"afsOrderId": ""}, {"afsOrderId": ["x"]}])
async def test_rows_that_are_no_cases_become_letters(connect: Connect, jd: Jd, journal: MiniJournal, row: Any) -> None:
    jd.claim(1, "掉漆")
    jd.rows = [row]
    for _ in range(2):
        await hear(connect(sources=AFTER_SALES), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


async def test_a_case_that_is_no_object_is_a_letter(connect: Connect, jd: Jd, journal: MiniJournal) -> None:
    jd.claim(1, "掉漆")
    jd.claim(2, "掉漆")
    jd.cases["1002"]["customerApplyInfo"] = "x"
    connector = connect(sources=AFTER_SALES)
    await hear(connector, journal)
    with pytest.raises(BadMessage, match="after-sales:1002"):
        for raw in journal.raws:
            connector.parse(raw, connector.settings)
    assert len(journal.raws) == 2


@pytest.mark.parametrize(
    "wrong", [{"app_key": "a"}, {"sources": []}, {"score_scale": "ten"}, {"url": "http://jd.com"}, {"reason_field": 5}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


async def test_a_limit_that_is_lower_than_a_days_cases_is_got_through(
    connect: Connect, jd: Jd, journal: MiniJournal, clock: FakeClock
) -> None:
    """Each case is a call: what was read must not be read again each time the limit is met."""
    for number in range(20):
        jd.claim(number, "漏水", age=timedelta(hours=1 + number))
    connector = connect(sources=["after_sales"], look_back="1d")
    found: set[str] = set()
    for _ in range(10):
        jd.allowed = len(jd.calls) + 16
        with suppress(RetryLater):
            await hear(connector, journal)
        clock.advance(timedelta(seconds=1))
        found = {raw.key for raw in journal.raws}
    assert len(found) == 20


class TestGrantsForReviews(SellersGrants):
    page = "https://open-oauth.jd.com/oauth2/to_login?app_key=JDAPPKEY&scope=snsapi_base&"
    told_by = ("page", "access_token", "refresh_token")
    given: ClassVar[dict[str, Any]] = {"sources": REVIEWS}

    @pytest.fixture
    def market(self, jd: Jd) -> Jd:
        return jd


class TestGrantsForCases(TestGrantsForReviews):
    given: ClassVar[dict[str, Any]] = {"sources": AFTER_SALES}
