"""Apple's public feed: what an entry says, which of its moods are silence, and what it no longer gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, BadMessage, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.app_store_feed import AppStoreFeedConnector
from tests.connectors.app_store_feed.conftest import APP, HOUR, Connect, Feed, make_settings

DAY = timedelta(days=1)


async def heard(connector: AppStoreFeedConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


@pytest.mark.parametrize("shows_app", [True, False])
async def test_a_review_that_stands_alone_is_read_exactly(
    connect: Connect, feed: Feed, journal: MiniJournal, shows_app: bool
) -> None:
    feed.shows_app = shows_app
    feed.write(7, "更新后一打开就闪退，客服不理人")
    assert await heard(connect(), journal) == [
        Message(
            text="更新后一打开就闪退，客服不理人",
            subject="闪退",
            external_id="11800000007",
            author=Author(id="77000007", name="示例昵称"),
            posted_at=START - HOUR,
            rating=Rating(value=1),
            product="示例商城 4.2.1 (CN)",
            permalink=f"https://apps.apple.com/cn/app/id{APP}",
            visibility=Visibility.PUBLIC,
        )
    ]


async def test_each_app_in_each_country_is_a_stream(connect: Connect, feed: Feed, journal: MiniJournal) -> None:
    connector = connect(countries=["cn", "us", "cn"])
    assert await connector.streams() == (f"app_store_feed://cn/{APP}", f"app_store_feed://us/{APP}")
    feed.write(1, "闪退")
    feed.write(2, "Charged twice, no refund", country="us")
    assert {message.product for message in await heard(connector, journal)} == {
        "示例商城 4.2.1 (CN)",
        "示例商城 4.2.1 (US)",
    }


async def test_votes_are_no_news_and_an_edit_is(connect: Connect, feed: Feed, journal: MiniJournal) -> None:
    connector = connect()
    feed.write(1, "闪退")
    await heard(connector, journal)
    feed.write(1, "闪退")
    assert await heard(connector, journal) == []
    feed.write(1, "闪退，退款", stars=2)
    assert [message.text for message in await heard(connector, journal)] == ["闪退，退款"]


async def test_without_dates_the_first_run_files_nothing_and_then_what_is_new(
    connect: Connect, feed: Feed, journal: MiniJournal
) -> None:
    for number in range(4):
        del feed.write(number, f"旧 {number}")["updated"]
    connector = connect()
    assert await heard(connector, journal) == []
    del feed.write(9, "闪退")["updated"]
    (message,) = await heard(connector, journal)
    assert (message.text, message.posted_at) == ("闪退", None)


async def test_all_ten_pages_are_known_and_the_eleventh_is_not_asked_for(
    connect: Connect, feed: Feed, journal: MiniJournal
) -> None:
    feed.page_items = 3
    for number in range(40):
        feed.write(number, "很好用", stars=5, age=(10 + number) * DAY)
    assert await heard(connect(), journal) == []
    assert (len(journal.raws), len(feed.asked)) == (30, 10)


async def test_an_edit_on_the_last_page_is_heard_within_a_day(
    connect: Connect, feed: Feed, journal: MiniJournal, clock: FakeClock
) -> None:
    feed.page_items = 3
    for number in range(30):
        feed.write(number, "很好用", stars=5, age=(10 + number) * DAY)
    connector = connect()
    await heard(connector, journal)
    feed.write(29, "打不开了", stars=1, age=39 * DAY)
    clock.advance(DAY)
    assert [message.text for message in await heard(connector, journal)] == ["打不开了"]


async def test_an_empty_feed_is_none_at_first_and_a_lapse_later(
    connect: Connect, feed: Feed, journal: MiniJournal
) -> None:
    connector = connect()
    assert await heard(connector, journal) == []
    feed.write(1, "闪退")
    assert len(await heard(connector, journal)) == 1
    feed.failures = [web.json_response({"feed": {"title": {"label": "Customer Reviews"}}})]
    with pytest.raises(Unavailable, match="empty"):
        await heard(connector, journal)
    assert await heard(connector, journal) == []


async def test_three_days_without_us_lose_nothing_but_what_the_feed_no_longer_gives(
    connect: Connect, feed: Feed, journal: MiniJournal, clock: FakeClock
) -> None:
    feed.page_items = 2
    feed.write(0, "闪退")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 73):
        feed.write(number, f"第 {number} 条", age=-number * HOUR)
    messages = await heard(connect(), journal)
    assert {message.text for message in messages} == {f"第 {number} 条" for number in range(53, 73)}
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(START - HOUR, START + 53 * HOUR)]


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, "", Unavailable, "sold there"),
        (404, "", Unavailable, "sold there"),
        (502, "", Unavailable, "502"),
        (200, "<html>Web Server Error</html>", Unavailable, "not JSON"),
        (200, "[]", Unavailable, "not a feed"),
        (200, '{"feed": "x"}', Unavailable, "not a feed"),
        (503, "", RetryLater, "503"),
        (429, "", RetryLater, "429"),
    ],
)
async def test_what_is_no_feed(
    connect: Connect,
    feed: Feed,
    journal: MiniJournal,
    status: int,
    body: str,
    error: type[AllearsError],
    text: str,
) -> None:
    feed.failures = [web.Response(status=status, text=body) for _ in range(3)]
    with pytest.raises(error, match=text):
        await hear(connect(), journal)
    assert journal.raws == []


async def test_check_says_which_feeds_are_empty(connect: Connect, feed: Feed) -> None:
    feed.write(1, "闪退")
    found = [str(one) for one in (await connect(countries=["cn", "us"]).check()).details]
    assert found[0] == "示例商城 (CN): 1 reviews on the newest page"
    assert found[1].startswith("示例商城 (US): the feed is empty")


@pytest.mark.parametrize("entry", ["text", 7, None, {"im:rating": 5}, {"im:rating": {"label": "1"}, "id": ["x"]}])
async def test_entries_that_are_none_become_letters(
    connect: Connect, feed: Feed, journal: MiniJournal, entry: Any
) -> None:
    good = feed.write(1, "闪退")
    for _ in range(2):
        feed.failures = [web.json_response({"feed": {"entry": [entry, good]}})]
        async for batch in connect().poll(f"app_store_feed://cn/{APP}", None, {}, 10):
            journal.accept("", batch)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize("stars", ["0", "6", "", "1.5", "五", "٣"])
def test_a_rating_that_is_none(stars: str) -> None:
    body = f'{{"id": {{"label": "x"}}, "im:rating": {{"label": "{stars}"}}}}'.encode()
    with pytest.raises(BadMessage, match="x"):
        AppStoreFeedConnector.parse(raw_of(body), make_settings("https://itunes.apple.com"))


def test_fields_that_are_missing_stay_empty() -> None:
    raw = raw_of(b'{"im:rating": {"label": "3"}, "author": [], "title": "x", "content": {"label": 5}}', ordinal=2)
    (message,) = AppStoreFeedConnector.parse(raw, make_settings("https://itunes.apple.com"))
    assert (message.kind, message.author, message.subject, message.text) == (Kind.EDITED, Author(), "", "")


def raw_of(body: bytes, **more: Any) -> Raw:
    return Raw(key="x", body=body, media_type="application/json", received_at=START, **more)


@pytest.mark.parametrize(
    "wrong",
    [
        {"countries": []},
        {"countries": ["CHN"]},
        {"apps": {"com.example": "x"}},
        {"path": "/{country}/rss"},
        {"path": "/{country}/{app}/{page}/{secret}"},
        {"path": "/{country}/{app}/{page}/{"},
        {"sweep_pages": 11},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings("https://itunes.apple.com", **wrong)
