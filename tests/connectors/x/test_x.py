"""Who speaks and in which matter; outages; what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.errors import AuthError, BadMessage, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors.x import XConnector
from tests.connectors.x.conftest import ANA, BOB, CLIENT, ME, OWN, Connect, Visitor, X, free_port, make_settings


def read(connector: XConnector, raws: Sequence[Raw]) -> list[Message]:
    """Oldest first."""
    said = [message for raw in raws for message in connector.parse(raw, connector.settings)]
    return sorted(said, key=lambda message: message.posted_at or START)


async def test_a_mention(x: X, connect: Connect, journal: MiniJournal) -> None:
    long = "@examplebrand " + "屏幕第二天就碎了，订单 7741-20，要求退款 😡 " * 12
    post = x.write(7, "@examplebrand 屏幕第二天就…", note_tweet={"text": f"{long}R&amp;D &lt;3"}, lang="zh")
    connector = connect()
    await hear(connector, journal)
    assert read(connector, journal.raws) == [
        Message(
            text=f"{long}R&D <3",
            external_id=post["id"],
            revision=post["id"],
            known_as=(f"{post['id']}/{ANA}",),
            author=Author(id=ANA, name="Ana Demo", handle="@ana_demo"),
            posted_at=START - timedelta(hours=1),
            permalink=f"https://x.com/ana_demo/status/{post['id']}",
            visibility=Visibility.PUBLIC,
            language="zh",
        )
    ]


async def test_answers_go_with_whoever_they_belong_to(x: X, connect: Connect, journal: MiniJournal) -> None:
    post = x.write(1, "@examplebrand refund!", age=timedelta(minutes=60))
    x.answer(2, post, "@ana_demo 请私信订单号", by=ME, to=ANA, age=timedelta(minutes=50))
    x.answer(3, post, "@examplebrand 已私信，没人理", by=ANA, to=ME, age=timedelta(minutes=40))
    x.answer(4, post, "@examplebrand me too", by=BOB, to=ANA, age=timedelta(minutes=30))
    x.write(5, "Our new model is out", by=ME, age=timedelta(minutes=20))
    connector = connect()
    await hear(connector, journal)
    first, ours, again, other, news = read(connector, journal.raws)
    assert [one.author.role for one in (ours, again, other, news)] == [
        Role.COMPANY,
        Role.CUSTOMER,
        Role.CUSTOMER,
        Role.COMPANY,
    ]
    assert ours.thread == again.thread == first.known_as
    assert ours.participants == (ANA,)
    assert not {*other.thread, *other.known_as} & {first.external_id, *first.known_as}
    assert (news.thread, news.known_as) == ((), ())


async def test_an_edit_is_another_post_of_the_same_thing(x: X, connect: Connect, journal: MiniJournal) -> None:
    first = x.write(1, "@examplebrand refund!", age=timedelta(minutes=50))
    connector = connect()
    await hear(connector, journal)
    second = x.write(2, "@examplebrand refund now!!", age=timedelta(minutes=5), conversation_id=first["id"])
    second["edit_history_tweet_ids"].insert(0, first["id"])
    for _ in range(2):
        await hear(connector, journal)
    said, edited = read(connector, journal.raws)
    assert (said.kind, edited.kind) == (Kind.SAID, Kind.EDITED)
    assert edited.external_id == said.external_id
    assert (said.revision, edited.revision) == (first["id"], second["id"])
    assert edited.known_as == said.known_as


async def test_what_is_merely_passed_on_says_nothing(x: X, connect: Connect, journal: MiniJournal) -> None:
    x.write(1, "RT @ana_demo: refund!", by=BOB, referenced_tweets=[{"type": "retweeted", "id": "1"}])
    x.write(2, "@examplebrand look at this", by=BOB, referenced_tweets=[{"type": "quoted", "id": "1"}])
    connector = connect()
    await hear(connector, journal)
    assert [message.text for message in read(connector, journal.raws)] == ["@examplebrand look at this"]


async def test_files(x: X, connect: Connect, journal: MiniJournal) -> None:
    x.media = {
        "3_1": {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/GaBc12.jpg"},
        "3_2": {"media_key": "3_2", "type": "photo", "url": "https://evil.example/media/GaBc12.jpg"},
        "7_3": {"media_key": "7_3", "type": "video"},
    }
    x.write(1, "@examplebrand broken", attachments={"media_keys": ["3_1", "3_2", "7_3"]})
    connector = connect()
    await hear(connector, journal)
    ((photo, other, video),) = [message.attachments for message in read(connector, journal.raws)]
    locator = {"picture": "GaBc12.jpg"}
    assert photo == Attachment(name="GaBc12.jpg", media_type="image/jpeg", ref=Ref(locator=locator))
    assert (other.ref, video.ref) == (None, None)
    assert all(one.skipped for one in (other, video))
    with pytest.raises(Rejected, match="no picture"):
        await connector.fetch(Ref(locator={"picture": "../../2/tweets"}))


async def test_three_days_of_downtime_are_read_afterwards(
    x: X, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    x.page_items = 20
    x.write(0, "refund before")
    await hear(connect(searches=["refund"]), journal)
    clock.advance(timedelta(hours=72))
    for number in range(1, 150):
        x.write(number, f"refund 第{number}条", age=timedelta(hours=-72) + timedelta(minutes=20 * number))
    await hear(connect(searches=["refund"]), journal)
    assert {raw.key for raw in journal.raws} == set(x.posts)
    assert journal.gaps == []


async def test_a_search_gives_seven_days_and_the_rest_is_a_gap_with_its_span(
    x: X, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    settings = {"read_mentions": False, "read_own": False, "searches": ["refund"]}
    await hear(connect(**settings), journal)
    clock.advance(timedelta(days=9))
    x.write(1, "refund, too long ago", age=timedelta(days=-1))
    kept = x.write(2, "refund", age=timedelta(days=-3))
    await hear(connect(**settings), journal)
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (START, START + timedelta(days=2, minutes=1))
    assert [raw.key for raw in journal.raws] == [kept["id"]]
    await hear(connect(**settings), journal)
    assert len(journal.gaps) == 1


async def test_a_quiet_search_has_no_gap(x: X, connect: Connect, journal: MiniJournal, clock: FakeClock) -> None:
    connector = connect(read_mentions=False, read_own=False, searches=["refund"])
    for _ in range(10):
        await hear(connector, journal)
        clock.advance(timedelta(days=1))
    assert journal.gaps == []


async def test_mentions_beyond_the_newest_eight_hundred_are_a_gap(
    x: X, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(read_own=False)
    await hear(connector, journal)
    clock.advance(timedelta(hours=72))
    for number in range(1000):
        x.write(number, "storm", age=timedelta(hours=-72) + timedelta(minutes=number))
    await hear(connector, journal, limit=100)
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (START, START + timedelta(hours=72) - timedelta(minutes=799))
    assert len(journal.raws) == 800


async def test_a_walk_goes_on_where_it_was_cut(x: X, connect: Connect, journal: MiniJournal) -> None:
    x.page_items = 3
    for number in range(9):
        x.write(number, f"第{number}条", age=timedelta(minutes=60 - number))
    with pytest.raises(Died):
        await hear(connect(read_own=False), journal, die_at=3)
    assert len(journal.raws) == 6
    before = len(x.pages("/mentions"))
    await hear(connect(read_own=False), journal)
    assert {raw.key for raw in journal.raws} == set(x.posts)
    assert len(x.pages("/mentions")) == before + 1, "a page that was paid for is not asked for again"


HOSTILE: tuple[dict[str, Any], ...] = (
    {"text": 7},
    {"text": {"deep": [1]}},
    {"created_at": "yesterday"},
    {"referenced_tweets": "none"},
    {"edit_history_tweet_ids": [7]},
    {"text": "退款" * 400_000, "lang": ["x"]},
    {"author_id": {"id": 1}},
    {"attachments": {"media_keys": []}, "note_tweet": "x"},
)


@pytest.mark.parametrize("fields", HOSTILE)
async def test_a_hostile_post_is_kept_for_a_person_and_the_rest_goes_on(
    x: X, connect: Connect, journal: MiniJournal, fields: dict[str, Any]
) -> None:
    good = x.write(1, "@examplebrand refund", age=timedelta(minutes=50))
    x.write(2, "?", age=timedelta(minutes=40)).update(fields)
    connector = connect()
    for _ in range(2):
        await hear(connector, journal)
    assert len(journal.raws) == 2
    (bad,) = [raw for raw in journal.raws if raw.key != good["id"]]
    with pytest.raises(BadMessage):
        connector.parse(bad, connector.settings)


async def test_half_an_emoji_hinders_nothing(x: X, connect: Connect, journal: MiniJournal) -> None:
    x.write(1, "@examplebrand refund \ud83d")
    connector = connect()
    await hear(connector, journal)
    assert [message.text for message in read(connector, journal.raws)] == ["@examplebrand refund ?"]


async def test_nonsense_is_no_list(x: X, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await connector.streams()
    nonsense: tuple[Any, ...] = ({"errors": [{"title": "Not Found Error"}]}, {"data": {}, "meta": {}}, ["x"])
    for answer in nonsense:
        x.failures.append(web.json_response(answer))
        with pytest.raises(Unavailable):
            await hear(connector, journal)


async def test_a_request_too_many_waits_as_x_says(x: X, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await connector.streams()
    x.fail(429, "Too Many Requests", **{"x-rate-limit-reset": str(int(START.timestamp()) + 217)})
    with pytest.raises(RetryLater) as told:
        await hear(connector, journal)
    assert told.value.after_seconds == 217


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [(401, "unauthorized", AuthError), (403, "client-forbidden", ConfigError), (400, "invalid-request", Rejected)],
)
async def test_refusals(
    x: X, connect: Connect, journal: MiniJournal, status: int, kind: str, error: type[Exception]
) -> None:
    connector = connect()
    await connector.streams()
    x.fail(status, "Refused", kind)
    with pytest.raises(error):
        await hear(connector, journal)


async def test_logging_in_and_a_token_that_expires(x: X, connect: Connect, journal: MiniJournal) -> None:
    connector, visitor = connect(client_id=CLIENT, redirect_port=free_port()), Visitor()
    with pytest.raises(AuthError, match="logged in"):
        await connector.check()
    await connector.login(visitor)
    assert visitor.asked["scope"] == "tweet.read users.read offline.access"
    assert visitor.asked["code_challenge_method"] == "S256"
    x.write(1, "@examplebrand refund")
    await hear(connector, journal)
    x.tokens = set()
    x.write(2, "@examplebrand refund!!", age=timedelta(minutes=5))
    await hear(connector, journal)
    assert (len(journal.raws), x.grants) == (2, 2)


async def test_nobody_logs_in_with_a_bearer_token(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="client_id"):
        await connect().login(Visitor())


async def test_another_account_has_logged_in(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="nosuchbrand"):
        await connect(username="nosuchbrand").check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"bearer_token": None},
        {"client_id": "N2kt", "bearer_token": "x"},
        {"read_mentions": False},
        {"read_messages": True},
        {"username": f"@{OWN}"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)
