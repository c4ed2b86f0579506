"""Reviews of a WooCommerce shop: what is read, what is taken back, and what its errors mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.codec import encode
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.woocommerce import WooCommerceConnector
from tests.connectors._shop.review_lists import ReviewLists
from tests.connectors.woocommerce.conftest import KEY, SECRET, SHOP, Connect, Shop, make_settings, refused

DAY = timedelta(days=1)


async def heard(connector: WooCommerceConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def revised(row: dict[str, Any], ordinal: int = 2) -> Raw:
    body = encode(row)
    return Raw(key=str(row["id"]), ordinal=ordinal, body=body, media_type="application/json", received_at=START)


async def test_a_review_is_read_exactly(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    text = "Leaks &amp; smells.</p>\n<p>Refund<br />\nplease!"
    shop.write(7, text, date_created_gmt="2026-11-20T09:34:44", reviewer="Demo &#038; C.")
    (said,) = await heard(connect(), journal)
    assert said == Message(
        text="Leaks & smells.\n\nRefund\nplease!",
        external_id="22007",
        author=Author(name="Demo & C.", email="demo7@example.com"),
        posted_at=datetime(2026, 11, 20, 9, 34, 44, tzinfo=UTC),
        rating=Rating(value=1),
        product="Demo Kettle – 1.7\xa0l",
        permalink=f"{SHOP}/product/demo-kettle/#comment-22007",
        visibility=Visibility.PUBLIC,
    )


async def test_one_that_waits_to_be_approved_is_heard_and_its_approval_is_no_edit(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    connector = connect()
    bare: dict[str, Any] = {"product_name": None, "product_permalink": "javascript:x", "reviewer_email": ""}
    shop.write(1, "壶嘴漏水 😡 要求退款", status="hold", stars=0, **bare)
    (said,) = await heard(connector, journal)
    assert (said.text, said.product, said.permalink) == ("壶嘴漏水 😡 要求退款", "#22", "")
    assert (said.visibility, said.rating) == (Visibility.PRIVATE, None)
    shop.write(1, "壶嘴漏水 😡 要求退款", stars=0)
    shop.write(2, "Buy pills", status="spam")
    assert await heard(connector, journal) == []


async def test_other_markup_is_no_edit_but_other_words_are(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    connector = connect()
    shop.write(1, "Leaks.")
    await heard(connector, journal)
    for markup in ("<p>Leaks.</p>", "Leaks.", "<div class='x'>\n  <p>Leaks.</p></div>"):
        shop.write(1, "", review=markup)
        assert await heard(connector, journal) == []
    shop.write(1, "Leaks. No answer.")
    assert [one.text for one in await heard(connector, journal)] == ["Leaks. No answer."]


async def test_the_trash_takes_back_what_was_heard_and_nothing_else(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    connector = connect()
    shop.write(1, "Leaks")
    shop.write(2, "Never heard", status="trash", age=2 * DAY)
    assert [one.text for one in await heard(connector, journal)] == ["Leaks"]
    shop.write(1, "Leaks", status="trash")
    (gone,) = await heard(connector, journal)
    assert (gone.kind, gone.external_id, gone.text, gone.rating) == (Kind.WITHDRAWN, "22001", "", None)
    assert await heard(connector, journal) == []
    shop.write(1, "Leaks")
    shop.write(2, "Never heard", age=2 * DAY)
    assert sorted(one.text for one in await heard(connector, journal)) == ["Leaks", "Never heard"]


async def test_what_is_restored_between_two_looks_at_the_shown_ones_is_heard(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    connector = connect()
    shop.write(1, "Leaks")
    await heard(connector, journal)
    _, trash = await connector.streams()
    shop.write(1, "Leaks", status="trash")
    async for batch in connector.poll(trash, journal.cursors[trash], {}, 10):
        journal.accept(trash, batch)
    shop.write(1, "Leaks")
    (said,) = await heard(connector, journal)
    assert said.text == "Leaks"
    assert [bool(raw.context) for raw in journal.raws] == [False, True, False]
    assert await heard(connector, journal) == []


async def test_an_old_review_that_goes_into_the_trash_is_heard_within_a_day(
    connect: Connect, shop: Shop, journal: MiniJournal, clock: FakeClock
) -> None:
    shop.page_items = 3
    for number in range(12):
        shop.write(number, "Good", stars=5, age=(10 + number) * DAY, status="trash" if number % 2 else "approved")
    connector = connect()
    await heard(connector, journal)
    shop.write(10, "Good", stars=5, age=20 * DAY, status="trash")
    clock.advance(DAY)
    assert [(one.kind, one.external_id) for one in await heard(connector, journal)] == [(Kind.WITHDRAWN, "22010")]


async def test_an_edit_is_dated_when_it_is_seen() -> None:
    row = Shop().write(1, "Leaks again", stars=2)
    (said,) = WooCommerceConnector.parse(revised(row), make_settings())
    assert (said.kind, said.posted_at) == (Kind.EDITED, START)


async def test_a_page_of_which_the_keys_user_may_not_read_all_is_not_the_last(
    connect: Connect, shop: Shop, journal: MiniJournal
) -> None:
    shop.page_items = 3
    for number in range(9):
        shop.write(number, f"Leaks, {number}", age=timedelta(hours=number + 1))
    shop.hidden = {22_003, 22_004, 22_005}
    assert len(await heard(connect(), journal)) == 6


async def test_a_shop_in_a_folder_with_the_key_in_the_query(connect: Connect, shop: Shop) -> None:
    connector = connect(url=f"{SHOP}/cn/", credentials_in="query")
    assert await connector.streams() == ("woocommerce://shop.example.com/cn", "woocommerce://shop.example.com/cn#trash")
    with pytest.raises(ConfigError, match="Permalinks"):
        await connector.check()
    asked = shop.asked[0]
    assert (asked.url.path, asked.url.params["consumer_key"]) == ("/cn/wp-json/wc/v3/products/reviews", KEY)
    assert "authorization" not in asked.headers


async def test_check_counts_the_reviews(connect: Connect, shop: Shop) -> None:
    shop.write(1, "Leaks", status="hold")
    shop.write(2, "Good")
    found = await connect().check()
    assert (found.account, [str(one) for one in found.details]) == (SHOP, ["2 reviews"])


async def test_a_shop_that_updates_itself_is_only_away(connect: Connect, shop: Shop, journal: MiniJournal) -> None:
    connector = connect()
    await heard(connector, journal)
    shop.faults = [refused(404, "rest_no_route", "No route")]
    with pytest.raises(Unavailable, match="no such API"):
        await heard(connector, journal)


async def test_a_refused_key_is_not_shown(connect: Connect) -> None:
    for place in ("header", "query"):
        with pytest.raises(AuthError, match="REST API") as caught:
            await connect(consumer_secret="cs_another-word", credentials_in=place).check()
        assert not any(secret in str(caught.value) + caught.value.detail for secret in (KEY, "cs_another-word"))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(403, text="blocked by a firewall"), AuthError, "refuses the key"),
        (refused(404, "rest_no_route", "No route"), ConfigError, "Permalinks"),
        (refused(400, "rest_invalid_param", "status"), ConfigError, "400"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(503, text="maintenance"), RetryLater, "503"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(200, json={"code": "x"}), Unavailable, "not a list"),
        (httpx.Response(200, text="<br /><b>Warning</b>: []"), Unavailable, "not JSON"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect,
    shop: Shop,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    shop.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail
    if isinstance(caught.value, RetryLater) and answer.status_code == 429:
        assert caught.value.after_seconds == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"rating": 6},
        {"rating": "1"},
        {"rating": None},
        {"review": None},
        {"review": ["x"]},
        {"reviewer": 5},
        {"id": None},
        {"date_created_gmt": None},
        {"product_name": {}},
    ],
)
def test_a_review_that_cannot_be_read(wrong: dict[str, Any]) -> None:
    row = Shop().write(1, "Leaks")
    with pytest.raises(BadMessage, match="review"):
        WooCommerceConnector.parse(revised(row | wrong), make_settings())


@pytest.mark.parametrize(
    "text", ["<" * 60_000, "<p" * 30_000, "<!--" * 15_000, "<b><script>alert(1)</script>", "&#" * 30_000]
)
def test_hostile_markup_is_read_in_time(text: str) -> None:
    (said,) = WooCommerceConnector.parse(revised(Shop().write(1, text)), make_settings())
    assert said.html == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://shop.example.com"},
        {"url": "https://user:word@shop.example.com"},
        {"url": "shop.example.com"},
        {"consumer_key": ""},
        {"credentials_in": "body"},
        {"api_path": "/x?y"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


class TestLists(ReviewLists):
    nonsense = (None, 7, {}, {"id": ""}, {"id": True}, {"id": 5, "date_created_gmt": 5})
    has_totals: ClassVar[bool] = True

    @pytest.fixture
    def source(self, shop: Shop) -> Shop:
        self.shop, shop.has_totals = shop, self.has_totals
        return shop

    def answers(self, rows: list[Any]) -> list[httpx.Response]:
        """Also of the trash, where nonsense is nothing."""
        shown = httpx.Response(200, json=rows, headers={"X-WP-TotalPages": "1"})
        return [shown, httpx.Response(200, json=rows[:1]), httpx.Response(200, json=[])]

    def remove(self, number: int) -> None:
        del self.shop.reviews[number]


class TestListsWithoutTotals(TestLists):
    """Some servers on the way take the headers out."""

    has_totals = False
