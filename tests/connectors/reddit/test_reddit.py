"""Who speaks and in which matter; outages, edits, deletions; what hinders reading; answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.codec import encode
from allears_sdk.connector import Address
from allears_sdk.errors import AuthError, BadMessage, ConfigError, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.reddit import RedditConnector
from tests.connectors.reddit.conftest import HOME, ME, PASSWORD, Connect, Reddit, make_settings


def read(connector: RedditConnector, raws: Sequence[Raw]) -> list[Message]:
    """Oldest first."""
    said = [message for raw in raws for message in connector.parse(raw, connector.settings)]
    return sorted(said, key=lambda message: message.posted_at or START)


def revised(raw: Raw, ordinal: int = 2) -> Raw:
    return Raw(key=raw.key, body=raw.body, media_type=raw.media_type, received_at=START, ordinal=ordinal)


async def test_a_post(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    reddit.post(7, "R&D <says> 屏幕第二天就碎了，订单 7741-20 😡", title="Refund refused", ups=99)
    connector = connect()
    await hear(connector, journal)
    assert read(connector, journal.raws) == [
        Message(
            text="R&D <says> 屏幕第二天就碎了，订单 7741-20 😡",
            subject="Refund refused",
            external_id="t3_p7",
            known_as=("t3_p7/t2_ana",),
            author=Author(id="t2_ana", handle="u/ana_demo"),
            posted_at=START - timedelta(hours=1),
            permalink=f"https://www.reddit.com/r/{HOME}/comments/p7/post_no_7/",
            visibility=Visibility.PUBLIC,
        )
    ]


async def test_comments_go_with_whoever_they_belong_to(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    reddit.post(7, "refund please")
    reddit.comment(1, 7, "请私信订单号", by=ME, age=timedelta(minutes=50))
    reddit.comment(2, 7, "已私信，没人理", by="ana_demo", age=timedelta(minutes=40), parent_id="t1_c1")
    reddit.comment(3, 7, "mine broke, too", age=timedelta(minutes=30))
    reddit.comment(4, 7, "sorry!", by=ME, age=timedelta(minutes=20), parent_id="t1_c3")
    reddit.comment(5, 7, "Your post was kept.", by="AutoModerator", age=timedelta(minutes=10))
    connector = connect()
    await hear(connector, journal)
    post, ours, again, other, to_other, robot = read(connector, journal.raws)
    assert [one.author.role for one in (ours, again, to_other)] == [Role.COMPANY, Role.CUSTOMER, Role.COMPANY]
    assert (ours.thread, to_other.thread) == ((post.external_id,), (other.external_id,))
    assert again.thread == post.known_as
    assert not {*other.thread, *other.known_as} & {post.external_id, *post.known_as}
    assert (robot.author.role, robot.is_automatic) == (Role.BOT, True)


async def test_the_inbox(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    reddit.message(1, "where is my refund?", age=timedelta(hours=3))
    reddit.message(2, "one moment", by=ME, first_message_name="t4_m1", age=timedelta(hours=2))
    connector = connect(subreddits=[])
    await hear(connector, journal)
    asked, ours = read(connector, journal.raws)
    assert (asked.subject, asked.visibility, asked.author.role) == ("Order 7741", Visibility.PRIVATE, Role.CUSTOMER)
    assert (ours.author.role, ours.thread) == (Role.COMPANY, (asked.external_id,))


def test_a_comment_in_the_inbox_is_the_same_as_in_its_community() -> None:
    data = {"name": "t1_c9", "author": "bob_demo", "author_fullname": "t2_bob", "created_utc": 1.0, "body": "again!"}
    place = f"/r/{HOME}/comments/p7/post_no_7/c9/"
    in_community = data | {"link_id": "t3_p7", "parent_id": "t3_p7", "permalink": place}
    in_inbox = data | {"subject": "comment reply", "parent_id": "t1_c1", "context": f"{place}?context=3", "dest": ME}
    bodies = [encode({"kind": "t1", "data": one}) for one in (in_community, in_inbox)]
    raws = [Raw(key="t1_c9", body=body, media_type="application/json", received_at=START) for body in bodies]
    first, second = ([*RedditConnector.parse(raw, make_settings())] for raw in raws)
    assert first == second
    assert first[0].thread == ("t3_p7/t2_bob",)


async def test_a_search_and_the_community_give_a_post_once(
    reddit: Reddit, connect: Connect, journal: MiniJournal
) -> None:
    reddit.post(7, "examplebrand will not refund me")
    await hear(connect(searches=["examplebrand"]), journal)
    assert [raw.key for raw in journal.raws] == ["t3_p7"]


async def test_three_days_of_downtime_are_read_afterwards(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    reddit.page_items = 20
    reddit.post(0, "before")
    await hear(connect(), journal)
    clock.advance(timedelta(hours=72))
    for number in range(1, 150):
        reddit.post(number, f"第{number}条", age=timedelta(hours=-72) + timedelta(minutes=20 * number))
    await hear(connect(), journal)
    assert {raw.key for raw in journal.raws} == {f"t3_p{number}" for number in range(150)}
    assert not any(raw.baseline for raw in journal.raws)
    assert journal.gaps == []


async def test_what_reddit_no_longer_lists_is_a_gap_with_its_span(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    reddit.post(0, "before")
    await hear(connect(read_inbox=False), journal)
    clock.advance(timedelta(hours=72))
    for number in range(1, 1200):
        reddit.post(number, "so many", age=timedelta(hours=-72) + timedelta(minutes=number))
    await hear(connect(read_inbox=False), journal, limit=100)
    (gap,) = journal.gaps
    assert gap.since == START - timedelta(hours=1)
    assert gap.until == START + timedelta(hours=72) - timedelta(minutes=1000)
    assert len(journal.raws) == 1001


async def test_an_edit_is_a_follow_up_also_of_what_is_old(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    reddit.post(1, "bought last year", age=timedelta(days=300))
    reddit.post(2, "bought yesterday", age=timedelta(days=1))
    connector = connect()
    await hear(connector, journal)
    assert {raw.key: raw.baseline for raw in journal.raws} == {"t3_p1": True, "t3_p2": False}
    reddit.post(1, "EDIT: now it is broken")
    clock.advance(timedelta(hours=25))
    await hear(connector, journal)
    (said,) = connector.parse(revised(journal.raws[-1]), connector.settings)
    assert (said.kind, said.text, said.posted_at) == (Kind.EDITED, "EDIT: now it is broken", START)


async def test_what_is_deleted_is_withdrawn(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    """A list leaves it out without a word: it is asked for by its name."""
    reddit.post(1, "", title="你们的客服骂人", age=timedelta(hours=3))
    reddit.post(2, "so do mine", age=timedelta(hours=4))
    reddit.comment(1, 2, "my refund never came", age=timedelta(hours=3))
    reddit.comment(2, 2, "nor did mine", age=timedelta(hours=4))
    connector = connect()
    await hear(connector, journal)
    assert len(journal.raws) == 4
    reddit.delete("t3_p1")
    reddit.delete("t1_c1")
    for _ in range(3):
        await hear(connector, journal)
    told = [message for raw in journal.raws[4:] for message in connector.parse(revised(raw), connector.settings)]
    assert [(one.external_id, one.kind, one.text) for one in told] == [
        ("t3_p1", Kind.WITHDRAWN, ""),
        ("t1_c1", Kind.WITHDRAWN, ""),
    ]


async def test_a_deletion_is_heard_though_the_question_fails_or_the_page_is_not_stored(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    reddit.post(1, "Mine broke", age=timedelta(hours=3))
    reddit.post(2, "so did mine", age=timedelta(hours=4))
    connector = connect()
    await hear(connector, journal)
    stream = (await connector.streams())[0]
    reddit.delete("t3_p1")
    reddit.fail_from = "/api/info"
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    reddit.fail_from = ""
    async for batch in connector.poll(stream, journal.cursors[stream], {}, 10):
        assert "t3_p1" in {raw.key for raw in batch.raws}
        break  # the disk is full
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws[2:]] == ["t3_p1"]
    reddit.asked.clear()
    clock.advance(timedelta(hours=1))
    await hear(connector, journal)
    assert "/api/info" not in {path for path, _ in reddit.asked}


async def test_what_was_deleted_before_it_was_read_says_nothing(
    reddit: Reddit, connect: Connect, journal: MiniJournal
) -> None:
    reddit.post(1, "[deleted]", by="[deleted]", author_fullname=None)
    connector = connect()
    await hear(connector, journal)
    assert read(connector, journal.raws) == []


@pytest.mark.parametrize("ordinal", [1, 2])
async def test_what_moderators_took_down_says_nothing(
    reddit: Reddit, connect: Connect, journal: MiniJournal, ordinal: int
) -> None:
    reddit.post(1, "[removed]")
    connector = connect()
    await hear(connector, journal)
    assert connector.parse(revised(journal.raws[0], ordinal), connector.settings) == ()


async def test_pages_that_go_on_by_a_deleted_post_are_begun_anew(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    """Below a deleted one Reddit lists nothing: taken for the end, everything further down would be lost."""
    reddit.page_items = 2
    for number in range(6):
        reddit.post(number, f"第{number}条", age=timedelta(hours=1 + number))
    connector = connect(read_inbox=False)
    name = (await connector.streams())[0]
    batches = connector.poll(name, None, {}, 2)
    journal.accept(name, await anext(batches))
    journal.accept(name, await anext(batches))
    reddit.delete("t3_p1")
    with pytest.raises(Rejected, match="deleted"):
        async for batch in batches:
            journal.accept(name, batch)
    await hear(connector, journal)
    assert {raw.key for raw in journal.raws} == {f"t3_p{number}" for number in range(6)}


async def test_a_list_that_is_suddenly_empty_is_a_lapse(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    reddit.post(1, "refund please")
    connector = connect()
    await hear(connector, journal)
    reddit.things.clear()
    with pytest.raises(Unavailable, match="empty"):
        await hear(connector, journal)


HOSTILE: tuple[dict[str, Any], ...] = (
    {"name": None},
    {"created_utc": "yesterday"},
    {"created_utc": 1e300},
    {"created_utc": True},
    {"selftext": {"deep": [1]}},
    {"author": ["x"]},
    {"title": 7},
    {"selftext": "退款" * 400_000, "media_metadata": "none"},
)


@pytest.mark.parametrize("fields", HOSTILE)
async def test_a_hostile_item_is_kept_for_a_person_and_the_rest_goes_on(
    reddit: Reddit, connect: Connect, journal: MiniJournal, fields: dict[str, Any]
) -> None:
    reddit.post(1, "refund please")
    reddit.post(2, "不会读", **{"title": "?", **fields})
    reddit.junk = [{"kind": "t3", "data": "no object"}, None]
    connector = connect()
    for _ in range(2):
        await hear(connector, journal)
    good = [raw for raw in journal.raws if raw.key == "t3_p1"]
    bad = [raw for raw in journal.raws if raw.key != "t3_p1"]
    assert (len(good), len(bad)) == (1, 3)
    for raw in bad:
        if not raw.quarantine:
            with pytest.raises(BadMessage):
                connector.parse(raw, connector.settings)


def test_another_kind_of_thing_is_refused() -> None:
    body = encode({"kind": "t5", "data": {"name": "t5_x", "created_utc": 1.0}})
    with pytest.raises(BadMessage, match="neither"):
        RedditConnector.parse(
            Raw(key="x", body=body, media_type="application/json", received_at=START), make_settings()
        )


async def test_pictures_are_asked_of_reddit_alone(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    gallery = {"a1b2": {"m": "image/jpg", "status": "valid"}, "../etc": {"m": "image/png"}, "v": {"m": "video/mp4"}}
    reddit.post(1, "", url="https://i.redd.it/q9x8.png", is_self=False, age=timedelta(hours=4))
    reddit.post(2, "看图", media_metadata=gallery, age=timedelta(hours=3))
    reddit.post(3, "", url="https://i.redd.it.evil.example/x.png", is_self=False, age=timedelta(hours=2))
    connector = connect()
    await hear(connector, journal)
    one, two, link = read(connector, journal.raws)
    picture = Attachment(name="q9x8.png", media_type="image/png", ref=Ref(locator={"picture": "q9x8.png"}))
    assert one.attachments == (picture,)
    assert [file.name for file in two.attachments] == ["a1b2.jpg"]
    assert (link.attachments, link.text) == ((), "https://i.redd.it.evil.example/x.png")
    with pytest.raises(Rejected, match="no picture"):
        await connector.fetch(Ref(locator={"picture": "../api/v1/me"}))


async def test_an_expired_token_is_renewed_once(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    reddit.tokens.clear()
    reddit.post(1, "refund please")
    await hear(connector, journal)
    assert len(journal.raws) == 1
    assert len(reddit.grants) == 2


@pytest.mark.parametrize(
    ("settings", "grant"),
    [
        ({}, {"grant_type": "password", "username": ME, "password": PASSWORD}),
        ({"password": None}, {"grant_type": "client_credentials"}),
        (
            {"password": None, "refresh_token": "r-4711-example"},
            {"grant_type": "refresh_token", "refresh_token": "r-4711-example"},
        ),
    ],
)
async def test_logging_in(reddit: Reddit, connect: Connect, settings: dict[str, Any], grant: dict[str, str]) -> None:
    connector = connect(**settings)
    identity = await connector.check()
    assert (identity.account, identity.details[0]) == (f"u/{ME}", f"r/{HOME}")
    assert reddit.grants == [grant]
    paths = {path for path, _ in reddit.asked}
    assert ("/message/inbox" in paths) == ("client" not in grant["grant_type"])


@pytest.mark.parametrize(
    ("settings", "error"), [({"password": "wrong"}, "username and password"), ({"client_secret": "wrong"}, "client_id")]
)
async def test_a_refused_login(connect: Connect, settings: dict[str, Any], error: str) -> None:
    with pytest.raises(AuthError, match=error):
        await connect(**settings).check()


async def test_a_request_too_many_waits_as_reddit_says(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    reddit.failures.append(web.Response(status=429, headers={"X-Ratelimit-Reset": "217"}))
    with pytest.raises(RetryLater) as told:
        await hear(connect(), journal)
    assert told.value.after_seconds == 217


async def test_a_quota_that_is_used_up_is_not_overdrawn(
    reddit: Reddit, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    reddit.headers = {"X-Ratelimit-Remaining": "0.0", "X-Ratelimit-Used": "100", "X-Ratelimit-Reset": "300"}
    with pytest.raises(RetryLater, match="quota") as told:
        await hear(connector, journal)
    assert (told.value.after_seconds, len(reddit.asked)) == (300, 1)
    reddit.headers = {}
    clock.advance(timedelta(seconds=301))
    await hear(connector, journal)


@pytest.mark.parametrize("place", ["private", "nosuchplace"])
async def test_a_place_that_is_not_to_be_read(connect: Connect, journal: MiniJournal, place: str) -> None:
    with pytest.raises(ConfigError, match=f"r/{place}"):
        await connect(subreddits=[place, HOME]).check()
    with pytest.raises(Rejected):  # this stream fails, the others go on
        await hear(connect(subreddits=[place]), journal)


async def test_nonsense_is_no_listing(reddit: Reddit, connect: Connect, journal: MiniJournal) -> None:
    nonsense: tuple[Any, ...] = ({"data": None}, {"data": {"children": {}}}, ["x"])
    for answer in nonsense:
        reddit.failures.append(web.json_response(answer))
        with pytest.raises(Unavailable):
            await hear(connect(), journal)


def address(message: str) -> Address:
    return Address(to=Author(id="t2_ana"), message=message, said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START)


async def test_answering(reddit: Reddit, connect: Connect) -> None:
    await connect().reply(address("t3_p7"), "受理编号 ALE-7K3M-Q9TX-4RWD", "K1")
    assert reddit.answers == [{"thing_id": "t3_p7", "text": "受理编号 ALE-7K3M-Q9TX-4RWD", "api_type": "json"}]


@pytest.mark.parametrize(
    ("code", "error"),
    [("DELETED_LINK", Void), ("THREAD_LOCKED", Void), ("RATELIMIT", RetryLater), ("NO_TEXT", Rejected)],
)
async def test_an_answer_that_is_refused(reddit: Reddit, connect: Connect, code: str, error: type[Exception]) -> None:
    reddit.errors = [[code, "you are doing that too much", "ratelimit"]]
    with pytest.raises(error):
        await connect().reply(address("t3_p7"), "hello", "K1")


async def test_nothing_is_answered_without_a_login(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="login"):
        await connect(password=None).reply(address("t3_p7"), "hello", "K1")


@pytest.mark.parametrize(
    "wrong", [{"subreddits": [], "password": None}, {"refresh_token": "r-1"}, {"subreddits": ["r/brand"]}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**wrong)
