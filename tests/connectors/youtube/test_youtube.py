"""Threads and their replies, edits, budgets, and what hinders reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.connector import Words
from allears_sdk.errors import AuthError, BadMessage, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.remote import PrivateAddress
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.youtube import YoutubeConnector
from tests.connectors.youtube.conftest import ANA, BOB, CHANNEL, KEY, Connect, YouTube, make_comment, make_settings

MIDNIGHT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
"""In Los Angeles, the first one after the tests' beginning."""
OAUTH = {
    "provider": "google",
    "grant": "browser",
    "client_id": "1234.apps.googleusercontent.com",
    "client_secret": "GOCSPX-example-secret",
}


def read(connector: YoutubeConnector, raws: Sequence[Raw]) -> list[Message]:
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def calls(youtube: YouTube, resource: str) -> int:
    return sum(name == resource for name, _ in youtube.asked)


async def test_a_comment(youtube: YouTube, connect: Connect, journal: MiniJournal) -> None:
    youtube.write(7, "按视频里装完，屏幕第二天就碎了。订单 7741-20，要求退款 😡")
    connector = connect()
    await hear(connector, journal)
    assert read(connector, journal.raws) == [
        Message(
            text="按视频里装完，屏幕第二天就碎了。订单 7741-20，要求退款 😡",
            external_id="Ugx0007",
            known_as=(f"Ugx0007/{ANA}",),
            author=Author(id=ANA, handle="@ana-demo"),
            posted_at=START - timedelta(hours=1),
            permalink="https://www.youtube.com/watch?v=dQw4w9WgXcQ&lc=Ugx0007",
            visibility=Visibility.PUBLIC,
        )
    ]


async def test_replies_go_with_whoever_they_belong_to(youtube: YouTube, connect: Connect, journal: MiniJournal) -> None:
    youtube.write(7, "refund please")
    youtube.reply(7, "请私信订单号", age=timedelta(minutes=50))
    youtube.reply(7, "已私信，没人理", by=ANA, age=timedelta(minutes=40))
    youtube.reply(7, "我的也坏了", by=BOB, age=timedelta(minutes=30))
    connector = connect()
    await hear(connector, journal)
    top, ours, again, other = read(connector, journal.raws)
    assert [one.author.role for one in (top, ours, again, other)] == [
        Role.CUSTOMER,
        Role.COMPANY,
        Role.CUSTOMER,
        Role.CUSTOMER,
    ]
    assert ours.thread == (top.external_id,)
    assert again.thread == top.known_as
    assert not {*other.thread, *other.known_as} & {top.external_id, *top.known_as}


async def test_replies_that_are_not_shown_are_asked_for_once(
    youtube: YouTube, connect: Connect, journal: MiniJournal
) -> None:
    youtube.write(7, "refund please")
    for number in range(8):
        youtube.reply(7, f"第{number}条回复", by=BOB, age=timedelta(minutes=50 - number))
    connector = connect()
    for _ in range(3):
        await hear(connector, journal)
    assert [message.text for message in read(connector, journal.raws)][1:] == [f"第{one}条回复" for one in range(8)]
    assert calls(youtube, "comments") == 1
    youtube.reply(7, "第8条回复", by=BOB, age=timedelta(minutes=1))
    await hear(connector, journal)
    assert calls(youtube, "comments") == 2
    assert len(journal.raws) == 10


