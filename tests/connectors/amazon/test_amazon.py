"""Feedback on an Amazon seller: how reports are ordered and read, and what Amazon's answers mean."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.connector import Gap
from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Rating, Raw, Role, Visibility
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.amazon import AmazonConnector
from connectors.amazon.marketplaces import CODES, MARKETPLACES, read_date
from tests.connectors.amazon.conftest import (
    ASIN,
    REFRESH,
    SECRET,
    SELLER,
    Amazon,
    Connect,
    make_settings,
    read_moment,
    refusal,
    well,
)

DAY = timedelta(days=1)
DONE = {"processingStatus": "DONE", "reportDocumentId": "amzn1.spdoc.1.4.na.gone"}


async def heard(connector: AmazonConnector, journal: MiniJournal, *, limit: int = 10) -> list[Message]:
    """What a poll brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal, limit=limit)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_feedback_is_read_exactly(connect: Connect, amazon: Amazon, journal: MiniJournal) -> None:
    order = amazon.write(7, "Arrived broken, nobody answers 😡", date="11/20/26")
    (said,) = await heard(connect(), journal)
    assert said == Message(
        text="Arrived broken, nobody answers 😡",
        external_id=f"{order}:11-20-26",
        author=Author(id="buyer7@marketplace.amazon.com", email="buyer7@marketplace.amazon.com"),
        posted_at=datetime(2026, 11, 20, tzinfo=UTC),
        rating=Rating(value=1),
        order=order,
        permalink=f"https://www.amazon.com/sp?seller={SELLER}",
        visibility=Visibility.PUBLIC,
    )


async def test_our_answer_is_context_and_the_same_feedback_is_no_news(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    connector = connect()
    order = amazon.write(1, "Wrong colour", stars=2, date="11/20/26")
    assert len(await heard(connector, journal)) == 1
    amazon.write(1, "Wrong colour", stars=2, date="11/20/2026", response="We have sent the right one.")
    (answer,) = await heard(connector, journal)
    assert (answer.author.role, answer.thread) == (Role.COMPANY, (f"{order}:11-20-26",))
    assert (answer.text, answer.rating) == ("We have sent the right one.", None)
    assert await heard(connector, journal) == []


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("cp932", "text/plain; charset=Shift_JIS"),
        ("utf-8", "text/plain"),
        ("utf-8-sig", "text/plain; charset=nonsense"),
    ],
)
async def test_japanese_titles_are_known_by_their_place(
    connect: Connect, amazon: Amazon, journal: MiniJournal, encoding: str, content_type: str
) -> None:
    amazon.titles = ("日付", "評価", "コメント", "出品者の返信", "注文番号", "評価者のメール")
    amazon.encoding, amazon.content_type = encoding, content_type
    order = amazon.write(3, "届いた商品が壊れていた", date="26/11/20")
    (said,) = await heard(connect(marketplaces=["JP"]), journal)
    assert (said.text, said.order, said.rating) == ("届いた商品が壊れていた", order, Rating(value=1))
    assert (said.posted_at, said.permalink) == (
        datetime(2026, 11, 20, tzinfo=UTC),
        f"https://www.amazon.co.jp/sp?seller={SELLER}",
    )


async def test_titles_in_another_order_can_be_named(connect: Connect, amazon: Amazon, journal: MiniJournal) -> None:
    amazon.titles, amazon.encoding = ("Datum", "Note", "Kommentar", "Antwort", "Bestellnr.", "Käufer"), "latin-1"
    amazon.content_type = "text/plain"
    amazon.write(3, "Kam nie an. Rückerstattung!", date="20.11.26")
    columns = {"date": "datum", "rating": "Note", "comments": "Kommentar", "order": "Bestellnr.", "email": "Käufer"}
    (said,) = await heard(connect(marketplaces=["DE"], columns=columns), journal)
    assert (said.text, said.author.email) == ("Kam nie an. Rückerstattung!", "buyer3@marketplace.amazon.com")
    assert said.posted_at == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("US", "3/9/26", "2026-03-09"),
        ("DE", "9.3.26", "2026-03-09"),
        ("JP", "26/3/9", "2026-03-09"),
        ("SE", "2026-03-09", "2026-03-09"),
        ("UK", "9/3/2026", "2026-03-09"),
        ("US", "2026-03-09", "2026-03-09"),
        ("UK", "3/19/26", None),
        ("US", "yesterday", None),
        ("US", "", None),
        ("US", "9999/99/99", None),
    ],
)
def test_dates_are_read_as_each_shop_writes_them(code: Any, text: str, expected: str | None) -> None:
    found = read_date(text, MARKETPLACES[code])
    assert (found and found.date().isoformat()) == expected


