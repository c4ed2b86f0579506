"""Reviews on 大众点评: what is read, how often, and what the platform's answers ask for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Kind, Message, Rating, Raw, Role
from allears_sdk.sorted_signing import sign_md5
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors._marketplace.times import BEIJING
from connectors.dianping import DianpingConnector
from tests.connectors.dianping.conftest import (
    DAY,
    OTHER_SHOP,
    SECRET,
    SEED,
    SHOP,
    Connect,
    Dianping,
    make_settings,
    refused,
    well,
    written,
)

HOUR = timedelta(hours=1)


async def heard(connector: DianpingConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def test_the_signature_of_the_fact_sheet() -> None:
    asked = {
        "app_key": "dpkey",
        "begintime": "2026-01-01 00:00:00",
        "endtime": "2026-01-01 23:59:59",
        "format": "json",
        "limit": "50",
        "offset": "0",
        "open_shop_uuid": "shop1",
        "platform": "1",
        "session": "sess001",
        "sign_method": "MD5",
        "star": "1",
        "timestamp": "2026-01-01 08:00:00",
        "v": "1",
    }
    assert sign_md5("dpSecret", asked).lower() == "dff342d2fe3d67af4582e61b7f573344"


async def test_a_review_is_read_exactly(connect: Connect, dianping: Dianping, journal: MiniJournal) -> None:
    dianping.write(
        1,
        stars=20,
        accurateStar=15,
        scoreDetails=[{"title": "服务", "score": 10}, {"title": "环境", "score": 30, "accurateScore": 35}],
        consumeAmount="198.00",
        consumeTime="2026-11-21 19:30",
        tradeDetails=[{"title": "套餐", "content": "双人餐"}],
    )
    review, facts = await heard(connect(), journal)
    assert review.text.splitlines() == ["总体：1.5 星", "服务：1 星", "环境：3.5 星"]
    assert (review.rating, review.order) == (Rating(value=1.5), "493500000001")
    assert review.product == "示例餐厅（人民路店）"
    assert review.posted_at == datetime.fromisoformat(written(3 * HOUR)).replace(tzinfo=BEIJING)
    assert (
        facts.text
        == "评语：接口不提供，见开店宝 / in 开店宝\n消费金额：198.00\n消费时间：2026-11-21 19:30\n套餐：双人餐"
    )
    assert (facts.author.role, facts.thread) == (Role.BOT, (review.external_id,))


async def test_words_where_an_application_is_given_them(
    connect: Connect, dianping: Dianping, journal: MiniJournal
) -> None:
    dianping.is_bare = True
    dianping.write(1, "Rude staff, never again 😡", platform="2")
    (review,) = await heard(connect(text_field="content"), journal)
    assert review.text == "Rude staff, never again 😡"


async def test_a_crowded_span_is_halved_until_all_is_there(
    connect: Connect, dianping: Dianping, journal: MiniJournal
) -> None:
    for number in range(180):
        dianping.write(number, age=HOUR + number * timedelta(minutes=3), platform=str(1 + number % 2))
    await hear(connect(), journal)
    assert len(journal.raws) == 180
    assert journal.gaps == []


async def test_more_in_one_second_than_is_given_is_a_gap(
    connect: Connect, dianping: Dianping, journal: MiniJournal
) -> None:
    for number in range(60):
        dianping.write(number)
    await hear(connect(), journal)
    assert len(journal.raws) == 50
    assert journal.gaps
    assert "more in one second" in journal.gaps[0].reason


async def test_older_ones_are_known_and_changed_stars_are_heard(
    connect: Connect, dianping: Dianping, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(10, 15):
        dianping.write(number, stars=50, age=number * DAY)
    dianping.write(1)
    connector = connect()
    assert len(await heard(connector, journal)) == 2
    assert len(journal.raws) == 6
    dianping.write(12, stars=10, age=12 * DAY)
    assert await heard(connector, journal) == []
    clock.advance(DAY)
    changed, _ = await heard(connector, journal)
    assert changed.rating == Rating(value=1)
    raw = journal.raws[-1]
    again = Raw(
        key=raw.key, ordinal=2, body=raw.body, media_type=raw.media_type, received_at=START, context=raw.context
    )
    assert connector.parse(again, connector.settings)[0].kind is Kind.EDITED


@pytest.mark.parametrize("limit", [1, 7])
async def test_three_days_without_us_lose_nothing(
    connect: Connect, dianping: Dianping, journal: MiniJournal, clock: FakeClock, limit: int
) -> None:
    dianping.write(0)
    await hear(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 70):
        dianping.write(number, age=-number * HOUR)
    await hear(connect(), journal, limit=limit)
    assert len(journal.raws) == 70
    assert journal.gaps == []


async def test_more_than_a_year_without_us_is_a_gap(connect: Connect, journal: MiniJournal, clock: FakeClock) -> None:
    await hear(connect(), journal)
    clock.advance(400 * DAY)
    await hear(connect(), journal)
    (gap,) = journal.gaps
    assert gap.since is not None
    assert timedelta() <= START - gap.since < timedelta(minutes=2)
    assert timedelta() <= gap.until - (START + 35 * DAY) < timedelta(minutes=1)


async def test_shops_are_streams_of_their_own(connect: Connect, dianping: Dianping, journal: MiniJournal) -> None:
    connector = connect(shops={SHOP: "一店", OTHER_SHOP: ""})
    assert await connector.streams() == (f"dianping://dpkey/{SHOP}", f"dianping://dpkey/{OTHER_SHOP}")
    dianping.write(1, shop=OTHER_SHOP)
    assert [one.product for one in await heard(connector, journal) if one.rating] == [OTHER_SHOP]
    assert [str(one) for one in (await connector.check()).details] == [
        "一店: 0 reviews in a day",
        f"{OTHER_SHOP}: 1 reviews in a day",
    ]


async def test_a_session_is_renewed_and_its_next_token_kept(
    connect: Connect, dianping: Dianping, journal: MiniJournal, clock: FakeClock
) -> None:
    dianping.write(1)
    await hear(connect(), journal)
    await hear(connect(), journal)
    assert dianping.refreshed == 1
    dianping.session = "withdrawn"
    clock.advance(HOUR)
    await hear(connect(), journal)
    assert dianping.refreshed == 2
    clock.advance(2 * DAY)
    await hear(connect(), journal)
    assert dianping.refreshed == 3
    assert SEED not in str(dianping.asked)


async def test_the_end_of_the_grant_is_announced_and_known_after_a_restart(
    connect: Connect, context: Context, dianping: Dianping, journal: MiniJournal, clock: FakeClock
) -> None:
    dianping.write(1)
    dianping.renewals = 12
    end = clock.now() + 12 * DAY
    await hear(connect(), journal)
    assert [(one.name, one.expires_at) for one in context.accounts.credentials] == [("grant", end)]
    context.accounts.expires("grant", None, advice="")
    clock.advance(HOUR)
    await hear(connect(), journal)
    assert [one.expires_at for one in context.accounts.credentials] == [end]
    assert dianping.refreshed == 1


async def test_a_refresh_token_that_is_used_up(connect: Connect, journal: MiniJournal) -> None:
    with pytest.raises(AuthError, match="grant access again") as caught:
        await hear(connect(refresh_token="used-up-already"), journal)
    assert "used-up-already" not in str(caught.value) + caught.value.detail


async def test_a_session_from_elsewhere(connect: Connect, dianping: Dianping, journal: MiniJournal) -> None:
    dianping.write(1)
    connector = connect(refresh_token=None, session="session-0")
    await hear(connector, journal)
    dianping.session = "session-1"
    with pytest.raises(AuthError, match="get another one"):
        await connector.check()
    assert dianping.refreshed == 0


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (refused(602, "签名错误"), AuthError, "key and secret"),
        (refused(603, "缺少权限"), ConfigError, "console"),
        (refused("604", "门店不存在"), ConfigError, "this shop"),
        (refused(605, "调用过于频繁"), RetryLater, "slow down"),
        (refused(500, "系统异常"), Unavailable, "500"),
        (refused(None, ""), Unavailable, "Dianping"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (well("x"), Unavailable, "not a list"),
        (well({"reviewInfoDTOList": {}}), Unavailable, "not a list"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect,
    dianping: Dianping,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    dianping.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail
    assert dianping.refreshed == 1, "a session that was not refused is not renewed"


@pytest.mark.parametrize("row", [None, 7, [], {}, {"reviewId": ""}, {"reviewId": True}, {"reviewId": [1]}])
async def test_rows_that_are_no_reviews_become_letters(
    connect: Connect, dianping: Dianping, journal: MiniJournal, row: Any
) -> None:
    dianping.write(1)
    dianping.reviews[SHOP, "1"].append(row)
    for _ in range(2):
        await hear(connect(), journal)
    assert sorted(bool(raw.quarantine) for raw in journal.raws) == [False, True]


@pytest.mark.parametrize("wrong", [{"star": 60}, {"star": -10}, {"star": "x"}, {"scoreDetails": "?"}])
async def test_reviews_that_cannot_be_read_are_letters(
    connect: Connect, dianping: Dianping, journal: MiniJournal, wrong: dict[str, Any]
) -> None:
    dianping.write(1, **wrong)
    with pytest.raises(BadMessage, match="4008600001"):
        await heard(connect(), journal)


@pytest.mark.parametrize(
    "wrong",
    [{"shops": {}}, {"shops": {"a b": ""}}, {"refresh_token": None}, {"session": "both"}, {"platforms": ["3"]}],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)