async def test_a_late_reply_to_an_old_comment_is_heard_by_the_sweep(
    youtube: YouTube, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    youtube.page_items = 2
    for number, days in enumerate((6, 5.9, 5.8, 5.7, 1, 0.5)):
        youtube.write(number, f"第{number}条", age=timedelta(days=days))
    connector = connect()
    await hear(connector, journal)
    youtube.reply(0, "还是没解决", by=ANA)
    await hear(connector, journal)
    assert len(journal.raws) == 6
    clock.advance(timedelta(hours=25))
    await hear(connector, journal)
    assert read(connector, journal.raws)[-1].text == "还是没解决"


async def test_what_is_older_than_the_look_back_is_known(
    youtube: YouTube, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    youtube.write(1, "去年的视频，去年的事", age=timedelta(days=300))
    youtube.write(2, "昨天买的", age=timedelta(days=1))
    connector = connect()
    await hear(connector, journal)
    assert {raw.key: raw.baseline for raw in journal.raws} == {"Ugx0001": True, "Ugx0002": False}
    youtube.write(1, "去年的事，现在又坏了", age=timedelta(days=300))
    clock.advance(timedelta(hours=25))
    await hear(connector, journal)
    edited = journal.raws[-1]
    assert (edited.key, edited.baseline) == ("Ugx0001", False)


async def test_three_days_without_us_lose_nothing(
    youtube: YouTube, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    youtube.page_items = 4
    youtube.write(1, "充电器会发烫", age=timedelta(hours=2))
    await hear(connect(), journal)
    clock.advance(timedelta(hours=72))
    youtube.write(1, "充电器会发烫，客服不理", age=timedelta(hours=2))
    youtube.reply(1, "请私信订单号", age=timedelta(hours=-1))
    for number in range(2, 32):
        youtube.write(number, f"No. {number}: refund please", by=BOB, age=-timedelta(hours=2 * number))
    await hear(connect(), journal, limit=4)
    said = [message.text for message in read(connect(), journal.raws)]
    assert sorted(said) == sorted(
        [
            "充电器会发烫",
            "充电器会发烫，客服不理",
            "请私信订单号",
            *(f"No. {number}: refund please" for number in range(2, 32)),
        ]
    )
    assert not journal.gaps
    assert not any(raw.baseline for raw in journal.raws)


async def test_likes_and_signed_addresses_are_no_news(youtube: YouTube, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    for likes in (1, 2):
        youtube.write(7, "refund please", likeCount=likes, imageUrl=f"https://yt3.example/{likes}?sig={likes}")
        await hear(connector, journal)
    assert len(journal.raws) == 1
    (message,) = read(connector, journal.raws)
    ref = Ref(locator={"comment": "Ugx0007"})
    assert message.attachments == (Attachment(name="", title="picture", media_type="image/jpeg", ref=ref),)


def parse(comment: Any, **raw: Any) -> Message:
    body = json.dumps(comment).encode()
    (message,) = YoutubeConnector.parse(
        Raw(key="k", body=body, media_type="application/json", received_at=START, **raw), make_settings()
    )
    return message


def test_an_edit_is_dated_by_itself() -> None:
    comment = make_comment("Ugx1", "changed", by=ANA, at=START, updatedAt="2026-11-22T03:59:00Z")
    message = parse(comment, ordinal=2, context={"thread": "Ugx1", "video": "v"})
    assert (message.kind, message.posted_at) == (Kind.EDITED, START - timedelta(minutes=1))


def test_an_author_may_be_unknown() -> None:
    comment = make_comment("Ugx1.a", "me too", by=ANA, at=START, authorChannelId=None, authorDisplayName="Old Name")
    message = parse(comment, context={"thread": "Ugx1"})
    assert (message.author, message.thread) == (Author(name="Old Name"), ())


@pytest.mark.parametrize("said", [{"textDisplay": 7}, {"publishedAt": "yesterday"}, {"authorChannelId": "x"}])
def test_what_cannot_be_read_becomes_a_letter(said: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        parse(make_comment("Ugx1", "x", by=ANA, at=START, **said))


async def test_a_budget_rests_until_midnight_pacific(
    youtube: YouTube, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(units_per_day=10)
    for _ in range(10):
        await hear(connector, journal)
    with pytest.raises(RetryLater, match="10 units per day are used up") as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == (MIDNIGHT - clock.now()).total_seconds()
    assert len(youtube.asked) == 10
    clock.advance(MIDNIGHT - clock.now())
    await hear(connector, journal)


@pytest.mark.parametrize(
    ("status", "reason", "expected", "after_seconds"),
    [
        (403, "quotaExceeded", RetryLater, 4 * 3600.0),
        (403, "rateLimitExceeded", RetryLater, 60.0),
        (400, "keyInvalid", AuthError, None),
        (403, "accessNotConfigured", ConfigError, None),
        (403, "commentsDisabled", ConfigError, None),
        (404, "channelNotFound", Rejected, None),
        (400, "invalidPageToken", Rejected, None),
    ],
)
async def test_what_hinders_reading(
    youtube: YouTube,
    connect: Connect,
    journal: MiniJournal,
    status: int,
    reason: str,
    expected: type[Exception],
    after_seconds: float | None,
) -> None:
    youtube.fail(status, reason)
    with pytest.raises(expected) as caught:
        await hear(connect(), journal)
    assert getattr(caught.value, "after_seconds", None) == after_seconds


async def test_a_lapse_of_youtubes_is_waited_out(youtube: YouTube, connect: Connect, journal: MiniJournal) -> None:
    youtube.fail(400, "processingFailure")
    with pytest.raises(Unavailable):
        await hear(connect(), journal)
    await hear(connect(), journal)


async def test_check_says_whose_comments_and_what_is_left(youtube: YouTube, connect: Connect) -> None:
    found = await connect(units_per_day=100).check()
    assert (found.account, found.details) == ("晨光商城", (Words("98 units left today", zh=""),))
    with pytest.raises(ConfigError, match="has no channel"):
        await connect(channel_id="UC" + "x" * 22).check()
    with pytest.raises(AuthError) as caught:
        await connect(api_key="AIzaAnother").check()
    assert KEY not in f"{caught.value} {caught.value.detail}"


async def test_the_owner_hears_what_is_held_back(
    youtube: YouTube, connect: Connect, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = youtube.write(1, "骗子！还我钱")
    youtube.held, youtube.threads = {"Ugx0001": row}, {}
    connector = connect(oauth=OAUTH, read_held=True)

    async def token(*, stale: str = "") -> str:
        return "ya29.example"

    monkeypatch.setattr(connector._api._oauth, "access_token", token)
    youtube.credentials = {"Authorization": "Bearer ya29.example"}
    await hear(connector, journal)
    youtube.threads, youtube.held = youtube.held, {}
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == ["Ugx0001"]
    assert await connector.streams() == (f"youtube://{CHANNEL}/published", f"youtube://{CHANNEL}/held")


async def test_a_picture_leads_nowhere_inside(youtube: YouTube, connect: Connect) -> None:
    youtube.write(1, "x", imageUrl="http://169.254.169.254/latest")
    with pytest.raises(PrivateAddress):
        await connect().fetch(Ref(locator={"comment": "Ugx0001"}))


@pytest.mark.parametrize("given", [{"api_key": None}, {"oauth": OAUTH, "api_key": KEY}, {"read_held": True}])
def test_one_way_in(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**given)
