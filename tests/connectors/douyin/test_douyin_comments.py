"""Comments under videos: what is read, when again, and what Douyin's codes ask for; logins and how they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Message, Role, Visibility
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors.douyin import DouyinConnector
from connectors.douyin.times import moment
from tests.connectors.douyin.conftest import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    SECOND,
    SECRET,
    VIDEO,
    Connect,
    Douyin,
    Person,
    failed,
    make_settings,
    well,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def heard(connector: DouyinConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_comment_is_read_exactly(connect: Connect, douyin: Douyin, journal: MiniJournal) -> None:
    douyin.say(7, " 收到就是坏的，客服不理人😡 ", create_time=1795319982)
    assert await heard(connect(), journal) == [
        Message(
            text="收到就是坏的，客服不理人😡",
            external_id="c:@9VwW0qOBUN9m+7==",
            thread=(f"video:{VIDEO}",),
            author=Author(id=CUSTOMER),
            posted_at=datetime(2026, 11, 22, 3, 59, 42, tzinfo=UTC),
            permalink=douyin.videos[0]["share_url"],
            visibility=Visibility.PUBLIC,
        )
    ]
    asked = next(request for request in douyin.asked if "list_comment" in request.url.path)
    assert b"item_id=%408hxdhauTCMppanGnM4ltGM780mDqPP%2BKPpR0qQOmLVAXb%2FT060zdRg%3D%3D" in asked.url.query


async def test_replies_our_answer_and_what_we_say_to_everybody(
    connect: Connect, douyin: Douyin, journal: MiniJournal
) -> None:
    top = str(douyin.say(1, "什么时候发货", age=3 * HOUR)["comment_id"])
    douyin.say(2, "您好，已安排", by=ACCOUNT, age=2 * HOUR, under=top)
    douyin.say(3, "me too, still waiting!", by=OTHER, under=top)
    douyin.say(4, "评论区抽奖", by=ACCOUNT)
    found = {message.text: message for message in await heard(connect(), journal)}
    assert set(found) == {"什么时候发货", "您好，已安排", "me too, still waiting!"}
    ours, other = found["您好，已安排"], found["me too, still waiting!"]
    assert (ours.author.role, ours.thread) == (Role.COMPANY, (f"c:{top}", f"video:{VIDEO}"))
    assert (other.author.role, other.author.id, other.thread) == (Role.CUSTOMER, OTHER, ours.thread)


async def test_a_video_is_looked_into_again_when_its_count_changes(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    douyin.say(1, "坏了")
    for hours, count in ((0, 1), (1, 0), (1, 0)):
        clock.advance(hours * HOUR)
        douyin.asked.clear()
        assert len(await heard(connector, journal)) == count
    assert [request.url.path.rpartition("api/")[2] for request in douyin.asked] == ["douyin/v1/video/video_list/"]
    douyin.say(2, "又坏了", age=-2 * HOUR)
    assert [message.text for message in await heard(connector, journal)] == ["又坏了"]


async def test_a_late_reply_to_an_old_comment_is_heard_within_a_day(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    douyin.page_items = 2
    connector = connect()
    for number in range(6):
        douyin.say(number, f"第 {number} 条", age=(30 - number) * HOUR)
    await heard(connector, journal)
    clock.advance(12 * HOUR)
    douyin.say(99, "还是没人管", age=-11 * HOUR, under="@9VwW0qOBUN9m+0==")
    assert await heard(connector, journal) == []
    clock.advance(12 * HOUR)
    assert [message.text for message in await heard(connector, journal)] == ["还是没人管"]


async def test_replies_that_were_not_stored_are_read_again(
    connect: Connect, douyin: Douyin, journal: MiniJournal
) -> None:
    top = str(douyin.say(1, "什么时候发货", age=3 * HOUR)["comment_id"])
    douyin.say(2, "同问", by=OTHER, under=top)
    connector = connect()
    with pytest.raises(Died):
        await hear(connector, journal, die_at=0, is_stored=False)
    assert {message.text for message in await heard(connector, journal)} == {"什么时候发货", "同问"}


async def test_pinned_ones_hide_nothing(connect: Connect, douyin: Douyin, journal: MiniJournal) -> None:
    douyin.page_items = 2
    douyin.film(SECOND, age=400 * DAY, is_top=True)
    douyin.say("p", "官方说明", age=3 * DAY, top=True)
    connector = connect()
    for number in range(4):
        douyin.say(number, f"第 {number} 条", age=(10 - number) * HOUR)
    douyin.say("s", "旧视频下的投诉", video=SECOND)
    found = {message.text for message in await heard(connector, journal)}
    assert found == {"官方说明", *(f"第 {number} 条" for number in range(4)), "旧视频下的投诉"}


async def test_the_first_run_files_a_week_and_leaves_old_videos(
    connect: Connect, douyin: Douyin, journal: MiniJournal
) -> None:
    douyin.film(SECOND, age=40 * DAY)
    douyin.say("s", "旧视频下的投诉", video=SECOND)
    douyin.say(1, "十天前", age=10 * DAY)
    douyin.say(2, "昨天", age=DAY)
    assert [message.text for message in await heard(connect(), journal)] == ["昨天"]
    assert len(journal.raws) == 2


async def test_three_days_without_us_lose_nothing(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    douyin.page_items = 20
    douyin.say(0, "坏了")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 217):
        douyin.say(number, f"第 {number} 条", age=-timedelta(minutes=20 * number))
    found = {message.text for message in await heard(connect(), journal)}
    assert found == {f"第 {number} 条" for number in range(1, 217)}


async def test_a_video_that_is_not_for_us_keeps_us_from_no_other(
    connect: Connect, douyin: Douyin, journal: MiniJournal
) -> None:
    douyin.film(SECOND, age=DAY)
    douyin.forbidden = {SECOND}
    douyin.say(1, "坏了")
    assert [message.text for message in await heard(connect(), journal)] == ["坏了"]
    for number in range(4):
        douyin.film(f"@third{number}", age=HOUR)
        douyin.say(f"t{number}", "?", video=f"@third{number}")
        douyin.forbidden.add(f"@third{number}")
    with pytest.raises(Unavailable, match="2100007"):
        await hear(connect(), journal)


@pytest.mark.parametrize("rows", [[None, 7, "x"], [{"comment_id": 5}], [{"create_time": 1795319982}]], ids=str)
async def test_what_is_no_comment_is_kept_and_the_rest_goes_on(
    connect: Connect, douyin: Douyin, journal: MiniJournal, rows: list[Any]
) -> None:
    good = douyin.say(1, "坏了")
    videos = [{"item_id": VIDEO, "create_time": int(START.timestamp())}, None, {"title": "?"}]
    douyin.faults = [well({"list": videos}), well({"list": [*rows, good]})]
    assert [message.text for message in await heard(connect(), journal)] == ["坏了"]
    assert [bool(raw.quarantine) for raw in journal.raws] == [True] * len(rows) + [False]


@pytest.mark.parametrize("fields", [{"content": {}}, {"comment_user_id": 5}, {"nick_name": []}], ids=str)
async def test_wrong_types_are_one_items_trouble(
    connect: Connect, douyin: Douyin, journal: MiniJournal, fields: dict[str, Any]
) -> None:
    douyin.say(1, "?", age=2 * HOUR).update(fields)
    douyin.say(2, "坏了")
    connector = connect()
    await hear(connector, journal)
    good, bad = journal.raws
    assert connector.parse(good, connector.settings)[0].text == "坏了"
    with pytest.raises(BadMessage):
        connector.parse(bad, connector.settings)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(10004, "no permission"), ConfigError),
        (failed(10003, "client_key error", inside="data"), AuthError),
        (failed(10001, "system error"), Unavailable),
        (failed(28001003, "never heard of", inside="err_no"), Unavailable),
        (httpx.Response(404), ConfigError),
        (httpx.Response(502), Unavailable),
        (httpx.Response(200, text="<html>"), Unavailable),
        (httpx.Response(200, json=[1]), Unavailable),
        (httpx.Response(200, json={"data": []}), Unavailable),
        (well({"list": {}, "has_more": True}), Unavailable),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else str(one.content[:50]),
)
async def test_what_codes_ask_for(
    connect: Connect, douyin: Douyin, journal: MiniJournal, answer: httpx.Response, error: type[AllearsError]
) -> None:
    douyin.faults = [answer] * 3
    with pytest.raises(error):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(failed(10020, "too many"), 300), (httpx.Response(429, headers={"Retry-After": "90"}), 90)],
)
async def test_a_limit_says_when_to_come_back(
    connect: Connect, douyin: Douyin, journal: MiniJournal, answer: httpx.Response, seconds: float
) -> None:
    douyin.faults = [answer] * 3
    with pytest.raises(RetryLater) as told:
        await hear(connect(), journal)
    assert told.value.after_seconds == seconds


async def test_an_ended_token_is_replaced_once(connect: Connect, douyin: Douyin, journal: MiniJournal) -> None:
    douyin.say(1, "坏了")
    douyin.tokens = 7
    assert len(await heard(connect(), journal)) == 1
    assert douyin.tokens == 8


async def test_a_token_is_refreshed_before_it_ends_and_the_login_is_not(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    ends = []
    for days in (0, 14, 14):
        clock.advance(days * DAY)
        await hear(connector, journal)
        (login,) = connector.context.accounts.credentials
        ends.append((douyin.tokens, login.expires_at - START))
    assert ends == [(1, 30 * DAY), (2, 30 * DAY), (3, 30 * DAY)]


async def test_a_login_that_may_be_renewed_is(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(may_renew=True)
    clock.advance(24 * DAY)
    await hear(connector, journal)
    (login,) = connector.context.accounts.credentials
    assert (douyin.renewals, login.expires_at - START) == (1, 54 * DAY)


async def test_a_renewal_that_is_refused_stops_nothing(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock, log: RecordingLog
) -> None:
    douyin.may_renew = False
    connector = connect(may_renew=True)
    clock.advance(24 * DAY)
    for _ in range(2):
        await hear(connector, journal)
    assert [event for _, event, _ in log.entries].count("login_not_renewed") == 1


async def test_a_login_that_has_ended_says_what_to_do(
    connect: Connect, douyin: Douyin, journal: MiniJournal, clock: FakeClock
) -> None:
    douyin.renewals = 3
    clock.advance(31 * DAY)
    with pytest.raises(AuthError, match="log in again"):
        await hear(connect(), journal)


async def test_nobody_has_logged_in(context: Context, douyin: Douyin) -> None:
    connector = DouyinConnector(make_settings(), context)
    with pytest.raises(AuthError, match="allears channels login support"):
        await connector.check()
    person = Person("https://shop.example.com/back?code=c0ffee&state=")
    await DouyinConnector(make_settings(redirect_url="https://shop.example.com/back"), context).login(person)
    assert "scope=ma.item.comment%2Cvideo.list.bind&redirect_uri=https%3A%2F%2Fshop.example.com%2Fback" in person.shown
    assert (await connector.check()).account == ACCOUNT


@pytest.mark.parametrize("pasted", ["", "https://shop.example.com/back?error=1", "wrong", "c0ffee"])
async def test_who_does_not_get_in(context: Context, douyin: Douyin, pasted: str) -> None:
    douyin.open_id = OTHER
    with pytest.raises(AuthError) as told:
        await DouyinConnector(make_settings(), context).login(Person(pasted))
    assert SECRET not in str(told.value) + told.value.detail


async def test_without_comments_nothing_is_asked(context: Context, douyin: Douyin, journal: MiniJournal) -> None:
    connector = DouyinConnector(make_settings(read_comments=False), context)
    await hear(connector, journal)
    assert (await connector.check()).account == ACCOUNT
    assert (douyin.asked, douyin.tokens) == ([], 0)


@pytest.mark.parametrize("told", [None, "", "gestern", -5, 0, True, 10**30, [1]])
def test_no_moments(told: object) -> None:
    assert moment(told) is None


async def test_a_video_without_end_keeps_us_from_no_other(
    connect: Connect, douyin: Douyin, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.douyin.api.MAX_PAGES", 2)
    douyin.page_items = 1
    for number in range(5):
        douyin.say(number, f"第 {number} 条", age=timedelta(hours=number + 1))
    douyin.film("@other==", age=timedelta(days=3))
    douyin.say(9, "退款没到", video="@other==")
    await hear(connect(), journal)
    assert len(journal.raws) == 3
    assert journal.cursors
