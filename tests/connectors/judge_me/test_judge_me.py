"""Reviews on Judge.me: what is read, what is pushed, and that the two are one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.codec import encode
from allears_sdk.connector import Batch
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Visibility
from allears_sdk.signing import BadSignature, hmac_hex
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.judge_me import JudgeMeConnector
from tests.connectors._shop.review_lists import ReviewLists
from tests.connectors.judge_me.conftest import (
    APP_SECRET,
    PICTURE,
    SHOP,
    TOKEN,
    Connect,
    JudgeMe,
    make_settings,
    post,
    pushed,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CREATED, UPDATED = "review/created", "review/updated"


async def heard(connector: JudgeMeConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    return messages(connector, journal.raws[before:])


def messages(connector: JudgeMeConnector, raws: list[Raw]) -> list[Message]:
    return [message for raw in raws if not raw.baseline for message in connector.parse(raw, connector.settings)]


async def take(connector: JudgeMeConnector, journal: MiniJournal, data: Any) -> list[Message]:
    """What a push brings that is new."""
    before = len(journal.raws)
    reception = await connector.receive(post(data))
    assert not reception.refused
    assert reception.answer([]).status == 200
    journal.accept("pushed", Batch(raws=reception.raws))
    return messages(connector, journal.raws[before:])


def revised(row: dict[str, Any]) -> Raw:
    return Raw(key=str(row["id"]), ordinal=2, body=encode(row), media_type="application/json", received_at=START)


async def test_a_review_is_read_exactly(connect: Connect, judge_me: JudgeMe, journal: MiniJournal) -> None:
    pictures = [{"urls": {"small": "https://small.example.com/1", "original": PICTURE}, "hidden": False}, {"urls": {}}]
    who = {"id": 602, "email": "Demo.C@Example.com", "name": "Demo C. ", "phone": "+44 20 7946 0000"}
    at = "2026-11-20T10:34:44+01:00"
    judge_me.write(7, " Leaks. Refund! ", title="Leaks", created_at=at, reviewer=who, pictures=pictures)
    (said,) = await heard(connect(), journal)
    assert said == Message(
        text="Leaks. Refund!",
        external_id="434007",
        author=Author(id="602", name="Demo C.", email="demo.c@example.com", phone="+44 20 7946 0000"),
        posted_at=datetime(2026, 11, 20, 9, 34, 44, tzinfo=UTC),
        subject="Leaks",
        attachments=(
            Attachment(name="", title="picture", media_type="image/jpeg", ref=Ref(locator={"picture": PICTURE})),
        ),
        rating=Rating(value=1),
        product="Demo Kettle 1.7 l",
        permalink=f"https://{SHOP}/products/demo-kettle",
        visibility=Visibility.PUBLIC,
    )


async def test_a_chinese_one_with_much_left_out(connect: Connect, judge_me: JudgeMe, journal: MiniJournal) -> None:
    judge_me.write(
        1,
        "壶嘴漏水 😡 要求退款",
        reviewer=None,
        product_title=None,
        product_handle="水壶",
        pictures=None,
        updated_at=None,
    )
    judge_me.write(2, "坏了", product_title=None, product_handle=None, product_external_id=77, age=2 * HOUR)
    first, second = await heard(connect(), journal)
    assert (first.text, first.product, first.author) == ("壶嘴漏水 😡 要求退款", "水壶", Author())
    assert first.permalink.isascii()
    assert (second.product, second.permalink) == ("77", "")


async def test_what_the_shop_does_with_a_review_is_no_edit(
    connect: Connect, judge_me: JudgeMe, journal: MiniJournal
) -> None:
    connector = connect()
    judge_me.write(1, "Leaks", published=False)
    (said,) = await heard(connector, journal)
    assert (said.visibility, said.is_automatic) == (Visibility.PRIVATE, False)
    for more in ({"published": True}, {"hidden": True}, {"featured": True}, {"curated": "spam"}, {"updated_at": "?"}):
        judge_me.write(1, "Leaks", **more)
        assert await heard(connector, journal) == []
    judge_me.write(2, "Buy pills", curated="spam")
    (spam,) = await heard(connector, journal)
    assert (spam.is_automatic, spam.automatic_reason) == (True, "curated: spam")


async def test_what_was_pushed_is_not_read_again(connect: Connect, judge_me: JudgeMe, journal: MiniJournal) -> None:
    connector = connect()
    row = judge_me.write(1, "Leaks")
    assert [one.text for one in await take(connector, journal, pushed(CREATED, row))] == ["Leaks"]
    assert await heard(connector, journal) == []
    assert await take(connector, journal, pushed(CREATED, row)) == []


async def test_stars_that_go_up_and_down_are_each_heard(
    connect: Connect, judge_me: JudgeMe, journal: MiniJournal
) -> None:
    connector = connect()
    found = []
    for stars in (1, 5, 5.0, 1):
        found += await take(connector, journal, pushed(UPDATED, judge_me.write(1, "Leaks", stars=stars)))
        found += await heard(connector, journal)
    assert [one.rating and one.rating.value for one in found] == [1, 5, 1]


async def test_stars_that_go_back_are_heard_though_no_push_tells(
    connect: Connect, judge_me: JudgeMe, journal: MiniJournal
) -> None:
    connector = connect()
    judge_me.write(1, "Leaks", stars=1)
    found = await heard(connector, journal)
    found += await take(connector, journal, pushed(UPDATED, judge_me.write(1, "Leaks", stars=5)))
    judge_me.write(1, "Leaks", stars=1)
    found += await heard(connector, journal)
    assert [one.rating and one.rating.value for one in found] == [1, 5, 1]
    assert await heard(connector, journal) == []


async def test_a_new_review_told_of_late_does_not_undo_its_edit(
    connect: Connect, judge_me: JudgeMe, journal: MiniJournal
) -> None:
    connector = connect()
    first = judge_me.write(1, "Leaks")
    judge_me.write(1, "Leaks, and nobody answers")
    assert [one.text for one in await heard(connector, journal)] == ["Leaks, and nobody answers"]
    assert await take(connector, journal, pushed(CREATED, first)) == []


async def test_an_edit_says_when(connect: Connect) -> None:
    row = JudgeMe().write(1, "Leaks", updated_at="2026-11-21T08:00:00Z")
    said = JudgeMeConnector.parse(revised(row), make_settings())[0]
    assert (said.kind, said.posted_at) == (Kind.EDITED, datetime(2026, 11, 21, 8, tzinfo=UTC))


async def test_who_signs_with_the_apps_secret_and_who_signs_with_none(connect: Connect) -> None:
    data = pushed(CREATED, JudgeMe().write(1, "Leaks"))
    connector = connect(app_secret=APP_SECRET)
    for good in (
        post(data),
        post(data, secret=APP_SECRET),
        post(data, header="X-Judgeme-Hmac-Sha256"),
        post(data, signature=hmac_hex(TOKEN, post(data).body).upper()),
    ):
        assert len((await connector.receive(good)).raws) == 1
    for bad in (post(data, secret="other"), post(data, signature=""), post(data, header="X-Other"), post(b"")):
        if bad.body:
            with pytest.raises(BadSignature, match="api_token"):
                await connector.receive(bad)
    with pytest.raises(BadSignature):
        await connect().receive(post(data, secret=APP_SECRET))
    assert (await connector.receive(post(data, method="GET"))).answer([]).status == 405


def test_the_signature_is_that_of_the_help_page() -> None:
    """HMAC-SHA256 of the body in hex; this one was made by another implementation."""
    body = b'{"event":"review/created","review":{"id":434}}'
    assert hmac_hex("my_api_secret_key", body) == "fa47112e8e89dd2e3f38b4f2dd22a231613e21b921098354999207c4f1f69a5f"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"[]", b'{"event": "review/created"}'])
async def test_a_signed_body_that_is_none_is_kept_for_a_person(connect: Connect, body: bytes) -> None:
    (raw,) = (await connect().receive(post(body))).raws
    assert raw.quarantine


async def test_an_event_of_something_else_is_left(connect: Connect) -> None:
    reception = await connect().receive(post({"event": "shop/updated", "shop": {}}))
    assert (reception.raws, reception.refused) == ((), "")


async def test_a_picture_is_asked_of_public_addresses_alone(connect: Connect, judge_me: JudgeMe) -> None:
    judge_me.pictures[PICTURE] = b"\xff\xd8jpeg"
    media = await connect().fetch(Ref(locator={"picture": PICTURE}))
    assert (media.content, media.media_type) == (b"\xff\xd8jpeg", "image/jpeg")
    for address in ("http://pictures.example.com/1", "https://127.0.0.1/x", "https://169.254.169.254/", "file:///x"):
        with pytest.raises(Rejected):
            await connect().fetch(Ref(locator={"picture": address}))


async def test_the_token_may_go_in_a_header(connect: Connect, judge_me: JudgeMe) -> None:
    assert (await connect(credentials_in="header").check()).account == SHOP
    assert "api_token" not in judge_me.asked[0].url.params


async def test_a_refused_token_is_not_shown(connect: Connect, judge_me: JudgeMe) -> None:
    judge_me.faults = [httpx.Response(401, json={"error": f"Invalid token {TOKEN}"})]
    with pytest.raises(AuthError, match="api_token") as caught:
        await connect().check()
    assert TOKEN not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(403), AuthError, "api_token"),
        (httpx.Response(404), ConfigError, "reviews_path"),
        (httpx.Response(422), ConfigError, "shop_domain"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, json={"reviews": {}}), Unavailable, "not a list"),
        (httpx.Response(200, json={"current_page": 2, "reviews": []}), Unavailable, "another page"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect,
    judge_me: JudgeMe,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    judge_me.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert TOKEN not in str(caught.value) + caught.value.detail
    if isinstance(caught.value, RetryLater):
        assert caught.value.after_seconds == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"rating": 6},
        {"rating": "1"},
        {"rating": None},
        {"body": ["x"]},
        {"title": 5},
        {"reviewer": "Demo"},
        {"reviewer": {"email": 5}},
        {"id": None},
        {"created_at": None},
        {"pictures": {}},
        {"pictures": [{"urls": []}]},
    ],
)
def test_a_review_that_cannot_be_read(wrong: dict[str, Any]) -> None:
    row = JudgeMe().write(1, "Leaks")
    with pytest.raises(BadMessage, match="review"):
        JudgeMeConnector.parse(revised(row | wrong), make_settings())


def test_a_huge_one_with_many_pictures() -> None:
    pictures = [{"urls": {"huge": f"{PICTURE}?{number}"}} for number in range(500)]
    (said,) = JudgeMeConnector.parse(revised(JudgeMe().write(1, "坏" * 300_000, pictures=pictures)), make_settings())
    assert (len(said.text), len(said.attachments)) == (300_000, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shop_domain": "https://example.com"},
        {"shop_domain": "example"},
        {"api_token": ""},
        {"credentials_in": "body"},
        {"reviews_path": "x?y"},
        {"url": "http://example.com"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


class TestNewestFirst(ReviewLists):
    nonsense = (None, 7, {}, {"id": ""}, {"id": True}, {"id": 5, "created_at": 5})
    hides_edits = False
    is_newest_first: ClassVar[bool] = True

    @pytest.fixture
    def source(self, judge_me: JudgeMe) -> JudgeMe:
        self.judge_me, judge_me.is_newest_first = judge_me, self.is_newest_first
        return judge_me

    def answers(self, rows: list[Any]) -> list[httpx.Response]:
        return [httpx.Response(200, json={"reviews": page}) for page in (rows, [])]

    def remove(self, number: int) -> None:
        del self.judge_me.reviews[number]


class TestOldestFirst(TestNewestFirst):
    """Nobody promises an order."""

    is_newest_first = False

    def remove(self, number: int) -> None:
        super().remove(19 - number)  # of those that are read first
