"""Reviews in App Store Connect: what is read, how often, and what Apple's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.app_store_connect import AppStoreConnectConnector
from tests.connectors.app_store_connect.conftest import (
    APP,
    OTHER_APP,
    PEM,
    AppStore,
    Connect,
    fault,
    make_settings,
)

STREAM = f"app_store_connect://{APP}"
DAY = timedelta(days=1)


async def heard(connector: AppStoreConnectConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_review_and_the_answer_to_it_are_read_exactly(
    connect: Connect, store: AppStore, journal: MiniJournal
) -> None:
    review = store.write(
        1, "重复扣费两次，客服不回复", stars=2, title=" 扣费问题 ", createdDate="2026-11-21T22:10:34-08:00"
    )
    store.answer(review, "您好，已为您核实，请联系 support@example.com。")
    said, answer = await heard(connect(), journal)
    assert said == Message(
        text="重复扣费两次，客服不回复",
        subject="扣费问题",
        external_id="00000011-demo-0001",
        author=Author(name="示例昵称"),
        posted_at=datetime(2026, 11, 22, 6, 10, 34, tzinfo=UTC),
        rating=Rating(value=2),
        product="示例商城 (CHN)",
        permalink=f"https://apps.apple.com/app/id{APP}",
        visibility=Visibility.PUBLIC,
    )
    assert answer == Message(
        text="您好，已为您核实，请联系 support@example.com。",
        external_id="answer:resp-00000011-demo-0001",
        thread=("00000011-demo-0001",),
        author=Author(role=Role.COMPANY),
        posted_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
        visibility=Visibility.PUBLIC,
    )


async def test_an_english_one_in_another_storefront_under_no_name(
    connect: Connect, store: AppStore, journal: MiniJournal
) -> None:
    store.write(
        1, "Crashes on launch since 4.2 😡\n\nRefund please", title="Unusable", territory="GBR", reviewerNickname=""
    )
    (said,) = await heard(connect(apps={APP: ""}), journal)
    assert (said.product, said.author, said.text) == (
        f"id{APP} (GBR)",
        Author(),
        "Crashes on launch since 4.2 😡\n\nRefund please",
    )


async def test_an_answer_of_ours_is_context_and_changes_nothing_of_the_review(
    connect: Connect, store: AppStore, journal: MiniJournal
) -> None:
    connector, review = connect(), store.write(1, "闪退")
    assert len(await heard(connector, journal)) == 1
    store.answer(review, "请更新到 4.2.2", state="PENDING_PUBLISH")
    (answer,) = await heard(connector, journal)
    assert (answer.author.role, answer.kind) == (Role.COMPANY, Kind.SAID)
    store.answer(review, "请更新到 4.2.2")
    assert await heard(connector, journal) == []
    store.answer(review, "请更新到 4.2.3")
    assert [one.text for one in await heard(connector, journal)] == ["请更新到 4.2.3"]


async def test_an_edit_is_the_same_review_once_more(connect: Connect, store: AppStore, journal: MiniJournal) -> None:
    connector = connect()
    store.write(1, "闪退", stars=1)
    await heard(connector, journal)
    store.write(1, "修好了", stars=5)
    await hear(connector, journal)
    first, second = journal.raws
    edited = Raw(
        key=second.key,
        ordinal=2,
        body=second.body,
        media_type=second.media_type,
        received_at=START,
        context=second.context,
    )
    (message,) = connector.parse(edited, connector.settings)
    assert (message.kind, message.external_id, message.rating) == (Kind.EDITED, first.key, Rating(value=5))


async def test_older_ones_are_known_and_an_edit_of_one_is_heard_within_a_day(
    connect: Connect, store: AppStore, journal: MiniJournal, clock: FakeClock
) -> None:
    store.page_items = 3
    for number in range(12):
        store.write(number, "很好用", stars=5, age=(10 + number) * DAY)
    store.write(99, "闪退", age=2 * DAY)
    connector = connect()
    assert [message.text for message in await heard(connector, journal)] == ["闪退"]
    store.write(9, "用了半年，更新后打不开", stars=1, age=19 * DAY)
    assert await heard(connector, journal) == []
    clock.advance(DAY)
    assert [message.text for message in await heard(connector, journal)] == ["用了半年，更新后打不开"]


async def test_three_days_without_us_lose_nothing(
    connect: Connect, store: AppStore, journal: MiniJournal, clock: FakeClock
) -> None:
    store.page_items = 10
    store.write(0, "闪退")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 61):
        store.write(number, f"第 {number} 条：登录失败", age=-timedelta(hours=number))
    messages = await heard(connect(), journal)
    assert {message.text for message in messages} == {f"第 {number} 条：登录失败" for number in range(1, 61)}
    assert journal.gaps == []


async def test_apps_are_streams_of_their_own(connect: Connect, store: AppStore, journal: MiniJournal) -> None:
    connector = connect(apps={APP: "示例商城", OTHER_APP: "示例商家版"})
    assert await connector.streams() == (STREAM, f"app_store_connect://{OTHER_APP}")
    store.reviews[OTHER_APP].append(store.write(5, "登录不上"))
    store.reviews[APP].clear()
    (message,) = await heard(connector, journal)
    assert message.product == "示例商家版 (CHN)"


async def test_a_token_is_signed_for_some_minutes_only(
    connect: Connect, store: AppStore, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    for minutes in (0, 9, 9, 30):
        clock.advance(timedelta(minutes=minutes))
        await hear(connector, journal)
    assert len(dict.fromkeys(store.tokens)) == 3


async def test_an_individual_key_names_no_issuer(connect: Connect, store: AppStore) -> None:
    store.write(1, "闪退")
    assert [str(one) for one in (await connect(issuer_id="").check()).details] == ["示例商城: 1 reviews"]


async def test_check_counts_the_reviews_of_each_app(connect: Connect, store: AppStore) -> None:
    store.write(1, "闪退")
    found = await connect(apps={APP: "示例商城", OTHER_APP: ""}).check()
    assert [str(one) for one in found.details] == ["示例商城: 1 reviews", f"id{OTHER_APP}: 0 reviews"]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (fault(401, "NOT_AUTHORIZED"), AuthError, "clock"),
        (fault(403, "FORBIDDEN_ERROR"), ConfigError, "Customer Support"),
        (fault(404, "NOT_FOUND"), ConfigError, APP),
        (fault(500, "UNEXPECTED_ERROR"), Unavailable, "500"),
        (web.json_response([]), Unavailable, "no object"),
        (web.json_response({"data": {}}), Unavailable, "not a list"),
        (web.Response(text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_refusals_say_what_is_to_be_done(
    connect: Connect, store: AppStore, journal: MiniJournal, answer: web.Response, error: type[AllearsError], text: str
) -> None:
    store.failures = [copy_of(answer) for _ in range(3)]
    with pytest.raises(error, match=text):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-Rate-Limit": "user-hour-lim:3600;user-hour-rem:0;"}, 600),
        ({"X-Rate-Limit": "user-hour-lim:3600;user-hour-rem:20;, user-minute-lim:150;user-minute-rem:0;"}, 60),
        ({"Retry-After": "33", "X-Rate-Limit": "user-hour-lim:3600;user-hour-rem:0;"}, 33),
        ({}, 60),
    ],
)
async def test_a_limit_is_waited_for_as_its_header_says(
    connect: Connect, store: AppStore, journal: MiniJournal, headers: dict[str, str], seconds: float
) -> None:
    store.failures = [fault(429, "RATE_LIMIT_EXCEEDED", **headers)]
    with pytest.raises(RetryLater) as caught:
        await hear(connect(), journal)
    assert caught.value.after_seconds == seconds


async def test_the_key_is_shown_to_no_other_host(connect: Connect, store: AppStore, journal: MiniJournal) -> None:
    page = {
        "data": [store.write(1, "闪退")],
        "links": {"next": "https://api.appstoreconnect.apple.com.example.net/v1/x"},
    }
    store.failures = [web.json_response(page)]
    with pytest.raises(Unavailable, match="another host"):
        await hear(connect(), journal)


@pytest.mark.parametrize(
    "row", [None, 7, {}, {"id": 5}, {"id": "x"}, {"id": "x", "attributes": {"createdDate": "now"}}]
)
async def test_rows_that_are_no_reviews_become_letters(
    connect: Connect, store: AppStore, journal: MiniJournal, row: Any
) -> None:
    for _ in range(2):
        store.failures = [web.json_response({"data": [row, store.write(1, "闪退")], "links": {}})]
        await hear(connect(), journal)
    assert [bool(raw.quarantine) for raw in journal.raws] == [True, False]


@pytest.mark.parametrize("stars", [0, 6, None, "5", 1.5])
def test_a_rating_that_is_none(stars: object) -> None:
    body = b'{"id": "x", "attributes": {"rating": %s}}' % (b"null" if stars is None else repr(stars).encode())
    raw = Raw(key="x", body=body.replace(b"'", b'"'), media_type="application/json", received_at=START)
    with pytest.raises(BadMessage, match="x"):
        AppStoreConnectConnector.parse(raw, make_settings("https://api.appstoreconnect.apple.com"))


@pytest.mark.parametrize(
    "wrong",
    [{"apps": {}}, {"apps": {"com.example.shop": "x"}}, {"private_key": "x"}, {"issuer_id": "x"}, {"key_id": "../x"}],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        make_settings("https://api.appstoreconnect.apple.com", **wrong)
    assert PEM[40:60] not in str(caught.value)


def copy_of(answer: web.Response) -> web.Response:
    return web.Response(body=answer.body, status=answer.status, content_type=answer.content_type)
