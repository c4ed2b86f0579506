"""Reviews of places on Google: which places, what is read, and what Google's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, OverBudget, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.google_business import GoogleBusinessConnector
from tests.connectors._google.cloud import ROBOT, fault, json_of
from tests.connectors.google_business.conftest import OTHER_PLACE, PLACE, Business, Connect, make_settings

DAY = timedelta(days=1)
NAMED = {PLACE: "人民路店"}


async def heard(connector: GoogleBusinessConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_review_and_the_answer_to_it_are_read_exactly(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    business.write(
        1,
        "等了两个小时",
        stars=2,
        updateTime="2026-11-21T01:02:03.456789012Z",
        reviewReplyUrl="https://business.google.com/reviews/AbFdemo0001",
        reviewReply={"comment": "非常抱歉，请联系门店。", "updateTime": "2026-11-21T02:00:00Z"},
    )
    said, answer = await heard(connect(), journal)
    assert said == Message(
        text="等了两个小时",
        external_id="locations/21/reviews/AbFdemo0001",
        author=Author(name="李某"),
        posted_at=datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC),
        rating=Rating(value=2),
        product="示例餐厅（人民路店）",
        permalink="https://business.google.com/reviews/AbFdemo0001",
        visibility=Visibility.PUBLIC,
    )
    assert answer == Message(
        text="非常抱歉，请联系门店。",
        external_id="answer:locations/21/reviews/AbFdemo0001",
        thread=("locations/21/reviews/AbFdemo0001",),
        author=Author(role=Role.COMPANY),
        posted_at=datetime(2026, 11, 21, 2, tzinfo=UTC),
        visibility=Visibility.PUBLIC,
    )


async def test_stars_alone_of_somebody_without_a_name(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    business.write(
        1, None, reviewer={"displayName": "A Google User", "isAnonymous": True}, reviewReplyUrl="javascript:x"
    )
    (said,) = await heard(connect(locations=NAMED), journal)
    assert (said.text, said.rating, said.author, said.product) == ("", Rating(value=1), Author(), "人民路店")
    assert said.permalink == ""


@pytest.mark.parametrize(
    "comment",
    [
        "Cold food 😡\n\nNobody came",
        "(Translated by Google) 菜是凉的\n\n(Original)\nCold food 😡\n\nNobody came",
        "Cold food 😡\n\nNobody came\n\n(Translated by Google)\n菜是凉的",
        "(Translated by Google) Cold food 😡\n\nNobody came",
    ],
)
async def test_a_translation_is_left_out_and_is_no_edit(
    connect: Connect, business: Business, journal: MiniJournal, comment: str
) -> None:
    connector = connect()
    business.write(1, comment)
    assert [one.text for one in await heard(connector, journal)] == ["Cold food 😡\n\nNobody came"]
    business.write(1, "Cold food 😡\n\nNobody came")
    assert await heard(connector, journal) == []


async def test_an_answer_of_ours_changes_nothing_of_the_review(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    connector, review = connect(), business.write(1, "等了两个小时")
    assert len(await heard(connector, journal)) == 1
    for text in ("非常抱歉", "非常抱歉，已退款"):
        review["reviewReply"] = {"comment": text, "updateTime": START.isoformat()}
        assert [(one.author.role, one.text) for one in await heard(connector, journal)] == [(Role.COMPANY, text)]


async def test_older_ones_are_not_filed_and_an_edit_of_one_is_heard(
    connect: Connect, business: Business, journal: MiniJournal, clock: FakeClock
) -> None:
    business.page_items = 3
    for number in range(12):
        business.write(number, "很好吃", stars=5, age=(10 + number) * DAY)
    business.write(99, "等了两个小时", age=2 * DAY)
    connector = connect()
    assert [one.text for one in await heard(connector, journal)] == ["等了两个小时"]
    clock.advance(DAY)
    business.write(9, "今天再来，菜是凉的", age=-DAY)
    assert [one.text for one in await heard(connector, journal)] == ["今天再来，菜是凉的"]
    edited = Raw(
        key="locations/21/reviews/AbFdemo0009",
        ordinal=2,
        body=journal.raws[-1].body,
        media_type="application/json",
        received_at=START,
    )
    assert connector.parse(edited, connector.settings)[0].kind is Kind.EDITED


async def test_three_days_without_us_lose_nothing(
    connect: Connect, business: Business, journal: MiniJournal, clock: FakeClock
) -> None:
    business.page_items = 10
    business.write(0, "等了两个小时")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 61):
        business.write(number, f"第 {number} 次来：菜是凉的", age=-timedelta(hours=number))
    assert {one.text for one in await heard(connect(), journal)} == {f"第 {n} 次来：菜是凉的" for n in range(1, 61)}
    assert journal.gaps == []


async def test_all_places_are_heard_and_one_of_two_accounts_once(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    business.accounts = {"accounts/1": ["locations/21", "locations/22"], "accounts/2": ["locations/21"]}
    business.list_items = 1
    connector = connect()
    assert await connector.streams() == ("google_business://locations/21", "google_business://locations/22")
    business.write(1, "等了两个小时")
    business.write(1, "Cold food", place=OTHER_PLACE)
    found = [(one.product, one.text) for one in await heard(connector, journal)]
    assert found == [("示例餐厅（人民路店）", "等了两个小时"), ("Example Diner, Harbour", "Cold food")]


async def test_a_place_that_moves_to_another_account_is_read_on(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    connector = connect()
    business.write(1, "等了两个小时")
    await heard(connector, journal)
    business.accounts = {"accounts/1": [], "accounts/7": ["locations/21"]}
    business.reviews["accounts/7/locations/21"] = business.reviews.pop(PLACE)
    business.write(2, "菜是凉的", place="accounts/7/locations/21")
    assert [one.text for one in await heard(connector, journal)] == ["菜是凉的"]


async def test_only_named_places_are_heard(connect: Connect, business: Business) -> None:
    business.accounts["accounts/1"].append("locations/22")
    assert await connect(locations=NAMED).streams() == ("google_business://locations/21",)


async def test_check_names_places_as_the_settings_want_them(connect: Connect, business: Business) -> None:
    business.accounts["accounts/1"].append("locations/22")
    business.write(1, "等了两个小时")
    found = await connect().check()
    assert (found.account, [str(one) for one in found.details]) == (
        ROBOT,
        [f"示例餐厅（人民路店） ({PLACE}): 1 reviews", f"Example Diner, Harbour ({OTHER_PLACE}): 0 reviews"],
    )
    business.accounts = {}
    with pytest.raises(ConfigError, match="manages no place"):
        await connect().check()


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (fault(401, "authError"), AuthError, "token"),
        (fault(403), ConfigError, "owner or manager"),
        (fault(403, details={"reason": "SERVICE_DISABLED"}), ConfigError, "switch the Google My Business API"),
        (
            fault(429, details={"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit_value": "0"}}),
            ConfigError,
            "apply for access",
        ),
        (fault(429, details={"reason": "x", "metadata": {"quota_limit_value": "300"}}), RetryLater, "429"),
        (fault(404), ConfigError, "人民路店"),
        (fault(500), Unavailable, "500"),
        (json_of({"reviews": {}}), Unavailable, "not a list"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_refusals_say_what_is_to_be_done(
    connect: Connect,
    business: Business,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    business.cloud.faults = [answer] * 3
    with pytest.raises(error, match=text):
        await hear(connect(locations=NAMED), journal)


async def test_one_found_place_that_gives_no_reviews_stops_no_other(
    connect: Connect, business: Business, journal: MiniJournal
) -> None:
    connector = connect()
    (stream,) = await connector.streams()
    business.accounts["accounts/1"].clear()
    with pytest.raises(Unavailable, match="verified"):
        async for _ in connector.poll(stream, None, {}, 10):
            pass


@pytest.mark.parametrize(
    "row", [None, 7, {}, {"reviewId": 5}, {"reviewId": "x"}, {"reviewId": "x", "updateTime": "now"}]
)
async def test_rows_that_are_no_reviews_become_letters(
    connect: Connect, business: Business, journal: MiniJournal, row: Any
) -> None:
    for _ in range(2):
        business.cloud.faults = [json_of({"reviews": [row, business.write(1, "等了两个小时")]})]
        await hear(connect(locations=NAMED), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize(
    ("stars", "rating"),
    [(b'"FIVE"', 5), (b'"STAR_RATING_UNSPECIFIED"', None), (b'"SIX"', ...), (b"5", ...), (b"null", ...)],
)
def test_ratings(stars: bytes, rating: Any) -> None:
    body = b'{"updateTime": "2026-11-21T01:02:03Z", "comment": "?", "starRating": %s}' % stars
    raw = Raw(key="x", body=body, media_type="application/json", received_at=START)
    if rating is ...:
        with pytest.raises(BadMessage, match="x"):
            GoogleBusinessConnector.parse(raw, make_settings())
    else:
        (message,) = GoogleBusinessConnector.parse(raw, make_settings())
        assert message.rating == (rating and Rating(value=rating))


@pytest.mark.parametrize(
    "wrong", [{"locations": {"locations/1": "x"}}, {"locations": {"accounts/1/locations/../2": "x"}}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


async def test_a_days_calls_may_be_limited(connect: Connect, business: Business, journal: MiniJournal) -> None:
    connector = connect(calls_per_day=4, locations={PLACE: "示例餐厅"})
    for _ in range(4):
        await hear(connector, journal)
    with pytest.raises(OverBudget, match="4 calls per day are used up"):
        await hear(connector, journal)
    again = connect(calls_per_day=4, quota_project="another", locations={PLACE: "示例餐厅"})
    await hear(again, journal)
