"""What is said to a Page, in public and in private, and the messages it gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.connector import Address
from allears_sdk.errors import BadMessage, InDoubt, Rejected, RetryLater, Void
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Ref, Role, Visibility
from allears_sdk.testing import RecordingLog
from allears_sdk.testing.clock import START
from connectors.facebook.items import listed
from tests.connectors._meta.graph_server import Graph, deliver, fault
from tests.connectors.facebook.conftest import (
    ANA,
    OURS,
    PAGE,
    POST,
    PSID,
    Connect,
    by,
    make_change,
    make_comment,
    make_delivery,
    make_event,
)

MINUTE_AGO = START - timedelta(seconds=60)
CDN = "https://scontent.xx.fbcdn.net/v/t1.15752-9/1.jpg?oh=ab&oe=67"


async def read(connect: Connect, delivery: dict[str, Any], **settings: Any) -> list[Message]:
    connector = connect(**settings)
    raws = (await connector.receive(deliver(delivery))).raws
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_comment(connect: Connect) -> None:
    assert await read(connect, make_change(message="Broken on arrival，要求退款", photo=CDN)) == [
        Message(
            text="Broken on arrival，要求退款",
            external_id="111_333",
            thread=(POST,),
            author=Author(id="777", name="Ana P."),
            posted_at=MINUTE_AGO,
            attachments=(Attachment(name="", title="picture", media_type="image/jpeg", ref=Ref(locator={"url": CDN})),),
            permalink="https://www.facebook.com/111_333",
            visibility=Visibility.PUBLIC,
        )
    ]


async def test_a_comment_that_is_read_says_the_same(connect: Connect) -> None:
    connector = connect()
    found = make_comment("111_333", "Broken on arrival", age_hours=1 / 60)
    raw = listed(PAGE, POST, found, START)
    assert list(connector.parse(raw, connector.settings)) == await read(
        connect, make_change(message="Broken on arrival")
    )


async def test_an_answer_to_a_comment_goes_on_with_it(connect: Connect) -> None:
    ours = make_change(comment_id="111_334", parent_id="111_333", message="请私信订单号", **by(OURS))
    (message,) = await read(connect, ours)
    assert (message.author.role, message.thread) == (Role.COMPANY, ("111_333", POST))


async def test_what_the_page_says_to_nobody_is_not_kept_for_an_answer(connect: Connect) -> None:
    assert await read(connect, make_change(message="感谢大家", **by(OURS))) == []


async def test_strangers_whom_meta_does_not_name_stand_alone(connect: Connect) -> None:
    (message,) = await read(connect, make_change(message="me too", **by(None)))
    assert (message.author, message.thread) == (Author(), ())
    (answer,) = await read(connect, make_change(message="me too", parent_id="111_1", **by(None)))
    assert answer.thread == ("111_1",)


@pytest.mark.parametrize("verb", ["edited", "edit"])
async def test_an_edit(connect: Connect, verb: str) -> None:
    (message,) = await read(connect, make_change(verb, message="已解决"))
    assert (message.kind, message.external_id, message.text) == (Kind.EDITED, "111_333", "已解决")
    assert message.posted_at == START, "an edit is as old as its delivery"


async def test_a_deletion(connect: Connect) -> None:
    (message,) = await read(connect, make_change("remove", message=None))
    assert (message.kind, message.external_id, message.text) == (Kind.WITHDRAWN, "111_333", "")


@pytest.mark.parametrize(
    "value",
    [
        {"item": "reaction", "comment_id": None, "reaction_type": "angry"},
        {"item": "like", "comment_id": None},
        {"verb": "hide"},
        {"verb": "unhide"},
        {"item": "share", "comment_id": None},
    ],
)
async def test_what_says_nothing_is_not_kept(connect: Connect, value: dict[str, Any]) -> None:
    assert not (await connect().receive(deliver(make_change(**value)))).raws


RATING: dict[str, Any] = {
    "item": "rating",
    "comment_id": None,
    "parent_id": None,
    "post_id": None,
    "from": None,
    "open_graph_story_id": "10158",
    "recommendation_type": "NEGATIVE",
    "review_text": "假一赔十？寄来的是假货",
    "reviewer_id": "777",
    "reviewer_name": "Ana P.",
}


async def test_a_recommendation(connect: Connect) -> None:
    (message,) = await read(connect, make_change(field="ratings", **RATING))
    assert (message.text, message.rating, message.author) == (
        "假一赔十？寄来的是假货",
        Rating(value=1),
        Author(id="777", name="Ana P."),
    )
    assert (message.external_id, message.visibility) == ("rating:10158", Visibility.PUBLIC)


async def test_a_recommendation_that_is_changed_thrice(connect: Connect) -> None:
    connector = connect()
    digests = []
    for verb, kind in (("add", "NEGATIVE"), ("edited", "POSITIVE"), ("edited", "NEGATIVE")):
        change = make_change(verb, field="ratings", **RATING | {"recommendation_type": kind})
        (raw,) = (await connector.receive(deliver(change))).raws
        assert raw.key == "rating:10158"
        digests.append(raw.digest)
    assert digests[0] == digests[2] != digests[1]


# Messenger


async def test_a_message(connect: Connect) -> None:
    delivery = make_event("我的包裹到哪了？")
    mid = delivery["entry"][0]["messaging"][0]["message"]["mid"]
    assert await read(connect, delivery) == [
        Message(
            text="我的包裹到哪了？",
            external_id=mid,
            thread=(f"{PAGE}/{PSID}",),
            author=Author(id=PSID, profile=Ref(locator={"profile": PSID})),
            posted_at=MINUTE_AGO + timedelta(milliseconds=123),
        )
    ]


async def test_a_message_on_standby_is_the_same_one(connect: Connect) -> None:
    said = {"mid": "m_1", "text": "人工客服！"}
    ours, standby = make_event(message=said), make_event(message=said, place="standby")
    assert await read(connect, ours) == await read(connect, standby)
    keys = {raw.key for one in (ours, standby) for raw in (await connect().receive(deliver(one))).raws}
    assert keys == {"m_1"}


async def test_files_and_what_leads_elsewhere(connect: Connect) -> None:
    attachments = [
        {"type": "image", "payload": {"url": CDN}},
        {"type": "image", "payload": {"url": CDN, "sticker_id": 369239263222822}},
        {"type": "fallback", "title": "Evil", "url": "http://10.0.0.1/x", "payload": None},
        {"type": "video", "payload": {}},
    ]
    (message,) = await read(connect, make_event(message={"mid": "m_1", "text": "看图", "attachments": attachments}))
    assert message.text == "看图\n[sticker]\n[fallback] Evil http://10.0.0.1/x"
    image, video = message.attachments
    assert (image.name, image.ref) == ("image-20261122-035900-1.jpg", Ref(locator={"url": CDN}))
    assert (video.ref, video.skipped) == (None, "Meta named no address of it")


async def test_an_edited_and_an_unsent_message(connect: Connect) -> None:
    edit = make_event(message=None, message_edit={"mid": "m_1", "text": "订单 7742", "num_edit": 2})
    (message,) = await read(connect, edit)
    assert (message.kind, message.external_id, message.revision) == (Kind.EDITED, "m_1", "m_1:edit:2")
    (message,) = await read(connect, make_event(message={"mid": "m_1", "is_deleted": True}))
    assert (message.kind, message.external_id, message.revision) == (Kind.WITHDRAWN, "m_1", "m_1:deleted")


async def test_what_the_page_answers_is_context(connect: Connect) -> None:
    ids: dict[str, Any] = {"sender": {"id": PAGE}, "recipient": {"id": PSID}}
    echo = {"mid": "m_2", "text": "已退款", "is_echo": True, "app_id": 42, "reply_to": {"mid": "m_1"}}
    (message,) = await read(connect, make_event(message=echo, **ids))
    assert (message.author.role, message.participants, message.thread) == (
        Role.COMPANY,
        (PSID,),
        ("m_1", f"{PAGE}/{PSID}"),
    )


async def test_a_button(connect: Connect) -> None:
    pressed = make_event(message=None, postback={"mid": "m_3", "title": "我要投诉", "payload": "X"})
    (message,) = await read(connect, pressed)
    assert (message.text, message.is_automatic) == ("我要投诉", False)
    (message,) = await read(connect, make_event(message=None, postback={"payload": "GET_STARTED"}))
    assert message.is_automatic


@pytest.mark.parametrize(
    "event", [{"read": {"watermark": 1}}, {"delivery": {}}, {"reaction": {"emoji": "👍"}}, {"optin": {}}]
)
async def test_receipts_are_not_kept(connect: Connect, event: dict[str, Any]) -> None:
    assert not (await connect().receive(deliver(make_event(message=None, **event)))).raws


async def test_another_page_of_the_same_app_is_heard_too(connect: Connect, log: RecordingLog) -> None:
    """An app has one address for all its Pages: what comes is never thrown away."""
    delivery = make_delivery("1000", changes=make_change(message="退款", **by({"id": "777"}))["entry"][0]["changes"])
    assert [one.text for one in await read(connect, delivery)] == ["退款"]
    assert ("info", "delivery_noted", {"another_account": "1000"}) in log.entries


async def test_what_cannot_be_read_becomes_a_letter_and_harms_no_other(connect: Connect) -> None:
    connector = connect()
    delivery = make_event("好的")
    delivery["entry"] += [
        {"id": PAGE, "time": 1, "messaging": [{"message": {"text": "no mid"}}, 7]},
        {"id": PAGE, "time": 1, "changes": [{"field": "feed", "value": {"item": "comment", "comment_id": 7}}]},
    ]
    first, *bad = (await connector.receive(deliver(delivery))).raws
    assert connector.parse(first, connector.settings)[0].text == "好的"
    assert len({raw.key for raw in bad}) == 3
    for raw in bad:
        with pytest.raises(BadMessage):
            connector.parse(raw, connector.settings)


# Answers and names


def make_address(**fields: Any) -> Address:
    known: dict[str, Any] = {"to": Author(id=PSID), "message": "m_1", "thread": (f"{PAGE}/{PSID}",), "at": START}
    return Address(**{**known, "said_at": START - timedelta(hours=1), "reference": "ALE-7K3M-Q9TX-4RWD", **fields})


async def test_an_answer(connect: Connect, graph: Graph) -> None:
    await connect().reply(make_address(), "已收到", "k1")
    said = {"recipient": {"id": PSID}, "messaging_type": "RESPONSE", "message": {"text": "已收到"}}
    assert graph.posted == [(f"{PAGE}/messages", said)]


async def test_comments_are_left_to_people_unless_you_say_otherwise(connect: Connect, graph: Graph) -> None:
    comment = make_address(message="111_333", thread=(POST,), said_at=START - timedelta(days=6))
    with pytest.raises(Void, match="left to people"):
        await connect().reply(comment, "已收到", "k1")
    await connect(answer_comments="private").reply(comment, "已收到", "k1")
    assert [body["recipient"] for _, body in graph.posted] == [{"comment_id": "111_333"}]


@pytest.mark.parametrize(("hours", "thread"), [(24, (f"{PAGE}/{PSID}",)), (24 * 7, (POST,))])
async def test_too_late_is_too_late(connect: Connect, graph: Graph, hours: int, thread: tuple[str, ...]) -> None:
    late = make_address(thread=thread, said_at=START - timedelta(hours=hours))
    with pytest.raises(Void, match="24 hours"):
        await connect(answer_comments="private").reply(late, "已收到", "k1")
    assert not graph.posted


async def test_refusals_of_an_answer(connect: Connect, graph: Graph) -> None:
    graph.faults.append(fault(10, "outside of allowed window", subcode=2018278))
    with pytest.raises(Void):
        await connect().reply(make_address(), "已收到", "k1")
    graph.faults.append(fault(32, "Page request limit reached"))
    with pytest.raises(RetryLater):
        await connect().reply(make_address(), "已收到", "k1")
    graph.lost_answers = 1
    with pytest.raises(InDoubt):
        await connect().reply(make_address(), "已收到", "k1")
    with pytest.raises(Rejected, match="2000 characters"):
        await connect().reply(make_address(), "长" * 2001, "k1")
    assert len(graph.posted) == 1


async def test_a_name_is_asked_for(connect: Connect, graph: Graph) -> None:
    graph.objects[PSID] = {"first_name": "Ana", "last_name": "P.", "id": PSID}
    assert await connect().fetch(Ref(locator={"profile": PSID})) == Author(name="Ana P.")
    (message,) = await read(connect, make_event("hi"), access_token=None)
    assert message.author.profile is None


def test_times_of_reads(connect: Connect) -> None:
    connector = connect()
    found = {**make_comment("111_1", "x"), "created_time": "2025-06-15T15:06:40+0000", "from": ANA}
    (message,) = connector.parse(listed(PAGE, POST, found, START), connector.settings)
    assert message.posted_at == datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
