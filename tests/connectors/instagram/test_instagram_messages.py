"""What is said to an account, and the messages it gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Address, Batch
from allears_sdk.errors import BadMessage, Rejected, RetryLater, Void
from allears_sdk.message import Author, Kind, Message, Ref, Role, Visibility
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from tests.connectors._meta.graph_server import Graph, deliver, fault
from tests.connectors.instagram.conftest import (
    ACCOUNT,
    IGSID,
    MEDIA,
    Connect,
    by,
    make_change,
    make_comment,
    make_delivery,
    make_event,
    make_media,
    make_mention,
)

ROOM = f"media:{MEDIA}"
ANA = Author(id="@ana.p", handle="@ana.p")


async def read(connect: Connect, delivery: dict[str, Any], **settings: Any) -> list[Message]:
    connector = connect(**settings)
    raws = (await connector.receive(deliver(delivery))).raws
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


@pytest.fixture
def media(graph: Graph) -> Graph:
    graph.lists[f"{ACCOUNT}/media"] = [make_media()]
    graph.lists[f"{MEDIA}/comments"] = []
    return graph


@pytest.mark.parametrize("is_instagram_login", [False, True])
async def test_a_comment(connect: Connect, is_instagram_login: bool) -> None:
    """It tells no time of its own: that of the delivery stands for it."""
    delivery = make_change(text="屏幕碎了 😡 refund!", is_instagram_login=is_instagram_login)
    assert await read(connect, delivery) == [
        Message(
            text="屏幕碎了 😡 refund!",
            external_id="17865799348089039",
            thread=(ROOM,),
            author=ANA,
            posted_at=START,
            visibility=Visibility.PUBLIC,
        )
    ]


async def test_an_answer_of_ours_goes_on_with_the_comment(connect: Connect) -> None:
    ours = make_change(text="请私信订单号", id="2", parent_id="17865799348089039", **by("Example_Shop"))
    (message,) = await read(connect, ours)
    assert (message.author.role, message.thread) == (Role.COMPANY, ("17865799348089039", ROOM))
    assert await read(connect, make_change(text="感谢大家", id="3", **by("someone", ACCOUNT))) == []


async def test_a_live_comment(connect: Connect) -> None:
    (message,) = await read(connect, make_change("live_comments", text="假货"))
    assert message.text == "假货"


async def test_a_message_an_unsent_one_and_a_story(connect: Connect) -> None:
    (message,) = await read(connect, make_event("我的包裹呢？"))
    assert (message.thread, message.author) == (
        (f"{ACCOUNT}/{IGSID}",),
        Author(id=IGSID, profile=Ref(locator={"profile": IGSID})),
    )
    (message,) = await read(connect, make_event(message={"mid": "m1", "is_deleted": True}))
    assert message.kind is Kind.WITHDRAWN
    story = {
        "mid": "m2",
        "text": "这个骗人",
        "reply_to": {"story": {"url": "https://lookaside.fbsbx.com/x", "id": "1"}},
    }
    (message,) = await read(connect, make_event(message=story))
    assert message.text == "这个骗人\n[about our story]"
    mention = {
        "mid": "m3",
        "attachments": [{"type": "story_mention", "payload": {"url": "https://lookaside.fbsbx.com/y"}}],
    }
    (message,) = await read(connect, make_event(message=mention))
    assert message.text == "[story_mention] https://lookaside.fbsbx.com/y"


async def test_what_is_not_heard_and_what_cannot_be_read(connect: Connect) -> None:
    connector = connect()
    assert not (await connector.receive(deliver(make_change("story_insights")))).raws
    bad = make_delivery(changes=[{"field": "comments", "value": {"text": 7}}, {"field": "mentions", "value": {}}])
    for raw in (await connector.receive(deliver(bad))).raws:
        with pytest.raises(BadMessage):
            connector.parse(raw, connector.settings)
    page: dict[str, Any] = {"object": "page", "entry": []}
    assert not (await connector.receive(deliver(page))).raws
    page["entry"] = [{"id": "1", "messaging": [{}]}]
    assert "channel of their own" in (await connector.receive(deliver(page))).refused


# Reading back


async def test_comments_and_their_answers_are_read(connect: Connect, media: Graph, journal: MiniJournal) -> None:
    replies = {
        "data": [make_comment("12", "我也是", **by("li.lei")), {"id": "13", "text": "请私信", **by("example_shop")}]
    }
    media.lists[f"{MEDIA}/comments"] = [make_comment("11", "屏幕碎了", replies=replies)]
    connector = connect()
    await hear(connector, journal)
    said = [message for raw in journal.raws for message in connector.parse(raw, connector.settings)]
    assert [(one.external_id, one.thread, one.author.role) for one in said] == [
        ("11", (ROOM,), Role.CUSTOMER),
        ("12", ("11", ROOM), Role.CUSTOMER),
        ("13", ("11", ROOM), Role.COMPANY),
    ]
    assert said[0].permalink == "https://www.instagram.com/p/4550/"
    assert said[0].posted_at == START - timedelta(hours=1)


async def test_a_delivered_comment_is_not_read_again(connect: Connect, media: Graph, journal: MiniJournal) -> None:
    connector = connect()
    reception = await connector.receive(deliver(make_change(text="屏幕碎了")))
    journal.accept("", Batch(raws=reception.raws))
    media.lists[f"{MEDIA}/comments"] = [make_comment("17865799348089039", "屏幕碎了"), make_comment("18", "太慢")]
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == ["comment:17865799348089039", "comment:18"]


async def test_after_three_days_all_is_caught_up(
    connect: Connect, media: Graph, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connect(), journal)
    clock.advance(timedelta(hours=72))
    said = [make_comment(f"2{number}", f"第 {number} 条", age_hours=-number) for number in range(60)]
    media.lists[f"{MEDIA}/comments"] = said[::-1]
    media.page_items = 25
    await hear(connect(), journal)
    assert len(journal.raws) == 60
    assert not any(raw.baseline for raw in journal.raws)


async def test_what_is_said_while_a_walk_rests_is_heard_by_the_next(
    connect: Connect, media: Graph, journal: MiniJournal, clock: FakeClock
) -> None:
    """Instagram does not tell that a post which the walk had finished was commented on again."""
    connector = connect()
    await hear(connector, journal)
    clock.advance(timedelta(hours=1))
    media.lists[f"{ACCOUNT}/media"].append(make_media("17895695668004551"))
    with pytest.raises(Rejected):
        await hear(connector, journal)
    clock.advance(timedelta(hours=2))
    media.lists["17895695668004551/comments"] = []
    media.lists[f"{MEDIA}/comments"] = [
        make_comment("32", "仍未退款", age_hours=-2),
        make_comment("31", "还没退款", age_hours=-1.5),
    ]
    await hear(connector, journal)
    assert journal.raws == []
    media.page_items = 1
    media.lists[f"{MEDIA}/comments"].insert(0, make_comment("33", "第三次问", age_hours=-3))
    clock.advance(timedelta(hours=1))
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == ["comment:33", "comment:32", "comment:31"]


# Mentions


async def test_the_words_of_a_mention_are_read_afterwards(connect: Connect, media: Graph, journal: MiniJournal) -> None:
    connector = connect()
    reception = await connector.receive(deliver(make_mention(comment_id="17967008497439572")))
    assert [wake.stream for wake in reception.wakes] == [(await connector.streams())[0]]
    journal.accept("", Batch(raws=reception.raws))
    (told,) = connector.parse(journal.raws[0], connector.settings)
    assert (told.is_automatic, "17967008497439572" in told.text) == (True, True)
    words = {
        "id": "17967008497439572",
        "text": "@example_shop 假货，别买",
        "username": "Ana.P",
        "timestamp": "2026-11-22T03:00:00+0000",
    }
    media.objects[ACCOUNT] = {"mentioned_comment": words, "id": ACCOUNT}
    await hear(connector, journal)
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == ["mention:17967008497439572"] * 2
    (message,) = connector.parse(journal.raws[1], connector.settings)
    assert (message.text, message.author, message.is_automatic) == ("@example_shop 假货，别买", ANA, False)
    assert message.external_id == told.external_id
    (asked,) = (query["fields"] for path, query in media.asked if path == ACCOUNT)
    assert asked == "mentioned_comment.comment_id(17967008497439572){id,text,timestamp,username}"


async def test_a_mention_in_a_post(connect: Connect, media: Graph, journal: MiniJournal) -> None:
    connector = connect()
    await connector.receive(deliver(make_mention()))
    found = {"caption": "@example_shop 三周没发货", "username": "li.lei", "permalink": "https://www.instagram.com/p/X/"}
    media.objects[ACCOUNT] = {"mentioned_media": found}
    await hear(connector, journal)
    (message,) = connector.parse(journal.raws[-1], connector.settings)
    assert (message.text, message.permalink) == ("@example_shop 三周没发货", "https://www.instagram.com/p/X/")


async def test_a_mention_that_cannot_be_read_now_is_read_later_and_one_that_is_gone_never(
    connect: Connect, media: Graph, journal: MiniJournal
) -> None:
    connector = connect()
    await connector.receive(deliver(make_mention()))
    media.faults.append(fault(4, "Application request limit reached"))
    with pytest.raises(RetryLater):
        await hear(connector, journal)
    await hear(connector, journal)
    assert journal.raws == []
    media.asked.clear()
    await hear(connector, journal)
    assert all(path != ACCOUNT for path, _ in media.asked)


# Answers and names


async def test_answers_go_through_the_page_where_there_is_one(connect: Connect, graph: Graph) -> None:
    address = Address(
        to=Author(id=IGSID),
        message="m1",
        thread=(f"{ACCOUNT}/{IGSID}",),
        said_at=START,
        reference="ALE-7K3M-Q9TX-4RWD",
        at=START,
    )
    await connect().reply(address, "已收到", "k1")
    await connect(page_id="999").reply(address, "已收到", "k1")
    assert [path for path, _ in graph.posted] == [f"{ACCOUNT}/messages", "999/messages"]
    with pytest.raises(Void):
        await connect().reply(Address(**{**_fields(address), "thread": (ROOM,)}), "已收到", "k1")


def _fields(address: Address) -> dict[str, Any]:
    return {name: getattr(address, name) for name in Address.__slots__}


async def test_a_name_and_who_we_are(connect: Connect, graph: Graph) -> None:
    graph.objects[IGSID] = {"name": "Ana P.", "username": "ana.p"}
    assert await connect().fetch(Ref(locator={"profile": IGSID})) == Author(name="Ana P.", handle="@ana.p")
    graph.objects[ACCOUNT] = {"username": "example_shop", "id": ACCOUNT}
    assert (await connect().check()).account == f"@example_shop ({ACCOUNT})"
    assert "no access_token" in (await connect(access_token=None).check()).details[0]
