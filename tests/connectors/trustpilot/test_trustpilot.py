"""Reviews on Trustpilot: what is read, what is pushed, and that the two are one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.codec import encode
from allears_sdk.connector import Batch
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.trustpilot import TrustpilotConnector
from tests.connectors._shop.review_lists import ReviewLists
from tests.connectors.trustpilot.conftest import (
    HOOK,
    KEY,
    SECRET,
    UNIT,
    Connect,
    Trustpilot,
    event,
    make_settings,
    post,
    pushed,
    refused,
)

DAY = timedelta(days=1)
CREATED, UPDATED, DELETED = (f"service-review-{what}" for what in ("created", "updated", "deleted"))


async def heard(connector: TrustpilotConnector, journal: MiniJournal) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    return messages(connector, journal.raws[before:])


def messages(connector: TrustpilotConnector, raws: list[Raw]) -> list[Message]:
    return [message for raw in raws if not raw.baseline for message in connector.parse(raw, connector.settings)]


async def take(connector: TrustpilotConnector, journal: MiniJournal, *events: Any) -> list[Message]:
    """What a push brings that is new."""
    before = len(journal.raws)
    reception = await connector.receive(post(*events))
    assert not reception.refused
    assert reception.answer([]).status == 200
    journal.accept("pushed", Batch(raws=reception.raws))
    return messages(connector, journal.raws[before:])


async def test_a_review_is_read_exactly(connect: Connect, trustpilot: Trustpilot, journal: MiniJournal) -> None:
    trustpilot.write(7, " Two weeks late, no answer. ", createdAt="2026-11-20T09:34:44.000Z", numberOfLikes=3)
    (said,) = await heard(connect(), journal)
    assert said == Message(
        text="Two weeks late, no answer.",
        external_id="53demo000000000000000007",
        author=Author(id="53c00007", name="Demo C.", email="demo7@example.com"),
        posted_at=datetime(2026, 11, 20, 9, 34, 44, tzinfo=UTC),
        subject="Late parcel",
        rating=Rating(value=1),
        order="ORD-7",
        permalink="https://www.trustpilot.com/reviews/53demo000000000000000007",
        visibility=Visibility.PUBLIC,
        language="en",
    )


async def test_without_a_secret_the_public_list_is_read(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    trustpilot.write(1, "快递慢，客服不理人 😡", language="zh", createdAt="2026-11-20T09:34:44")
    (said,) = await heard(connect(api_secret=None), journal)
    assert (said.text, said.order, said.author.email) == ("快递慢，客服不理人 😡", "", "")
    assert said.posted_at == datetime(2026, 11, 20, 9, 34, 44, tzinfo=UTC)
    assert trustpilot.tokens == 0


async def test_the_companys_answer_is_context(connect: Connect, trustpilot: Trustpilot, journal: MiniJournal) -> None:
    connector = connect()
    trustpilot.write(1, "Late")
    await heard(connector, journal)
    reply = {"text": "We are sorry. Refunded.", "createdAt": "2026-11-21T08:00:00Z"}
    trustpilot.write(1, "Late", companyReply=reply)
    (answer,) = await heard(connector, journal)
    assert (answer.author.role, answer.text) == (Role.COMPANY, "We are sorry. Refunded.")
    assert answer.thread == ("53demo000000000000000001",)
    assert await heard(connector, journal) == []


async def test_what_was_pushed_is_not_read_again(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    connector = connect()
    row = trustpilot.write(1, "Late")
    (said,) = await take(connector, journal, event(CREATED, pushed(row)))
    trustpilot.write(1, "Late ", title="Late \r\n parcel")
    assert (said.text, said.author.name, said.order, said.kind) == ("Late", "Demo C.", "ORD-1", Kind.SAID)
    assert await heard(connector, journal) == []
    assert await take(connector, journal, event(CREATED, pushed(row))) == []


async def test_several_events_in_one_request(connect: Connect, trustpilot: Trustpilot, journal: MiniJournal) -> None:
    first, second = trustpilot.write(1, "Late"), trustpilot.write(2, "Broken")
    found = await take(
        connect(),
        journal,
        event(CREATED, pushed(first)),
        event("service-review-flagged", pushed(first)),
        event(UPDATED, pushed(second)),
    )
    assert [one.text for one in found] == ["Late", "Broken"]


async def test_stars_that_go_up_and_down_are_each_heard(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    connector = connect()
    found = []
    for stars in (1, 5, 5, 1):
        row = trustpilot.write(1, "Late", stars=stars)
        found += await take(connector, journal, event(UPDATED, pushed(row)))
        found += await heard(connector, journal)
    assert [one.rating and one.rating.value for one in found] == [1, 5, 1]


async def test_a_new_review_told_of_late_does_not_undo_its_edit(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    connector = connect()
    first = pushed(trustpilot.write(1, "Late"))
    trustpilot.write(1, "Late, and now refused a refund", updatedAt="2026-11-21T08:00:00Z")
    assert [one.text for one in await heard(connector, journal)] == ["Late, and now refused a refund"]
    assert await take(connector, journal, event(CREATED, first)) == []


async def test_an_edit_says_when(connect: Connect, trustpilot: Trustpilot) -> None:
    row = trustpilot.write(1, "Late, again", updatedAt="2026-11-21T08:00:00Z")
    for body, at in ((row, datetime(2026, 11, 21, 8, tzinfo=UTC)), (pushed(row), START)):
        said = TrustpilotConnector.parse(revised(body), make_settings())[0]
        assert (said.kind, said.posted_at) == (Kind.EDITED, at)


async def test_a_review_that_was_removed_is_noted_and_may_come_back(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    connector = connect()
    row = trustpilot.write(1, "Late")
    await heard(connector, journal)
    trustpilot.reviews.clear()
    (gone,) = await take(connector, journal, event(DELETED, {"id": row["id"], "consumer": {"id": "53c00001"}}))
    assert (gone.kind, gone.external_id, gone.author.id) == (Kind.WITHDRAWN, row["id"], "53c00001")
    assert await take(connector, journal, event(DELETED, {"id": row["id"]})) == []
    assert await heard(connector, journal) == []
    trustpilot.write(1, "Late")
    assert [one.text for one in await heard(connector, journal)] == ["Late"]


async def test_reviews_of_products(connect: Connect, trustpilot: Trustpilot, journal: MiniJournal) -> None:
    trustpilot.write_of_product(2, "It leaked, ruined my table", age=DAY)
    trustpilot.write_of_product(1, "Fine", stars=5, age=90 * DAY)
    trustpilot.write_of_product(3, "Lid broke", age=2 * DAY)
    connector = connect(product_reviews=True)
    assert await connector.streams() == (f"trustpilot://{UNIT}", f"trustpilot://{UNIT}/products")
    said, _ = await heard(connector, journal)
    assert (said.text, said.product, said.order) == ("It leaked, ruined my table", "Demo Kettle 1.7 l", "ORD-2")
    assert (said.author.email, said.permalink) == ("demo2@example.com", "")
    assert said.external_id == "product:53prod000000000000000002"
    row = trustpilot.product_reviews[0]
    told = {**row, "consumer": {"id": "53c00002", "name": "Demo C."}, "link": "https://www.trustpilot.com/x/1"}
    assert await take(connector, journal, event("product-review-created", told)) == []


async def test_only_the_address_with_the_secret_is_heard(connect: Connect) -> None:
    connector, row = connect(), pushed(Trustpilot().write(1, "Late"))
    for path, method, status in (("", "POST", 401), ("/wrong", "POST", 401), (f"/{HOOK}", "GET", 405)):
        reception = await connector.receive(post(event(CREATED, row), path=path, method=method))
        assert reception.refused
        assert (reception.raws, reception.answer([]).status) == ((), status)
        assert HOOK not in reception.refused
    closed = connect(webhook_secret=None)
    assert (await closed.receive(post(event(CREATED, row), path="/"))).refused


async def test_what_is_pushed_alone_is_heard_without_a_key(connect: Connect, trustpilot: Trustpilot) -> None:
    connector = connect(api_key=None, api_secret=None, business_unit_id="")
    assert await connector.streams() == ("trustpilot://pushed",)
    assert [str(one) for one in (await connector.check()).details] == ["no api_key: what is pushed alone is heard"]
    assert trustpilot.asked == []


async def test_without_a_key_an_outage_is_a_gap(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal, clock: FakeClock
) -> None:
    alone = {"api_key": None, "api_secret": None}
    await hear(connect(**alone), journal)
    assert not journal.cursors, "nothing was ever pushed"
    connector = connect(**alone)
    await connector.receive(post(event(CREATED, pushed(trustpilot.write(1, "Late")))))
    await hear(connector, journal)
    left = clock.now()
    clock.advance(3 * DAY)
    await hear(connect(**alone), journal)
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(left, clock.now())]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'{"events": {}}', b'{"reviews": []}', b"\xff\xfe", b"[" * 100_000],
)
async def test_a_body_that_is_none_is_kept_for_a_person(connect: Connect, body: bytes) -> None:
    (raw,) = (await connect().receive(post(body=body))).raws
    assert raw.quarantine


async def test_a_request_without_events_is_answered_and_says_nothing(connect: Connect) -> None:
    reception = await connect().receive(post())
    assert (list(reception.raws), reception.refused) == ([], "")


@pytest.mark.parametrize("one", [None, 7, {}, {"eventName": 5}, event(CREATED, None), event(CREATED, {"id": None})])
async def test_an_event_that_is_none_is_kept_and_stops_no_other(connect: Connect, one: Any) -> None:
    row = pushed(Trustpilot().write(1, "Late"))
    raws = (await connect().receive(post(one, event(CREATED, row)))).raws
    assert [bool(raw.quarantine) for raw in raws] == [True, False]


async def test_check_names_what_it_may_read(connect: Connect) -> None:
    found = await connect(product_reviews=True, webhook_secret=None).check()
    assert found.account == UNIT
    assert [str(one) for one in found.details] == [
        "reads reviews with order numbers and e-mail addresses",
        "reads reviews of products",
        "no webhook_secret: nothing is pushed",
    ]


async def test_a_token_serves_many_polls_and_a_refused_one_is_replaced(
    connect: Connect, trustpilot: Trustpilot, journal: MiniJournal
) -> None:
    trustpilot.write(1, "Late")
    for _ in range(3):
        await hear(connect(), journal)
    assert trustpilot.tokens == 1
    trustpilot.faults = [refused(401, "expired")]
    await hear(connect(), journal)
    assert trustpilot.tokens == 2


async def test_a_wrong_secret(connect: Connect, journal: MiniJournal) -> None:
    with pytest.raises(AuthError, match="api_secret") as caught:
        await hear(connect(api_secret="another-word"), journal)
    assert "another-word" not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (refused(403, "not yours"), ConfigError, "business_unit_id"),
        (refused(404, "no"), ConfigError, "business_unit_id"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RetryLater, "429"),
        (httpx.Response(500), Unavailable, "500"),
        (httpx.Response(200, json=[]), Unavailable, "no object"),
        (httpx.Response(200, json={"reviews": {}}), Unavailable, "not a list"),
        (httpx.Response(200, text="<html>"), Unavailable, "not JSON"),
    ],
)
async def test_answers_say_what_is_to_be_done(
    connect: Connect,
    trustpilot: Trustpilot,
    journal: MiniJournal,
    answer: httpx.Response,
    error: type[AllearsError],
    text: str,
) -> None:
    trustpilot.faults = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        await hear(connect(), journal)
    assert SECRET not in str(caught.value) + caught.value.detail
    if isinstance(caught.value, RetryLater):
        assert caught.value.after_seconds == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"stars": 6},
        {"stars": -1},
        {"stars": "1"},
        {"stars": None},
        {"text": ["x"]},
        {"title": 5},
        {"consumer": "Demo"},
        {"id": 7},
        {"createdAt": None},
        {"product": []},
    ],
)
def test_a_review_that_cannot_be_read(wrong: dict[str, Any]) -> None:
    row = Trustpilot().write(1, "Late", **{name: value for name, value in wrong.items() if name != "text"})
    with pytest.raises(BadMessage, match="review"):
        TrustpilotConnector.parse(revised(row | wrong), make_settings())


def test_a_review_of_stars_alone_and_a_huge_one() -> None:
    for text, expected in ((None, ""), ("坏" * 300_000, "坏" * 300_000)):
        row = Trustpilot().write(1, text, consumer=None, title=None, referenceId=None, referralEmail=None, stars=0)
        (said,) = TrustpilotConnector.parse(revised(row), make_settings())
        assert (said.text, said.rating, said.author) == (expected, None, Author())


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": None, "api_secret": None, "webhook_secret": None},
        {"business_unit_id": ""},
        {"business_unit_id": "../x"},
        {"api_key": None},
        {"api_secret": None, "product_reviews": True},
        {"webhook_secret": "short"},
        {"url": "http://example.com"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)


def test_secrets_are_not_shown(context: Context) -> None:
    shown = repr(TrustpilotConnector(make_settings(), context).settings)
    assert not any(secret in shown for secret in (KEY, SECRET, HOOK))


def revised(row: dict[str, Any]) -> Raw:
    return Raw(key=str(row["id"]), ordinal=2, body=encode(row), media_type="application/json", received_at=START)


class TestLists(ReviewLists):
    nonsense: ClassVar[tuple[Any, ...]] = (
        *(None, 7, {}, {"id": ""}, {"id": True}, {"id": "x"}, {"id": "x", "createdAt": 5}, {"createdAt": "2026-01-01"}),
    )

    @pytest.fixture
    def source(self, trustpilot: Trustpilot) -> Trustpilot:
        self.trustpilot = trustpilot
        return trustpilot

    def answers(self, rows: list[Any]) -> list[httpx.Response]:
        return [httpx.Response(200, json={"reviews": page}) for page in (rows, [])]

    def remove(self, number: int) -> None:
        self.trustpilot.reviews[:] = [one for one in self.trustpilot.reviews if one["id"] != f"53demo{number:018}"]
