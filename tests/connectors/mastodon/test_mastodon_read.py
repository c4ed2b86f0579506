"""Which posts are read, in which order, how far back, and what is heard of them later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.connector import Batch, Wake
from allears_sdk.errors import AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Kind, Message, Raw, Role, Visibility
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.mastodon import MastodonConnector
from tests.connectors.mastodon.conftest import Connect
from tests.connectors.mastodon.mastodon_server import ANA, BOB, ROBOT, SHOP, Mastodon, until


def read(connector: MastodonConnector, raws: Sequence[Raw]) -> list[Message]:
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


def pass_days(clock: FakeClock, days: float) -> None:
    """The server's clock is the real one: from it on."""
    clock.advance(datetime.now(UTC) - clock.now() + timedelta(days=days))


async def test_a_mention(mastodon: Mastodon, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    status = await mastodon.say("@shop 订单 7741-20 到了就是碎的 😡\n\nrefund please", language="zh")
    await hear(connector, journal)
    (message,) = read(connector, journal.raws)
    assert message.text == "@shop 订单 7741-20 到了就是碎的 😡\n\nrefund please"
    assert (message.external_id, message.thread, message.permalink) == (status["id"], (), status["url"])
    assert (message.author.name, message.author.handle) == ("Ana 安娜", f"@ana@{connector.settings.host}")
    assert (message.visibility, message.language, message.kind) == (Visibility.PUBLIC, "zh", Kind.SAID)


async def test_more_than_a_page_leaves_no_hole(mastodon: Mastodon, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    await mastodon.say("@shop 第0条")
    await hear(connector, journal, limit=3)
    said = [f"@shop 第{number}条：还没退款" for number in range(1, 9)]
    for text in said:
        await mastodon.say(text)
    await hear(connector, journal, limit=3)
    assert [message.text for message in read(connector, journal.raws)] == ["@shop 第0条", *said]


async def test_three_days_without_us_lose_nothing(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    first = await mastodon.say("@shop 屏幕碎了")
    await hear(await connect(), journal)
    await mastodon.edit(first["id"], "@shop 屏幕碎了，没人理")
    said = [f"@shop No. {number}: refund please" for number in range(9)]
    for text in said:
        await mastodon.say(text, by=BOB)
    pass_days(clock, 3)
    connector = await connect()
    await hear(connector, journal, limit=4)
    assert [message.text for message in read(connector, journal.raws)] == [
        "@shop 屏幕碎了",
        *said,
        "@shop 屏幕碎了，没人理",
    ]
    assert not journal.gaps
    assert not any(raw.baseline for raw in journal.raws)


async def test_a_poll_that_finds_nothing_writes_nothing(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    await mastodon.say("@shop refund please")
    await hear(connector, journal)
    assert await hear(connector, journal) == []


async def test_a_quiet_account_hears_its_first_mention(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    await hear(connector, journal)
    await mastodon.say("@shop refund please")
    await hear(connector, journal)
    assert [(message.text, raw.baseline) for raw in journal.raws for message in read(connector, [raw])] == [
        ("@shop refund please", False)
    ]


async def test_what_is_older_than_the_look_back_is_known_and_its_edit_heard(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    old = await mastodon.say("@shop 去年的事")
    pass_days(clock, 30)
    connector = await connect(look_back="P7D")
    await hear(connector, journal)
    assert [raw.baseline for raw in journal.raws] == [True]
    await mastodon.edit(old["id"], "@shop 去年的事，还是没解决")
    await hear(connector, journal)
    assert len(journal.raws) == 1, "an edit is heard by the sweep"
    pass_days(clock, 32)
    await hear(connector, journal)
    assert [(raw.key, raw.baseline) for raw in journal.raws] == [(old["id"], True), (old["id"], False)]


async def test_votes_and_favourites_change_nothing(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await connect()
    status = await mastodon.say("@shop refund please")
    await hear(connector, journal)
    await mastodon._call("POST", f"/api/v1/statuses/{status['id']}/favourite", BOB)
    clock.advance(90_000)
    await hear(connector, journal)
    assert len(journal.raws) == 1


async def test_a_sweep_that_was_interrupted_goes_on_where_it_was(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    for number in range(7):
        await mastodon.say(f"@shop 第{number}条")
    connector = await connect()
    (stream,) = await connector.streams()
    for _ in range(3):  # each time only the first batches come to be stored
        async with aclosing(connector.poll(stream, journal.cursors.get(stream), {}, 2)) as polled:  # type: ignore[type-var] # every poll is an async generator
            async for batch in polled:
                journal.accept(stream, batch)
                if batch.raws:
                    break
    await mastodon.say("@shop 第7条")
    await hear(connector, journal, limit=2)
    texts = [message.text for message in read(connector, journal.raws)]
    assert sorted(texts) == sorted(f"@shop 第{number}条" for number in range(8))


async def test_our_answers_are_there_before_what_answers_them(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    await hear(connector, journal)
    asked = await mastodon.say("@shop 屏幕碎了")
    answered = await mastodon.say("@ana 抱歉，请发一下照片", by=SHOP, in_reply_to_id=asked["id"])
    await mastodon.say("@shop 已发，什么时候退款？", in_reply_to_id=answered["id"])
    await mastodon.say("双十一全场八折", by=SHOP)
    await hear(connector, journal)
    ours, first, second = read(connector, journal.raws)
    ana = (await mastodon.account(ANA))["id"]
    assert (ours.author.role, ours.participants) == (Role.COMPANY, (ana,))
    assert (first.author.role, second.author.role) == (Role.CUSTOMER, Role.CUSTOMER)
    assert ours.thread == first.known_as
    assert second.thread == ours.known_as


async def test_each_who_answers_an_announcement_has_a_matter_of_their_own(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    post = await mastodon.say("双十一全场八折", by=SHOP)
    for token in (ANA, BOB):
        await mastodon.say("@shop 价格不对，要求赔差价", by=token, in_reply_to_id=post["id"])
    connector = await connect()
    await hear(connector, journal)
    first, second = read(connector, journal.raws)
    assert not {*first.thread, *first.known_as} & {*second.thread, *second.known_as}


async def test_direct_messages_are_private_and_robots_are_machines(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    await mastodon.say("@shop 我的电话 13800138000", visibility="direct")
    await mastodon.say("@shop new article", by=ROBOT)
    await hear(connector, journal)
    direct, robot = read(connector, journal.raws)
    assert (direct.visibility, direct.is_automatic) == (Visibility.PRIVATE, False)
    assert (robot.visibility, robot.is_automatic) == (Visibility.PUBLIC, True)


@pytest.mark.parametrize(("status", "expected"), [(401, AuthError), (403, ConfigError), (500, Unavailable)])
async def test_what_hinders_reading(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal, status: int, expected: type[Exception]
) -> None:
    connector = await connect()
    for _ in range(3):
        mastodon.fail("/api/v1/notifications", status)
    with pytest.raises(expected):
        await hear(connector, journal)


async def test_a_limit_says_when_it_ends(mastodon: Mastodon, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    mastodon.fail("/api/v1/notifications", 429, {"X-RateLimit-Reset": "2026-11-22T04:04:00.000000Z"})
    with pytest.raises(RetryLater) as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 240


async def test_an_answer_that_is_cut_short(mastodon: Mastodon, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    mastodon.fail("/api/v1/notifications", 200, kind="malformed")
    with pytest.raises(Unavailable, match="not as Mastodon documents it"):
        await hear(connector, journal)


async def test_check_says_who_we_are(connect: Connect) -> None:
    connector = await connect()
    found = await connector.check()
    assert found.account == f"@shop@{connector.settings.host} (晨光商城)"
    with pytest.raises(AuthError, match="Preferences"):
        await (await connect(access_token="another")).check()


async def next_of(items: Any) -> Batch | Wake:
    item: Batch | Wake = await asyncio.wait_for(anext(items), 5)
    return item


async def test_the_stream_wakes_and_tells_what_was_deleted(
    mastodon: Mastodon, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    (stream,) = await connector.streams()
    async with aclosing(connector.listen()) as items:  # type: ignore[type-var] # every listener is an async generator
        assert await next_of(items) == Wake(stream=stream)
        status = await mastodon.say("@shop refund please")
        assert await next_of(items) == Wake(stream=stream)
        await hear(connector, journal)
        shop = (await mastodon.account(SHOP))["id"]
        mastodon.publish(shop, "notification", {"id": "7", "type": "favourite"})
        mastodon.publish(shop, "filters_changed", "undefined")
        mastodon.publish(shop, "delete", "110000000000000001")
        mastodon.publish(shop, "delete", status["id"])
        batch = await next_of(items)
        assert isinstance(batch, Batch)
    (message,) = read(connector, batch.raws)
    assert (message.kind, message.external_id, message.text) == (Kind.WITHDRAWN, status["id"], "")


async def test_without_a_stream_polls_do_it_all(mastodon: Mastodon, connect: Connect, log: RecordingLog) -> None:
    connector = await connect()
    mastodon.fail("/api/v1/streaming/user", 404)
    listening = asyncio.ensure_future(anext(aiter(connector.listen()), None))
    await until(lambda: any(event == "no_event_stream" for _, event, _ in log.entries))
    assert not listening.done()
    await connector.stop()
    assert await listening is None
