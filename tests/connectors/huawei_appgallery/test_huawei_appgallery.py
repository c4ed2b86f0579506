"""Reviews in AppGallery: what is read, how often, and what Huawei's return codes mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.codec import encode
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Kind, Message, Rating, Raw, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.huawei_appgallery import HuaweiAppGalleryConnector
from tests.connectors._shop.review_lists import ReviewLists
from tests.connectors.huawei_appgallery.conftest import (
    APP,
    OTHER_APP,
    SECRET,
    AppGallery,
    Connect,
    failed,
    make_settings,
    well,
)

DAY = timedelta(days=1)


async def heard(connector: HuaweiAppGalleryConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


@pytest.mark.parametrize("quoted", [False, True])
async def test_a_review_is_read_exactly_with_numbers_in_quotes_or_not(
    connect: Connect, gallery: AppGallery, journal: MiniJournal, quoted: bool
) -> None:
    at: Any = 1795319982512
    gallery.write(1, " 更新后一打开就闪退 ", stars="1" if quoted else 1, dateline=str(at) if quoted else at)
    (said,) = await heard(connect(), journal)
    assert said == Message(
        text="更新后一打开就闪退",
        external_id="1008600001",
        posted_at=datetime(2026, 11, 22, 3, 59, 42, 512000, tzinfo=UTC),
        rating=Rating(value=1),
        product="示例商城 4.2.1 (CN)",
        permalink=f"https://appgallery.huawei.com/app/C{APP}",
        visibility=Visibility.PUBLIC,
        language="zh",
    )


async def test_an_english_one_with_much_left_out(connect: Connect, gallery: AppGallery, journal: MiniJournal) -> None:
    gallery.write(1, "Crashes on launch 😡", lang="en_GB", versionName=None, countryCode=None)
    (said,) = await heard(connect(apps={APP: ""}), journal)
    assert (said.text, said.product, said.language) == ("Crashes on launch 😡", f"C{APP}", "en-GB")


async def test_who_writes_again_below_our_answer_follows_up_once(
    connect: Connect, gallery: AppGallery, journal: MiniJournal
) -> None:
    connector = connect()
    for state, count in ((0, 1), (1, 0), (6, 1), ("6", 0), (3, 0)):
        gallery.write(1, "闪退", devReplyState=state)
        found = await heard(connector, journal)
        assert len(found) == count, state
        if state == 6:
            assert (found[0].thread, found[0].rating) == (("1008600001",), None)
            assert "AppGallery Connect" in found[0].text


async def test_what_is_written_while_pages_are_read_moves_none(
    connect: Connect, gallery: AppGallery, journal: MiniJournal
) -> None:
    gallery.page_items = 5
    for number in range(20):
        gallery.write(number, f"第 {number} 条：登录失败", age=timedelta(hours=number + 1))
    await heard(connect(), journal)
    assert len({request.url.params["endTime"] for request in gallery.asked}) == 1
    assert [request.url.params["page"] for request in gallery.asked] == ["1", "2", "3", "4"]
    assert len(journal.raws) == 20


async def test_more_than_half_a_year_without_us_is_a_gap(
    connect: Connect, gallery: AppGallery, journal: MiniJournal, clock: FakeClock
) -> None:
    gallery.write(0, "闪退")
    await heard(connect(), journal)
    clock.advance(200 * DAY)
    assert await heard(connect(), journal) == []
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(START, START + 20 * DAY)]


async def test_apps_are_streams_of_their_own(connect: Connect, gallery: AppGallery, journal: MiniJournal) -> None:
    connector = connect(apps={APP: "示例商城", OTHER_APP: "示例商家版"})
    assert await connector.streams() == (
        f"huawei_appgallery://{APP}/android/CN",
        f"huawei_appgallery://{OTHER_APP}/android/CN",
    )
    gallery.reviews[OTHER_APP].append(gallery.write(5, "登录不上"))
    gallery.reviews[APP].clear()
    assert [one.product for one in await heard(connector, journal)] == ["示例商家版 4.2.1 (CN)"]


async def test_check_counts_the_reviews_of_each_app(connect: Connect, gallery: AppGallery) -> None:
    gallery.write(1, "闪退")
    found = await connect(apps={APP: "示例商城", OTHER_APP: ""}).check()
    assert [str(one) for one in found.details] == [
        "示例商城: 1 reviews in half a year",
        f"C{OTHER_APP}: 0 reviews in half a year",
    ]


async def test_newer_systems_are_listed_elsewhere() -> None:
    assert (
        make_settings(system="harmonyos").effective_reviews_path == "/api/marketing-api/v2/reviews/manage/dev/reviews"
    )
    assert make_settings(reviews_path="/api/reviews/v3/list").effective_reviews_path == "/api/reviews/v3/list"


async def test_a_token_serves_many_polls_and_a_refused_one_is_replaced(
    connect: Connect, gallery: AppGallery, journal: MiniJournal
) -> None:
    gallery.write(1, "闪退")
    for _ in range(3):
        await hear(connect(), journal)
    assert gallery.tokens == 1
    gallery.faults = [httpx.Response(401, json={"ret": {"code": 205524993}})]
    await hear(connect(), journal)
    assert gallery.tokens == 2


async def test_a_wrong_secret(connect: Connect, gallery: AppGallery, journal: MiniJournal) -> None:
    with pytest.raises(AuthError, match=r"client_secret.*203817223") as caught:
        await hear(connect(client_secret="another-word"), journal)
    assert "another-word" not in str(caught.value) + caught.value.detail


async def test_an_app_nobody_has_rated(connect: Connect, gallery: AppGallery, journal: MiniJournal) -> None:
    gallery.faults = [failed(50010025)]
    assert await heard(connect(), journal) == []


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(403), AuthError, "service account"),
        (httpx.Response(404), ConfigError, "reviews_path"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (failed(50010028), ConfigError, "another developer"),
        (failed("50010040"), ConfigError, "countries"),
        (failed(50010059), Unavailable, "50010059"),
        (failed(None), Unavailable, "-1"),
        (well([]), Unavailable, "not what it documents"),
        (well({}), Unavailable, "not a list"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_return_codes_say_what_is_to_be_done(
    connect: Connect,
    gallery: AppGallery,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    gallery.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize("stars", [b"0", b"6", b"null", b'"five"', b"1.5", b'""'])
def test_a_rating_that_is_none(stars: bytes) -> None:
    body = b'{"reviewId": "x", "dateline": 1795319982512, "content": "?", "rating": %s}' % stars
    raw = Raw(key="x", body=body, media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="x"):
        HuaweiAppGalleryConnector.parse(raw, make_settings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"apps": {}},
        {"apps": {"com.example": "x"}},
        {"countries": ["China"]},
        {"countries": []},
        {"reviews_path": "x?y"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


class TestLists(ReviewLists):
    nonsense: ClassVar[tuple[Any, ...]] = (
        *(None, 7, {}, {"reviewId": ""}, {"reviewId": "x"}, {"reviewId": "x", "dateline": "9" * 40}, {"dateline": 5}),
    )

    @pytest.fixture
    def source(self, gallery: AppGallery) -> AppGallery:
        self.gallery = gallery
        return gallery

    def answers(self, rows: list[Any]) -> list[httpx.Response]:
        return [well({"reviewList": rows, "hasNext": "false"})]

    def remove(self, number: int) -> None:
        rows = self.gallery.reviews[APP]
        rows[:] = [row for row in rows if row["reviewId"] != f"10086{number:05}"]


def test_an_edit_is_one() -> None:
    body = encode(AppGallery().write(9, "用了半年，更新后打不开"))
    edited = Raw(key="1008600009", ordinal=2, body=body, media_type="application/json", received_at=START)
    assert HuaweiAppGalleryConnector.parse(edited, make_settings())[0].kind is Kind.EDITED
