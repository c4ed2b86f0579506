"""Polling: back-fill, threads, edits, limits of Slack's, and where it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Cursor
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Message
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.slack import SlackConnector
from tests.connectors.slack.conftest import Connect
from tests.connectors.slack.slack_payloads import (
    BOT_TOKEN,
    IM,
    KIM,
    LI_LEI,
    PRIVATE,
    START_SECONDS,
    SUPPORT,
    TEAM,
    stamp,
)
from tests.connectors.slack.slack_server import SlackServer

STREAM = f"slack://{TEAM}/{SUPPORT}"


def texts(journal: MiniJournal) -> list[str]:
    return [str(json.loads(raw.body)["text"]) for raw in journal.raws]


def messages(connector: SlackConnector, journal: MiniJournal) -> list[Message]:
    return [message for raw in journal.raws for message in connector.parse(raw, connector.settings)]


async def poll(
    connector: SlackConnector, journal: MiniJournal, stream: str = STREAM, hint: Mapping[str, Any] | None = None
) -> None:
    """One poll of one conversation, as the core does it."""
    async for batch in connector.poll(stream, journal.cursors.get(stream), hint or {}, 100):
        journal.accept(stream, batch)


async def test_every_conversation_is_a_stream(connect: Connect) -> None:
    assert set(await (await connect()).streams()) == {f"slack://{TEAM}/{one}" for one in (SUPPORT, PRIVATE, IM)}
    some = await connect(channels=[PRIVATE], direct_messages=False)
    assert list(await some.streams()) == [f"slack://{TEAM}/{PRIVATE}"]


async def test_names_come_with_the_page(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.say("屏幕碎了, <@U01AGENT> please")
    slack.say("退款", channel=IM)
    slack.say("unknown", by="U99GONE")
    connector = await connect()
    await hear(connector, journal)
    said = {message.text: message for message in messages(connector, journal)}
    first = said["屏幕碎了, @Ana Ruiz please"]
    assert (first.author.name, first.author.email, first.author.profile) == ("李雷", "lilei@mail.example.cn", None)
    assert first.permalink == f"https://t01acme.slack.com/archives/{SUPPORT}/p{stamp(60).replace('.', '')}"
    assert said["unknown"].author.profile is not None
    assert slack.calls.count("users.info") == 3


async def test_a_first_run_reads_the_last_week(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.say("old news", at=-8 * 86_400)
    slack.say("last week", at=-6 * 86_400)
    connector = await connect()
    await hear(connector, journal)
    assert texts(journal) == ["last week"]
    assert journal.cursors[STREAM]["since"] == stamp(-6 * 86_400)
    narrow = MiniJournal()
    await hear(await connect(look_back="P1D"), narrow)
    assert texts(narrow) == []


async def test_answers_in_threads_belong_to_their_root(
    connect: Connect, slack: SlackServer, journal: MiniJournal
) -> None:
    root = slack.say("电池鼓包")
    slack.say("another matter", by=KIM)
    for number in range(5):
        slack.say(f"answer {number}", by=KIM, thread_ts=root)
    connector = await connect(page_items=2)
    await hear(connector, journal)
    assert sorted(texts(journal)) == ["another matter", *(f"answer {n}" for n in range(5)), "电池鼓包"]
    found = {message.thread for message in messages(connector, journal) if message.text.startswith("answer")}
    assert found == {(f"{SUPPORT}:{root}",)}


async def test_a_later_answer_under_an_older_post_is_found(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    root = slack.say("电池鼓包")
    slack.say("回复一", thread_ts=root)
    connector = await connect()
    await hear(connector, journal)
    slack.say("new post")
    await hear(connector, journal)
    clock.advance(timedelta(hours=20))
    slack.say("回复二", thread_ts=root, at=70_000)
    await hear(await connect(), journal)  # after a restart
    assert sorted(texts(journal)) == sorted(["电池鼓包", "回复一", "new post", "回复二"])


async def test_answers_under_posts_of_last_week_are_found_after_an_interruption(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    root = slack.say("电池鼓包", at=-5 * 86_400)
    slack.say("recent", at=10)
    connector = await connect()
    await hear(connector, journal)
    slack.say("一周了没人管", thread_ts=root, at=100)
    slack.say("newer", at=200)
    await hear(connector, journal)
    assert sorted(texts(journal)) == ["newer", "recent", "电池鼓包"]  # no poll reads that far back
    await poll(connector, journal, hint={"interrupted": True})
    assert sorted(texts(journal)) == ["newer", "recent", "一周了没人管", "电池鼓包"]
    slack.say("还在等", thread_ts=root, at=300)
    clock.advance(3700)
    await hear(connector, journal)
    assert len(journal.raws) == 5
    slack.say("算了", thread_ts=root, at=4000)
    await hear(await connect(), journal)  # after a restart
    assert len(journal.raws) == 6


async def test_edits_and_tombstones_are_found_by_polling(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    ts = slack.say("one star")
    connector = await connect()
    await hear(connector, journal)
    slack.edit(ts, "five stars")
    slack.posts[SUPPORT][ts]["reactions"] = [{"name": "tada", "count": 3}]
    await hear(connector, journal)
    slack.posts[SUPPORT][ts] |= {"subtype": "tombstone", "text": "This message was deleted."}
    await hear(connector, journal)
    await hear(connector, journal)
    assert [raw.digest for raw in journal.raws] == ["said", f"edited {stamp(61)}", "withdrawn"]
    clock.advance(timedelta(days=3))
    slack.say("later", at=260_000)
    await hear(connector, journal)
    slack.posts[SUPPORT][ts] |= {"subtype": None, "edited": {"ts": stamp(99)}}  # now out of reach
    await hear(connector, journal)
    assert len(journal.raws) == 4


async def test_a_poll_that_finds_nothing_new_writes_nothing(
    connect: Connect, slack: SlackServer, journal: MiniJournal
) -> None:
    slack.say("退款")
    connector = await connect()
    await hear(connector, journal)
    assert await hear(connector, journal) == []
    slack.calls.clear()
    await hear(connector, journal)
    assert slack.calls.count("conversations.history") == 3  # one for each conversation, and no more


async def test_after_an_outage_everything_is_read_in_pages(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    slack.say("before")
    connector = await connect(page_items=7)
    await hear(connector, journal)
    clock.advance(timedelta(days=5))
    for number in range(40):
        slack.say(f"第{number}单", at=1000 + 10_000 * number)
    await hear(connector, journal)
    assert sorted(texts(journal)) == sorted(["before", *(f"第{number}单" for number in range(40))])
    assert set(journal.cursors[STREAM]) == {"version", "first", "since", "swept"}


async def test_pages_come_from_the_newer_end(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    """With `oldest` alone Slack hands over the other end first: both bounds are always sent."""
    for number in range(6):
        slack.say(f"{number}")
    await hear(await connect(page_items=2), journal)
    assert texts(journal) == ["4", "5", "2", "3", "0", "1"]
    walked = [given for method, given in slack.asked if method == "conversations.history"]
    assert all(given["oldest"] and given["latest"] and given["inclusive"] == "0" for given in walked)


async def test_a_limit_in_the_middle_of_a_walk_is_obeyed_and_the_walk_goes_on(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    """As for an app outside the Marketplace: one call a minute."""
    for number in range(9):
        slack.say(f"{number}")
    slack.page_items = 3
    connector = await connect(channels=[SUPPORT], direct_messages=False)
    await connector.streams()
    for _ in range(2):
        slack.limited["conversations.history"] = []
        await _one_page(connector, journal, slack)
        calls = len(slack.calls)
        with pytest.raises(RetryLater) as caught:
            await poll(connector, journal)
        assert caught.value.after_seconds == 60
        assert len(slack.calls) == calls, "a method that is held was called all the same"
        clock.advance(61)
    await poll(connector, journal)
    assert sorted(texts(journal)) == [f"{number}" for number in range(9)]


async def _one_page(connector: SlackConnector, journal: MiniJournal, slack: SlackServer) -> None:
    with pytest.raises(RetryLater):
        async for batch in connector.poll(STREAM, journal.cursors.get(STREAM), {}, 100):
            journal.accept(STREAM, batch)
            slack.limited["conversations.history"] = [60]


async def test_a_limit_in_a_long_thread_does_not_begin_it_again(
    connect: Connect, slack: SlackServer, journal: MiniJournal, clock: FakeClock
) -> None:
    root = slack.say("root")
    for number in range(7):
        slack.say(f"{number}", thread_ts=root)
    slack.page_items = 2
    connector = await connect()
    await connector.streams()
    for _ in range(20):
        slack.limited.clear()
        try:
            async for batch in connector.poll(STREAM, journal.cursors.get(STREAM), {}, 100):
                journal.accept(STREAM, batch)
                slack.limited["conversations.replies"] = [5] if batch.raws else []
            break
        except RetryLater:
            clock.advance(6)
    else:
        pytest.fail("it never comes to its end")
    assert sorted(texts(journal)) == sorted(["root", *(f"{number}" for number in range(7))])


async def test_a_limit_of_one_method_holds_no_other(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.say("退款")
    slack.limited["users.info"] = [600]
    connector = await connect()
    await hear(connector, journal)
    assert texts(journal) == ["退款"]
    assert messages(connector, journal)[0].author.profile is not None


async def test_our_own_pace_stays_under_slacks(connect: Connect, slack: SlackServer, clock: FakeClock) -> None:
    for number in range(30):
        slack.say(f"{number}")
    await hear(await connect(page_items=1, calls_per_minute=30), MiniJournal())
    assert sum(clock.slept) == pytest.approx((slack.calls.count("conversations.history") - 15) * 2, abs=2)


@pytest.mark.parametrize(
    ("code", "more", "error", "says"),
    [
        ("invalid_auth", {}, AuthError, "token"),
        ("token_revoked", {}, AuthError, "token"),
        ("account_inactive", {}, AuthError, "token"),
        ("missing_scope", {"needed": "channels:history"}, ConfigError, "channels:history"),
        ("not_allowed_token_type", {}, ConfigError, "scopes"),
        ("ratelimited", {}, RetryLater, "ratelimited"),
        ("internal_error", {}, Unavailable, "internal_error"),
        ("service_unavailable", {}, RetryLater, "service_unavailable"),
    ],
)
async def test_what_slack_says_with_a_200(
    connect: Connect,
    slack: SlackServer,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    more: dict[str, str],
    error: type[AllearsError],
    says: str,
) -> None:
    connector = await connect()
    await connector.streams()
    monkeypatch.setitem(slack._methods, "conversations.history", lambda call: {"ok": False, "error": code, **more})
    with pytest.raises(error, match=says) as caught:
        await poll(connector, MiniJournal())
    assert BOT_TOKEN not in f"{caught.value} {caught.value.detail}"


async def test_a_conversation_the_bot_has_left_stops_no_other(
    connect: Connect, slack: SlackServer, journal: MiniJournal, log: RecordingLog
) -> None:
    slack.say("退款", channel=IM)
    connector = await connect()
    streams = await connector.streams()
    del slack.conversations[SUPPORT]
    for stream in streams:
        await poll(connector, journal, stream)
    assert texts(journal) == ["退款"]
    assert [entry[1] for entry in log.entries] == ["conversation_gone"]
    assert STREAM not in await connector.streams()
    await poll(connector, journal, STREAM)  # no longer known: nothing happens


async def test_odd_things_in_a_page_are_kept(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.say("good")
    slack.posts[SUPPORT]["odd"] = {"type": "message", "text": "no time", "ts": f"{START_SECONDS + 30}"}
    slack.posts[SUPPORT]["join"] = {"type": "message", "subtype": "channel_join", "ts": stamp(70), "user": LI_LEI}
    connector = await connect()
    await hear(connector, journal)
    await hear(connector, journal)
    assert sorted(texts(journal)) == ["good", "no time"]


async def test_an_empty_page_that_has_more(
    connect: Connect, slack: SlackServer, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack.say("behind it")
    real = slack._methods["conversations.history"]
    empty = {"messages": [], "has_more": True, "response_metadata": {"next_cursor": stamp(100)}}
    monkeypatch.setitem(
        slack._methods, "conversations.history", lambda call: real(call) if call.text("cursor") else dict(empty)
    )
    await hear(await connect(), journal)
    assert texts(journal) == ["behind it"]
    monkeypatch.setitem(empty, "response_metadata", {})
    with pytest.raises(Unavailable):
        await hear(await connect(), MiniJournal())


async def test_a_cursor_of_today_is_read_for_ever(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.say("退款")
    walk: Cursor = {
        "version": 1,
        "first": stamp(-9000),
        "since": stamp(-100),
        "swept": stamp(-200),
        "top": stamp(3600),
        "floor": stamp(-160),
        "until": stamp(3000),
        "newest": stamp(10),
    }
    for cursor in (walk, {"version": 1, "first": stamp(-9000), "since": stamp(-100), "swept": stamp(-200)}):
        journal.cursors[STREAM] = cursor
        await hear(await connect(), journal)
        known = journal.cursors[STREAM]
        assert (known["version"], known["first"], known["since"]) == (1, stamp(-9000), stamp(60))
    assert texts(journal) == ["退款"]


async def test_several_workspaces_of_one_app(connect: Connect, slack: SlackServer, journal: MiniJournal) -> None:
    slack.tokens["xoxb-other-77c1"] = "T09SHOP"
    slack.conversations["C09SHOP"] = {"id": "C09SHOP", "name": "help", "team": "T09SHOP"}
    slack.posts["C09SHOP"] = {}
    slack.say("shop", channel="C09SHOP")
    slack.say("acme")
    connector = await connect(more_bot_tokens=["xoxb-other-77c1"])
    assert "slack://T09SHOP/C09SHOP" in await connector.streams()
    await hear(connector, journal)
    assert sorted(texts(journal)) == ["acme", "shop"]


async def test_check_says_who_we_are_and_what_we_read(connect: Connect, slack: SlackServer) -> None:
    identity = await (await connect(acknowledge={})).check()
    assert identity.account == "@allears in Acme 商城"
    assert identity.details == (
        "2 channels: #support-投诉, #vip",
        "1 direct conversations",
        "heard by polling",
    )
    slack.scopes = "channels:history"
    assert "the token lacks users:read, files:read" in (await (await connect()).check()).details
    with pytest.raises(ConfigError, match="C0NOTHERE"):
        await (await connect(channels=[SUPPORT, "C0NOTHERE"])).check()
    slack.tokens.clear()
    with pytest.raises(AuthError):
        await (await connect()).check()
