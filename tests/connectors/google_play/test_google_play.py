"""Reviews on Google Play: what is read, when it is too late for them, and what Google's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, OverBudget, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.google_play import GooglePlayConnector
from tests.connectors._google.cloud import ROBOT, fault, json_of
from tests.connectors.google_play.conftest import APP, OTHER_APP, Connect, Play, make_settings

STREAM = f"google_play://{APP}"
DAY = timedelta(days=1)


async def heard(connector: GooglePlayConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_review_and_the_answer_to_it_are_read_exactly(
    connect: Connect, play: Play, journal: MiniJournal
) -> None:
    at = {"seconds": "1795319982", "nanos": 512000000}
    review = play.write(1, "闪退\t更新后一打开就闪退", lastModified=at, androidOsVersion=34)
    play.answer(review, "请更新到 4.2.2")
    said, answer = await heard(connect(), journal)
    assert said == Message(
        text="更新后一打开就闪退",
        subject="闪退",
        external_id="gp:AOq-demo0001",
        author=Author(name="示例用户"),
        posted_at=datetime(2026, 11, 22, 3, 59, 42, 512000, tzinfo=UTC),
        rating=Rating(value=1),
        product="示例商城 4.2.1",
        permalink=f"https://play.google.com/store/apps/details?id={APP}&reviewId=gp%3AAOq-demo0001",
        visibility=Visibility.PUBLIC,
        language="zh-CN",
    )
    assert answer == Message(
        text="请更新到 4.2.2",
        external_id="answer:gp:AOq-demo0001",
        thread=("gp:AOq-demo0001",),
        author=Author(role=Role.COMPANY),
        posted_at=START + timedelta(microseconds=512000),
        visibility=Visibility.PUBLIC,
    )


async def test_what_clients_leave_out_and_translations(connect: Connect, play: Play, journal: MiniJournal) -> None:
    play.write(
        1,
        "Stürzt ab",
        stars=2,
        originalText="\tCrashes on launch 😡\n\nRefund please",
        reviewerLanguage="en",
        appVersionName=None,
        lastModified={"seconds": 1795319982},
    )
    (said,) = await heard(connect(apps={APP: ""}), journal)
    assert (said.subject, said.text, said.product, said.language) == (
        "",
        "Crashes on launch 😡\n\nRefund please",
        APP,
        "en",
    )
    assert said.posted_at == datetime(2026, 11, 22, 3, 59, 42, tzinfo=UTC)


async def test_an_answer_of_ours_and_votes_change_nothing_of_the_review(
    connect: Connect, play: Play, journal: MiniJournal
) -> None:
    connector, review = connect(), play.write(1, "闪退")
    assert len(await heard(connector, journal)) == 1
    review["comments"][0]["userComment"]["thumbsUpCount"] = 77
    assert await heard(connector, journal) == []
    for text in ("请更新到 4.2.2", "请更新到 4.2.3"):
        play.answer(review, text)
        assert [(one.author.role, one.text) for one in await heard(connector, journal)] == [(Role.COMPANY, text)]


async def test_an_edit_of_an_old_one_comes_to_the_top(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock
) -> None:
    play.page_items = 3
    for number in range(9):
        play.write(number, f"第 {number} 条：登录失败", age=timedelta(hours=number))
    connector = connect()
    assert len(await heard(connector, journal)) == 9
    clock.advance(6 * DAY)
    play.write(8, "修好了，谢谢", stars=5, age=-6 * DAY)
    (message,) = await heard(connector, journal)
    assert (message.text, message.rating) == ("修好了，谢谢", Rating(value=5))
    edited = Raw(
        key="gp:AOq-demo0008",
        ordinal=2,
        body=journal.raws[-1].body,
        media_type="application/json",
        received_at=START,
        context={"app": APP},
    )
    assert connector.parse(edited, connector.settings)[0].kind is Kind.EDITED


async def test_a_look_back_that_is_shorter_than_the_week(connect: Connect, play: Play, journal: MiniJournal) -> None:
    play.write(1, "闪退", age=DAY)
    play.write(2, "打不开", age=3 * DAY)
    connector = connect(look_back="P2D")
    assert [one.text for one in await heard(connector, journal)] == ["闪退"]
    play.write(2, "还是打不开")
    assert [one.text for one in await heard(connector, journal)] == ["还是打不开"]


async def test_three_days_without_us_lose_nothing(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock
) -> None:
    play.page_items = 10
    play.write(0, "闪退")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 61):
        play.write(number, f"第 {number} 条：登录失败", age=-timedelta(hours=number))
    assert {one.text for one in await heard(connect(), journal)} == {f"第 {n} 条：登录失败" for n in range(1, 61)}
    assert journal.gaps == []


async def test_what_a_longer_outage_has_lost_is_a_gap(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock
) -> None:
    play.write(0, "闪退")
    await heard(connect(), journal)
    clock.advance(9 * DAY)
    play.write(1, "丢了的", age=-DAY)
    play.write(2, "还在的", age=-8 * DAY)
    assert [one.text for one in await heard(connect(), journal)] == ["还在的"]
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (START, START + 2 * DAY)


async def test_quiet_weeks_are_no_gap(connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock) -> None:
    connector = connect()
    play.write(0, "闪退")
    for _ in range(5):
        await heard(connector, journal)
        clock.advance(3 * DAY)
    play.write(1, "打不开", age=-15 * DAY)
    assert [one.text for one in await heard(connector, journal)] == ["打不开"]
    assert journal.gaps == []


async def test_an_alarm_before_reviews_are_lost(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock, log: RecordingLog
) -> None:
    connector = connect()
    await heard(connector, journal)
    said: list[str] = []
    for days in (4, 1, 1):
        clock.advance(days * DAY)
        play.cloud.faults = [fault(403, "forbidden")]
        with pytest.raises(ConfigError) as caught:
            await hear(connector, journal)
        said.append(str(caught.value))
    until = f"{START + 7 * DAY:%Y-%m-%d %H:%M} UTC"
    assert [until in text for text in said] == [False, True, True]
    alarms = [entry for entry in log.entries if "reviews_soon_lost" in str(entry)]
    assert len(alarms) == 1


async def test_apps_are_streams_of_their_own(connect: Connect, play: Play, journal: MiniJournal) -> None:
    connector = connect(apps={APP: "示例商城", OTHER_APP: "示例商家版"})
    assert await connector.streams() == (STREAM, f"google_play://{OTHER_APP}")
    play.write(5, "登录不上", app=OTHER_APP)
    assert [one.product for one in await heard(connector, journal)] == ["示例商家版 4.2.1"]


async def test_check_names_the_account_and_its_apps(connect: Connect, play: Play) -> None:
    found = await connect(apps={APP: "示例商城", OTHER_APP: ""}).check()
    assert found.account == ROBOT
    assert [str(one) for one in found.details] == ["示例商城: may read reviews", f"{OTHER_APP}: may read reviews"]
    assert play.cloud.asked[0].url.params["maxResults"] == "1"


async def test_a_refused_token_is_replaced_once(connect: Connect, play: Play, journal: MiniJournal) -> None:
    play.write(1, "闪退")
    play.cloud.faults = [fault(401, "authError")]
    assert len(await heard(connect(), journal)) == 1
    assert len(play.cloud.tokens) == 2
    play.cloud.faults = [fault(401, "authError"), fault(401, "authError")]
    with pytest.raises(AuthError, match="token"):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (fault(403, "forbidden"), ConfigError, "Reply to reviews"),
        (fault(403, details={"reason": "SERVICE_DISABLED"}), ConfigError, "switch the Google Play"),
        (fault(403, details={"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}), AuthError, "androidpublisher"),
        (fault(404, "applicationNotFound"), ConfigError, APP),
        (fault(500), Unavailable, "500"),
        (json_of([]), Unavailable, "no object"),
        (json_of({"reviews": {}}), Unavailable, "not a list"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
        (httpx.Response(403, text="<html>"), ConfigError, "Reply to reviews"),
        (httpx.Response(403, json={"error": {"errors": {"reason": 5}, "details": [7]}}), ConfigError, "403"),
    ],
)
async def test_refusals_say_what_is_to_be_done(
    connect: Connect, play: Play, journal: MiniJournal, answer: httpx.Response, error: type[AllearsError], text: str
) -> None:
    play.cloud.faults = [answer] * 3
    with pytest.raises(error, match=text):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (fault(429, headers={"Retry-After": "33"}), 33),
        (fault(429), 600),
        (fault(403, "quotaExceeded"), 600),
        (fault(403, "rateLimitExceeded", headers={"Retry-After": "7"}), 7),
        (fault(403, "dailyLimitExceeded"), 3600),
    ],
)
async def test_limits_are_waited_for(
    connect: Connect, play: Play, journal: MiniJournal, answer: httpx.Response, seconds: float
) -> None:
    play.cloud.faults = [answer]
    with pytest.raises(RetryLater) as caught:
        await hear(connect(), journal)
    assert caught.value.after_seconds == seconds


async def test_a_page_that_is_no_longer_known_is_no_fault_of_the_settings(
    connect: Connect, play: Play, journal: MiniJournal
) -> None:
    play.cloud.faults = [
        json_of({"reviews": [play.write(1, "闪退")], "tokenPagination": {"nextPageToken": "x"}}),
        fault(400, "invalid"),
    ]
    with pytest.raises(Unavailable, match="next page"):
        await hear(connect(), journal)


async def test_an_hour_has_no_more_calls_than_google_allows(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock
) -> None:
    connector, before = connect(calls_per_hour=20), clock.monotonic()
    for _ in range(40):
        await hear(connector, journal)
    assert len(play.cloud.asked) == 40
    assert clock.monotonic() - before >= 2 * 3600


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        {},
        {"reviewId": 5},
        {"reviewId": "x"},
        {"reviewId": "x", "comments": [None, {"userComment": {"lastModified": {"seconds": "9" * 30}}}]},
    ],
)
async def test_rows_that_are_no_reviews_become_letters(
    connect: Connect, play: Play, journal: MiniJournal, row: Any
) -> None:
    for _ in range(2):
        play.cloud.faults = [json_of({"reviews": [row, play.write(1, "闪退")]})]
        await hear(connect(), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize("stars", [b"0", b"6", b"null", b'"5"', b"1.5"])
def test_a_rating_that_is_none(stars: bytes) -> None:
    body = b'{"reviewId": "x", "comments": [{"userComment": {"text": "?", "starRating": %s}}]}' % stars
    raw = Raw(key="x", body=body, media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="x"):
        GooglePlayConnector.parse(raw, make_settings())


@pytest.mark.parametrize(
    "wrong",
    [{"apps": {}}, {"apps": {"../x": "x"}}, {"apps": {"shop": "x"}}, {"oauth": {"provider": "google"}}],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


async def test_a_restart_gives_no_second_hour(
    connect: Connect, play: Play, journal: MiniJournal, clock: FakeClock
) -> None:
    for _ in range(10):
        await hear(connect(calls_per_hour=10), journal)
    with pytest.raises(OverBudget, match="10 calls per hour are used up") as over:
        await hear(connect(calls_per_hour=10), journal)
    assert over.value.after_seconds is not None
    clock.advance(over.value.after_seconds)
    await hear(connect(calls_per_hour=10), journal)