async def test_a_report_takes_its_time_and_is_ordered_once(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    amazon.write(1, "Never arrived")
    amazon.statuses = ["IN_QUEUE", "IN_PROGRESS"]
    for _ in range(2):
        with pytest.raises(RetryLater) as later:
            await heard(connect(), journal)
        assert later.value.after_seconds == 60
    assert [one.text for one in await heard(connect(), journal)] == ["Never arrived"]
    assert len(amazon.ordered) == 1


async def test_cancelled_means_that_there_is_nothing(connect: Connect, amazon: Amazon, journal: MiniJournal) -> None:
    connector = connect()
    amazon.statuses = ["CANCELLED"]
    assert await heard(connector, journal) == []
    (cursor,) = journal.cursors.values()
    assert (cursor["until"], cursor["report"]) == (f"{START:%Y-%m-%dT%H:%M:%SZ}", "")


@pytest.mark.parametrize("status", ["FATAL", "SOMETHING_NEW", "DONE without a document"])
async def test_a_report_that_is_never_made_is_ordered_anew(
    connect: Connect, amazon: Amazon, journal: MiniJournal, status: str
) -> None:
    amazon.write(1, "Never arrived")
    amazon.statuses = [status]
    with pytest.raises(Unavailable):
        await heard(connect(), journal)
    assert [one.text for one in await heard(connect(), journal)] == ["Never arrived"]
    assert len(amazon.ordered) == 2


async def test_one_that_amazon_forgets_or_never_finishes_too(
    connect: Connect, amazon: Amazon, journal: MiniJournal, clock: FakeClock
) -> None:
    amazon.statuses = ["IN_QUEUE", "IN_QUEUE"]
    with pytest.raises(RetryLater):
        await heard(connect(), journal)
    clock.advance(DAY)
    with pytest.raises(Unavailable):
        await heard(connect(), journal)
    amazon.statuses = ["IN_QUEUE"]
    with pytest.raises(RetryLater):
        await heard(connect(), journal)
    amazon.faults = [refusal(404, "NotFound")]
    with pytest.raises(Unavailable):
        await heard(connect(), journal)
    amazon.faults = [httpx.Response(202, json={"reportId": "50293"}), well(DONE), refusal(404, "NotFound")]
    with pytest.raises(Unavailable):
        await heard(connect(), journal)
    assert await heard(connect(), journal) == []
    assert len(amazon.ordered) == 3


async def test_a_link_that_has_expired_is_asked_for_again(
    connect: Connect, amazon: Amazon, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon.write(1, "Never arrived")
    connector = connect()
    with monkeypatch.context() as broken:
        broken.setattr(amazon, "_document", lambda name: httpx.Response(403, text="<Code>AccessDenied</Code>"))
        with pytest.raises(Unavailable, match="asked for again"):
            await heard(connector, journal)
    assert len(await heard(connector, journal)) == 1
    assert len(amazon.ordered) == 1


@pytest.mark.parametrize("content", [b"not gzip", b"\x1f\x8b\x08\x00cut"])
async def test_a_report_that_cannot_be_unpacked_is_a_letter_and_the_next_is_read(
    connect: Connect, amazon: Amazon, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    amazon.write(1, "Never arrived")
    connector = connect()
    with monkeypatch.context() as broken:
        broken.setattr(amazon, "_document", lambda name: httpx.Response(200, content=content))
        assert await heard(connector, journal) == []
    assert list(journal.missing) == ["report:50291"]
    assert [one.text for one in await heard(connector, journal)] == ["Never arrived"]


async def test_three_days_without_us_lose_nothing(
    connect: Connect, amazon: Amazon, journal: MiniJournal, clock: FakeClock
) -> None:
    amazon.write(0, "Never arrived")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 61):
        amazon.write(number, f"Order {number} is broken", age=-timedelta(hours=number))
    assert {one.text for one in await heard(connect(), journal)} == {f"Order {n} is broken" for n in range(1, 61)}
    assert journal.gaps == []


async def test_a_long_outage_is_read_report_by_report_and_what_is_gone_is_a_gap(
    connect: Connect, amazon: Amazon, journal: MiniJournal, clock: FakeClock
) -> None:
    await heard(connect(), journal)
    clock.advance(400 * DAY)
    amazon.write(1, "Long ago", age=-100 * DAY)
    amazon.write(2, "Yesterday", age=-399 * DAY)
    assert [one.text for one in await heard(connect(), journal)] == ["Long ago", "Yesterday"]
    spans = [(read_moment(one["dataStartTime"]), read_moment(one["dataEndTime"])) for one in amazon.ordered]
    assert all(until - since <= 90 * DAY for since, until in spans)
    assert all(later[0] <= earlier[1] for earlier, later in itertools.pairwise(spans[1:]))
    assert spans[-1][1] == clock.now()
    reason = "older than Amazon gives feedback"
    assert journal.gaps == [Gap(since=START, until=START + 35 * DAY, reason=reason)]


async def test_what_is_gone_is_told_once_though_the_report_is_not_made(
    connect: Connect, amazon: Amazon, journal: MiniJournal, clock: FakeClock
) -> None:
    await heard(connect(), journal)
    clock.advance(400 * DAY)
    amazon.statuses = ["FATAL"]
    with pytest.raises(Unavailable):
        await heard(connect(), journal)
    await heard(connect(), journal)
    assert [(gap.since, gap.until) for gap in journal.gaps] == [(START, START + 35 * DAY)]


async def test_older_feedback_is_known_and_a_change_of_it_is_heard(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    amazon.write(1, "Box was dented", stars=3, age=45 * DAY, response="Sorry!")
    amazon.write(2, "Never arrived", age=5 * DAY)
    connector = connect()
    assert [one.text for one in await heard(connector, journal)] == ["Never arrived"]
    assert {raw.key.partition(":")[0] for raw in journal.raws if raw.baseline} == {"113-0000001-7654321", "answer"}
    amazon.write(1, "Box was dented, now it leaks", stars=1, age=45 * DAY, response="Sorry!")
    assert [one.text for one in await heard(connector, journal)] == ["Box was dented, now it leaks"]
    edited = Raw(**{**_facts(journal.raws[-1]), "ordinal": 2})
    assert connector.parse(edited, connector.settings)[0].kind is Kind.EDITED


def _facts(raw: Raw) -> dict[str, Any]:
    names = ("key", "body", "media_type", "received_at", "context")
    return {name: getattr(raw, name) for name in names}


async def test_two_on_one_order_and_a_line_break_inside_a_comment(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    rows = [
        '11/20/26\t1\t"Broken ""again"""\t\t113-0000001-7654321\tb@example.com',
        "11/20/26\t2\tStill broken\t\t113-0000001-7654321\tb@example.com",
        "11/21/26\t1\tFirst line",
        "second line\t\t113-0000002-7654321\tc@example.com",
        "11/21/26\t1\tno order",
        "11/21/26\t9\tnine stars\t\t113-0000003-7654321\td@example.com",
    ]
    amazon.feedback = {str(place): (START - DAY, row.split("\t")) for place, row in enumerate(rows)}
    connector = connect()
    await hear(connector, journal)
    said = [connector.parse(raw, connector.settings)[0].text for raw in journal.raws[:3]]
    assert said == ['Broken "again"', "Still broken", "First line\nsecond line"]
    assert journal.raws[3].quarantine
    with pytest.raises(BadMessage, match="not 1 to 5"):
        connector.parse(journal.raws[4], connector.settings)
    assert len({raw.key for raw in journal.raws}) == len(journal.raws) == 5
    await hear(connector, journal)
    assert len(journal.raws) == 5


async def test_an_expired_token_is_renewed_once_and_a_refused_one_is_the_admins(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    amazon.write(1, "Never arrived")
    connector = connect()
    await heard(connector, journal)
    amazon.tokens = 7
    assert await heard(connector, journal) == []
    assert amazon.tokens == 8
    with pytest.raises(AuthError, match="authorise it again"):
        await heard(connect(refresh_token="Atzr|stolen", client_id="amzn1.other"), journal)


@pytest.mark.parametrize(
    ("fault", "expected", "seconds"),
    [
        (refusal(429, "QuotaExceeded", **{"Retry-After": "90"}), RetryLater, 90),
        (refusal(429, "QuotaExceeded", **{"x-amzn-RateLimit-Limit": "0.05"}), RetryLater, 20),
        (refusal(503, "ServiceUnavailable", **{"Retry-After": "5"}), RetryLater, 5),
        (refusal(500, "InternalFailure"), Unavailable, None),
        (refusal(403, "Unauthorized", "The application lacks the role."), AuthError, None),
        (refusal(400, "InvalidInput"), ConfigError, None),
        (well([]), Unavailable, None),
        (well({"reportId": "../../tokens"}), Unavailable, None),
        (well({"reportId": 7}), Unavailable, None),
    ],
)
async def test_what_answers_mean(
    connect: Connect,
    amazon: Amazon,
    journal: MiniJournal,
    fault: httpx.Response,
    expected: type[AllearsError],
    seconds: float | None,
) -> None:
    amazon.faults = [fault] * 4
    with pytest.raises(expected) as error:
        await heard(connect(), journal)
    assert getattr(error.value, "after_seconds", None) == seconds
    assert SECRET not in repr(error.value)
    assert REFRESH not in repr(error.value)


async def test_check_says_what_is_read(connect: Connect, amazon: Amazon) -> None:
    identity = await connect(marketplaces=["DE", "UK"]).check()
    assert (identity.account, identity.details) == (
        SELLER,
        ["may read seller feedback reports: amazon.de, amazon.co.uk"],
    )
    asked = dict(amazon.asked[-1].url.params)
    assert asked["marketplaceIds"] == "A1PA6795UKMFR9,A1F83G8C2ARO7P"
    amazon.faults = [refusal(400, "InvalidInput")]
    with pytest.raises(ConfigError):
        await connect().check()


async def test_the_end_of_the_secret_is_announced(connect: Connect) -> None:
    (credential,) = connect(secret_expires="2027-03-31").context.accounts.credentials
    assert (credential.name, credential.expires_at) == ("client_secret", datetime(2027, 3, 31, tzinfo=UTC))
    assert SECRET not in repr(credential)
    assert connect().context.accounts.credentials == []


TOPIC = {
    "topic": "Leaks",
    "asinMetrics": {"numberOfMentions": 36, "occurrencePercentage": 17.3, "starRatingImpact": -2.3},
    "reviewSnippets": ["It leaks after a week", "Leaking kettle"],
    "subtopics": [
        {"subtopic": "leaks at the lid", "metrics": {"numberOfMentions": 9}, "reviewSnippets": ["Leaking kettle"]},
        {"subtopic": "wet base", "reviewSnippets": ["Water under the base, dangerous"]},
    ],
}


async def test_topics_are_kept_as_a_summary_and_filed_only_when_asked(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    amazon.topics["topics"] = {"positiveTopics": [{"topic": "Fast"}], "negativeTopics": [TOPIC, 7, {"topic": ""}]}
    connector = connect(products={ASIN: "Kettle"})
    (said,) = await heard(connector, journal)
    assert said.text.split("\n")[1:] == [
        "Leaks (36 mentions / 提及 36 次, -2.3 stars / 星级影响 -2.3)",
        "“It leaks after a week”",
        "“Leaking kettle”",
        "“Water under the base, dangerous”",
    ]
    assert "not one customer's words" in said.text
    assert (said.product, said.subject, said.rating, said.is_automatic) == ("Kettle", "Leaks", None, True)
    assert sum(bool(raw.quarantine) for raw in journal.raws) == 2
    (raw,) = [raw for raw in journal.raws if not raw.quarantine]
    assert not connector.parse(raw, make_settings(file_topics=True))[0].is_automatic
    amazon.topics["topics"]["negativeTopics"] = [{**TOPIC, "asinMetrics": {"numberOfMentions": 40}}]
    assert await heard(connector, journal) == []
    amazon.topics["topics"]["negativeTopics"] = [{**TOPIC, "reviewSnippets": ["It burnt my hand"]}]
    assert len(await heard(connector, journal)) == 1


@pytest.mark.parametrize("topics", [None, [], {"negativeTopics": {}}, "none"])
async def test_no_topics_or_nonsense(connect: Connect, amazon: Amazon, journal: MiniJournal, topics: Any) -> None:
    amazon.topics["topics"] = topics
    with pytest.raises(Unavailable):
        await heard(connect(products={ASIN: "Kettle"}), journal)


async def test_a_product_without_topics_stops_nothing(
    connect: Connect, amazon: Amazon, journal: MiniJournal, log: RecordingLog
) -> None:
    connector = connect(products={ASIN: ""})
    topics = (await connector.streams())[1]
    assert topics == f"amazon://{SELLER}/US/topics/{ASIN}"
    amazon.faults = [refusal(403, "Unauthorized", "token expired"), refusal(404, "NotFound")]
    assert [batch async for batch in connector.poll(topics, None, {}, 10)] == []
    assert ("info", "amazon.no_topics") in [entry[:2] for entry in log.entries]


async def test_topics_without_the_role_leave_the_feedback_alone(
    connect: Connect, amazon: Amazon, journal: MiniJournal
) -> None:
    amazon.write(1, "Never arrived")
    connector = connect(products={ASIN: ""})
    feedback, topics = await connector.streams()
    assert [len(batch.raws) async for batch in connector.poll(feedback, None, {}, 10)] == [0, 1, 0]
    amazon.faults = [refusal(403, "Unauthorized", "no role")]
    with pytest.raises(Unavailable, match="Brand Analytics"):
        await anext(aiter(connector.poll(topics, None, {}, 10)))
    amazon.faults = [well({"reports": []}), refusal(403, "Unauthorized", "no role")]
    with pytest.raises(Unavailable, match="Brand Analytics"):
        await connector.check()
    assert (await connector.check()).account == SELLER


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"marketplaces": ["US", "DE"]}, "several regions"),
        ({"marketplaces": ["XX"]}, "marketplaces"),
        ({"marketplaces": []}, "marketplaces"),
        ({"seller": "../x"}, "seller"),
        ({"recheck_days": 90}, "recheck_days"),
        ({"columns": {"rating": " "}}, "empty"),
        ({"products": {"x": ""}}, "products"),
        ({"url": "http://example.com"}, "url"),
    ],
)
def test_settings_that_cannot_work(fault: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make_settings(**fault)


def test_every_marketplace_has_an_address() -> None:
    assert set(CODES) == set(MARKETPLACES)
    for code in CODES:
        assert make_settings(marketplaces=[code]).effective_url.startswith("https://sellingpartnerapi-")


@pytest.mark.parametrize("key", ["topic:US:B0:leaks", "113-1:1-1-26", "answer:x"])
@pytest.mark.parametrize("body", [[], {}, {"titles": 1, "cells": []}, {"titles": [], "cells": []}, {"topic": {}}, None])
@pytest.mark.parametrize("marketplace", ["US", "XX", None, ["US"]])
def test_whatever_lies_in_a_raw_is_read_or_refused(key: str, body: Any, marketplace: Any) -> None:
    raw = Raw(
        key=key,
        body=json.dumps(body).encode(),
        media_type="application/json",
        received_at=START,
        context={"marketplace": marketplace},
    )
    try:
        (message,) = AmazonConnector.parse(raw, make_settings())
    except BadMessage:
        return
    assert isinstance(message, Message)
