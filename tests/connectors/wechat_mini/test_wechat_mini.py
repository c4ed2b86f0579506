"""What customers write in a mini-program, as chat and as reviews."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.connector import Accepted, Address, Wake
from allears_sdk.errors import BadMessage, ConfigError, RetryLater, Unavailable, Void
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors._wechat.crypto import Envelope
from connectors._wechat.fields import read_json
from connectors.wechat_mini import WechatMiniConnector
from tests.connectors._wechat.platform import Platform, fault
from tests.connectors._wechat.pushing import (
    CUSTOMER,
    OURS,
    SECONDS,
    make_fields,
    make_xml,
    push_plain,
    push_sealed,
    push_sealed_json,
)
from tests.connectors._wechat.vectors import AES_KEY, APP_ID
from tests.connectors.wechat_mini.conftest import NOW, Connect, make_review, make_settings

LIST = "/wxaapi/comment/mpcommentlist/get"
DETAIL = "/wxaapi/comment/commentinfo/get"
STREAM = f"reviews://{APP_ID}/bad"


def parse(raw: Raw, **settings: Any) -> Message:
    (message,) = WechatMiniConnector.parse(raw, make_settings(**settings))
    return message


async def heard(connector: WechatMiniConnector, journal: MiniJournal) -> list[Message]:
    before = len(journal.raws)
    await hear(connector, journal)
    return [parse(raw) for raw in journal.raws[before:]]


@pytest.mark.parametrize("is_json", [False, True])
async def test_json_and_xml_say_the_same(connect: Connect, is_json: bool) -> None:
    fields = make_fields("订单少发一件", number=24681357908642136)
    request = push_sealed_json(fields) if is_json else push_sealed(make_xml(**fields))
    (raw,) = (await connect().receive(request)).raws
    assert (raw.key, raw.thread) == ("24681357908642136", CUSTOMER)
    assert raw.media_type == ("application/json" if is_json else "application/xml")
    message = parse(raw)
    assert (message.text, message.author, message.posted_at) == ("订单少发一件", Author(id=CUSTOMER), START)


async def test_json_in_plain_mode(connect: Connect) -> None:
    body = b'{"ToUserName":"gh_0a1b2c3d4e5f","FromUserName":"oABCD1234","CreateTime":1767225600,"MsgType":"text",'
    body += '"Content":"订单少发一件","MsgId":24681357908642136}'.encode()
    (raw,) = (await connect(mode="plain").receive(push_plain(body))).raws
    assert (raw.key, raw.body, parse(raw).text) == ("24681357908642136", body, "订单少发一件")
    assert parse(raw).posted_at == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_card_a_picture_and_the_beginning_of_a_session(connect: Connect) -> None:
    card = make_fields(
        MsgType="miniprogrampage", Title="订单 77410233", PagePath="pages/order?id=77410233", AppId=APP_ID
    )
    (raw,) = (await connect().receive(push_sealed_json(card))).raws
    assert parse(raw).text == "[小程序] 订单 77410233\npages/order?id=77410233"
    picture = make_fields(MsgType="image", PicUrl="http://mmbiz.qpic.cn/x/0", MediaId="m-1")
    (raw,) = (await connect().receive(push_sealed_json(picture))).raws
    assert [one.media_type for one in parse(raw).attachments] == ["image/jpeg"]
    entered = make_fields(MsgType="event", Event="user_enter_tempsession", SessionFrom="order=77410233")
    (raw,) = (await connect().receive(push_sealed_json(entered))).raws
    message = parse(raw)
    assert (message.text, message.is_automatic) == ("user_enter_tempsession order=77410233", True)


@pytest.mark.parametrize("is_json", [False, True])
async def test_handed_over_in_the_language_of_the_push(connect: Connect, is_json: bool) -> None:
    fields = make_fields("订单少发一件")
    request = push_sealed_json(fields) if is_json else push_sealed(make_xml(**fields))
    connector = connect(hand_over=True)
    reception = await connector.receive(request)
    answer = reception.answer([Accepted(key=reception.raws[0].key, is_new=True)])
    again = (await connector.receive(request)).answer([Accepted(key=reception.raws[0].key, is_new=False)])
    assert answer == again
    assert answer.media_type.startswith("application/json" if is_json else "text/xml")
    if is_json:
        opened = read_json(Envelope(AES_KEY, APP_ID).open(read_json(answer.body).word("Encrypt")))
        told = [opened.word(name) for name in ("MsgType", "ToUserName", "FromUserName", "CreateTime")]
        assert told == ["transfer_customer_service", CUSTOMER, OURS, str(SECONDS)]


async def test_reviews_off_asks_for_nothing(connect: Connect, platform: Platform) -> None:
    connector = connect()
    assert await connector.streams() == ()
    await connector.check()
    assert platform.called(LIST) == 0


async def test_a_bad_review_is_read_exactly(connect: Connect, platform: Platform, journal: MiniJournal) -> None:
    media = [{"img": "https://cdn.example.com/a.jpg?sign=1", "thumbImg": "https://cdn.example.com/a-s.jpg"}]
    content = {"txt": "这个成分很伤皮肤，用了之后一直很干燥", "media": media}
    platform.reviews = [make_review(7, "", stars=2, content=content), make_review(8, "很好", stars=5)]
    (message,) = await heard(connect(reviews="bad"), journal)
    assert message == Message(
        text="这个成分很伤皮肤，用了之后一直很干燥",
        external_id="review:2797755680173100007",
        author=Author(id="oReview00007", name="李雷"),
        posted_at=START - timedelta(hours=1),
        rating=Rating(value=2.0),
        product="保湿面霜 50ml",
        order="SO-2026-00007",
        attachments=(
            Attachment(
                name="",
                title="image",
                media_type="image/jpeg",
                ref=Ref(locator={"url": "https://cdn.example.com/a.jpg?sign=1"}),
            ),
        ),
        visibility=Visibility.PUBLIC,
    )


async def test_a_video_has_a_picture_beside_it_that_is_left(
    connect: Connect, platform: Platform, journal: MiniJournal
) -> None:
    media = [
        {"video": "https://cdn.example.com/v.mp4", "videoCover": "https://cdn.example.com/v.jpg", "videoDuration": 9}
    ]
    platform.reviews = [make_review(7, "", content={"txt": "", "media": media})]
    (message,) = await heard(connect(reviews="bad"), journal)
    assert [(one.media_type, one.ref and one.ref.locator["url"]) for one in message.attachments] == [
        ("video/mp4", "https://cdn.example.com/v.mp4")
    ]


async def test_a_signed_address_is_no_change(connect: Connect, platform: Platform, journal: MiniJournal) -> None:
    def media(sign: int) -> dict[str, Any]:
        return {"txt": "坏了", "media": [{"img": f"https://cdn.example.com/a.jpg?sign={sign}"}]}

    platform.reviews = [make_review(7, "", content=media(1))]
    assert len(await heard(connect(reviews="bad"), journal)) == 1
    platform.reviews[0]["content"] = media(2)
    assert await heard(connect(reviews="bad"), journal) == []


async def test_a_changed_review_edits_the_one_it_replaces(
    connect: Connect, platform: Platform, journal: MiniJournal, clock: FakeClock
) -> None:
    """A new id, five stars: seen by the filter of changed ones alone."""
    platform.reviews = [make_review(7, "太差了")]
    connector = connect(reviews="bad")
    await heard(connector, journal)
    clock.advance(3600)
    changed = make_review(9, "客服帮我换了，现在满意", stars=5, age=-1800)
    platform.reviews = [changed]
    platform.old[changed["commentId"]] = make_review(7, "太差了")
    (message,) = await heard(connector, journal)
    assert (message.kind, message.external_id, message.known_as) == (
        Kind.EDITED,
        "review:2797755680173100007",
        ("review:2797755680173100009",),
    )
    assert message.rating == Rating(value=5.0)
    details = platform.called(DETAIL)
    assert await heard(connector, journal) == []
    assert platform.called(DETAIL) == details, "what is known is not asked for again"


async def test_a_review_changed_under_its_own_id_is_a_revision(
    connect: Connect, platform: Platform, journal: MiniJournal
) -> None:
    platform.reviews = [make_review(7, "太差了")]
    connector = connect(reviews="all")
    await heard(connector, journal)
    platform.reviews = [make_review(7, "改成一星", stars=1)]
    await hear(connector, journal)
    raw = Raw(
        key=journal.raws[1].key, ordinal=2, body=journal.raws[1].body, media_type="application/json", received_at=START
    )
    assert (journal.raws[0].key, parse(raw).kind, parse(raw).text) == (raw.key, Kind.EDITED, "改成一星")


async def test_a_push_of_a_bad_review_is_read_at_once(
    connect: Connect, platform: Platform, journal: MiniJournal
) -> None:
    """Too new for the list, which is read to a minute ago."""
    platform.reviews = [make_review(7, "太差了", age=2)]
    fields = make_fields(MsgType="event", Event="wxa_comment_bad_score", result={"comment_id": "2797755680173100007"})
    connector = connect(reviews="bad")
    for request in (push_sealed(make_xml(**fields)), push_sealed_json(fields)):
        reception = await connector.receive(request)
        assert reception.wakes == (Wake(stream=STREAM, hint={"comment_id": "2797755680173100007"}),)
        assert parse(reception.raws[0]).is_automatic
    async for batch in connector.poll(STREAM, None, reception.wakes[0].hint, 10):
        journal.accept(STREAM, batch)
    assert [parse(raw).text for raw in journal.raws] == ["太差了"]
    platform.reviews[0]["createTime"] = str(NOW - 61)
    assert await heard(connector, journal) == [], "listed later it is the same"


async def test_a_push_without_reviews_is_kept(connect: Connect) -> None:
    fields = make_fields(MsgType="event", Event="wxa_comment_bad_score", result={"comment_id": "2797755680173100007"})
    reception = await connect().receive(push_sealed_json(fields))
    assert (len(reception.raws), reception.wakes) == (1, ())


async def test_spans_are_closed_and_overlap(
    connect: Connect, platform: Platform, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(reviews="bad", look_back="P7D")
    await hear(connector, journal)
    assert journal.cursors[STREAM] == {"version": 1, "until": NOW - 60}
    asked = [query for path, query, _ in platform.calls if path == LIST]
    assert [(query["filterType"], int(query["startTime"]), int(query["endTime"])) for query in asked] == [
        ("5", NOW - 60 - 30 * 86_400, NOW - 60),
        ("1", NOW - 60 - 7 * 86_400, NOW - 60),
    ]
    clock.advance(600)
    platform.calls.clear()
    await hear(connector, journal)
    last = [query for path, query, _ in platform.calls if path == LIST][-1]
    assert (int(last["startTime"]), int(last["endTime"])) == (NOW - 60 - 86_400, NOW + 540)


async def test_after_a_long_outage_nothing_is_left_out(
    connect: Connect, platform: Platform, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(reviews="bad")
    await hear(connector, journal)
    platform.reviews = [make_review(number, f"第{number}条", age=-86_400 * number) for number in range(1, 50)]
    clock.advance(timedelta(days=60))
    assert len(await heard(connector, journal)) == 49


async def test_a_walk_that_fails_moves_no_cursor(connect: Connect, platform: Platform, journal: MiniJournal) -> None:
    platform.reviews = [make_review(number, f"第{number}条", age=600 - number) for number in range(30)]
    connector = connect(reviews="bad")
    platform.fail(LIST, {"errcode": 0, "commentList": [], "total": 0})
    platform.fail(LIST, {"errcode": "0", "commentList": platform.reviews[:10], "total": 30}, fault(45011))
    with pytest.raises(RetryLater):
        await hear(connector, journal)
    assert (journal.cursors, len(journal.raws)) == ({}, 10)
    await hear(connector, journal)
    assert len(journal.raws) == 30


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (fault(48001, "api unauthorized"), ConfigError, "no permission"),
        ({"errcode": 0, "commentList": {"a": 1}}, Unavailable, "not what the platform documents"),
    ],
)
async def test_reviews_that_cannot_be_had(
    connect: Connect,
    platform: Platform,
    journal: MiniJournal,
    answer: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    platform.fail(LIST, answer)
    with pytest.raises(error, match=text):
        await hear(connect(reviews="bad"), journal)


async def test_check_counts_the_reviews(connect: Connect, platform: Platform) -> None:
    platform.reviews = [make_review(number, "差", age=600) for number in range(3)]
    assert (await connect(reviews="bad").check()).details[-1] == "3 reviews (bad)"


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"commentId": "7"}', b'{"score": true, "userInfo": 5}'])
def test_a_review_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(BadMessage):
        parse(Raw(key="review:7", body=body, media_type="application/json", received_at=START))


async def test_a_review_is_never_answered_by_machine(connect: Connect, platform: Platform) -> None:
    reviewer = Author(id="oReview00007")
    address = Address(to=reviewer, message="review:2797", said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START)
    with pytest.raises(Void, match="left to people"):
        await connect().reply(address, "收到", "k1")
    chat = Address(to=Author(id=CUSTOMER), message="24681", said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START)
    await connect().reply(chat, "收到", "k1")
    assert [sent["touser"] for sent in platform.sent] == [CUSTOMER]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"reviews": "bad", "app_secret": None}, "reviews needs app_secret"), ({"reviews": "good"}, "'bad'")],
)
def test_settings_that_cannot_be(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(reason)):
        make_settings(**settings)
