"""getUpdates: nothing is confirmed before it is stored, and what Telegram says of other readers, floods and tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Batch
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from bench.servers.telegram import CONFLICT, CONFLICT_WEBHOOK, TOKEN, Telegram
from connectors.telegram import TelegramConnector
from connectors.telegram.payload import HEARD
from tests.connectors.telegram.conftest import HOOK_URL, SECRET, Connect


def texts(raws: Sequence[Raw]) -> list[str]:
    return [json.loads(raw.body)["message"]["text"] for raw in raws]


async def poll(connector: TelegramConnector, journal: MiniJournal, limit: int = 10) -> list[Batch]:
    """One question, stored."""
    (stream,) = await connector.streams()
    batches = []
    async with aclosing(connector.poll(stream, journal.cursors.get(stream), {}, limit)) as polled:  # type: ignore[type-var] # every poll is an async generator
        async for batch in polled:
            journal.accept(stream, batch)
            batches.append(batch)
    return batches


async def test_an_update_is_confirmed_only_by_the_question_after_its_commit(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    telegram.say("屏幕碎了，要求退款")
    (stream,) = await connector.streams()
    async with aclosing(connector.poll(stream, None, {}, 10)) as polled:  # type: ignore[type-var] # see above
        batch = await anext(aiter(polled))
        assert len(telegram.queue) == 1, "it was taken away before it was stored"
    journal.accept(stream, batch)
    await poll(connector, journal)
    assert telegram.queue == []
    assert texts(journal.raws) == ["屏幕碎了，要求退款"]


async def test_pages_are_asked_for_until_the_queue_is_empty(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    said = [f"第{number}条：快递还没到" for number in range(7)]
    for text in said:
        telegram.say(text)
    await hear(await connect(), journal, limit=3)
    assert texts(journal.raws) == said


async def test_a_question_waits_at_telegram_until_something_is_said(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    question = asyncio.create_task(poll(await connect(poll_seconds=50), journal))
    await asyncio.wait_for(telegram.is_asked.wait(), 5)
    assert not question.done()
    telegram.say("在吗？我的订单 7741 三天没动了")
    await asyncio.wait_for(question, 5)
    assert texts(journal.raws) == ["在吗？我的订单 7741 三天没动了"]


async def test_only_messages_and_their_edits_are_asked_for(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    await poll(await connect(), journal)
    assert {"message", "edited_message", "channel_post", "business_message"} <= set(HEARD)
    telegram.put({"message_reaction": {"chat": {"id": 555, "type": "private"}, "message_id": 11}})
    assert telegram.queue == [], "a reaction was kept for us"


async def test_ids_that_begin_anew_lower_lose_nothing(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    """Bot API, Update: after a week without updates the next one's id is random."""
    connector = await connect()
    telegram.say("first")
    await poll(connector, journal)
    await poll(connector, journal)
    telegram.renumber(17)
    telegram.say("second")
    telegram.say("third")
    await poll(connector, journal)
    await poll(connector, journal)
    assert texts(journal.raws) == ["first", "second", "third"]
    assert telegram.queue == []


async def test_ids_that_begin_anew_just_below_our_offset_are_not_confirmed_unread(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect()
    telegram.say("first")
    await poll(connector, journal)
    await poll(connector, journal)
    telegram.renumber(900_000)
    telegram.say("second")
    telegram.say("third")
    await poll(connector, journal)
    assert texts(journal.raws) == ["first", "second", "third"]


async def test_an_id_used_again_is_another_message(telegram: Telegram, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    telegram.say("a year ago")
    await poll(connector, journal)
    await poll(connector, journal)
    telegram.renumber(900_001)
    telegram.say("today")
    journal.cursors.clear()
    await poll(connector, journal)
    assert texts(journal.raws) == ["a year ago", "today"]


async def test_a_day_of_silence_of_ours_is_a_gap(
    telegram: Telegram, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await connect()
    telegram.say("before")
    await poll(connector, journal)
    left_at = clock.now()
    clock.advance(timedelta(hours=3))
    telegram.say("lost")
    clock.advance(timedelta(hours=27))
    telegram.say("after")
    await poll(connector, journal)
    assert texts(journal.raws) == ["before", "after"]
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (left_at, clock.now() - timedelta(hours=24))
    assert "24 hours" in gap.reason
    await poll(connector, journal)
    assert len(journal.gaps) == 1


async def test_a_quiet_bot_that_is_asked_all_the_time_has_no_gap(
    connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await connect()
    stamps = 0
    for _ in range(60):
        stamps += len(await poll(connector, journal))
        clock.advance(timedelta(minutes=50))
    assert journal.gaps == []
    assert stamps == 60


async def test_what_is_not_told_anew_is_not_stored(connect: Connect, journal: MiniJournal, clock: FakeClock) -> None:
    """A question every minute is no commit every minute."""
    connector = await connect()
    await poll(connector, journal)
    clock.advance(60)
    assert await poll(connector, journal) == []


@pytest.mark.parametrize(
    ("code", "said", "expected", "words"),
    [
        (409, CONFLICT_WEBHOOK, ConfigError, "deleteWebhook"),
        (409, CONFLICT, Unavailable, "another program"),
        (401, "Unauthorized", AuthError, "@BotFather"),
        (404, "Not Found", AuthError, "@BotFather"),
        (429, "Too Many Requests: retry after 17", RetryLater, "come back later"),
        (400, "Bad Request: limit", Rejected, "limit"),
        (502, "Bad Gateway", Unavailable, "502"),
    ],
)
async def test_errors_say_what_they_ask_for(
    telegram: Telegram, connect: Connect, journal: MiniJournal, code: int, said: str, expected: type, words: str
) -> None:
    connector = await connect()
    for _ in range(3):  # what may be asked again is
        telegram.refuse("getUpdates", code, said, **({"retry_after": 17} if code == 429 else {}))
    with pytest.raises(expected) as caught:
        await poll(connector, journal)
    assert words in str(caught.value)
    assert TOKEN not in f"{caught.value!r} {getattr(caught.value, 'detail', '')}"
    if isinstance(caught.value, RetryLater):
        assert caught.value.after_seconds == 17


async def test_a_second_reader_ends_the_question_of_the_first(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    first = asyncio.create_task(poll(await connect(poll_seconds=50), journal))
    await asyncio.wait_for(telegram.is_asked.wait(), 5)
    await poll(await connect(), MiniJournal())
    with pytest.raises(Unavailable, match="another program"):
        await asyncio.wait_for(first, 5)


async def test_a_page_that_is_none_is_not_ours_to_skip(
    telegram: Telegram, connect: Connect, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(given: dict[str, Any]) -> str:
        return "<html>"

    monkeypatch.setattr(telegram, "_getUpdates", nonsense)
    with pytest.raises(Unavailable, match="not as the Bot API documents it"):
        await poll(await connect(), journal)


async def test_what_has_no_number_is_kept_too(
    telegram: Telegram, connect: Connect, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def strange(given: dict[str, Any]) -> list[object]:
        return [7, {"update_id": "x"}, {"update_id": 5, "message": {"text": "投诉"}}]

    monkeypatch.setattr(telegram, "_getUpdates", strange)
    connector = await connect()
    await poll(connector, journal)
    await poll(connector, journal)
    assert [raw.body for raw in journal.raws][:2] == [b"7", b'{"update_id": "x"}']
    assert len(journal.raws) == 3
    (cursor,) = journal.cursors.values()
    assert cursor["offset"] == 6


async def test_check_says_who_we_are(telegram: Telegram, connect: Connect) -> None:
    telegram.say("one")
    identity = await (await connect()).check()
    assert identity.account == "@example_shop_bot (示例商城)"
    assert "commands, mentions and answers to it alone" in identity.details[0]
    assert identity.details[1] == "asked: 1 updates wait"


async def test_check_refuses_a_bot_that_pushes_elsewhere(telegram: Telegram, connect: Connect) -> None:
    connector = await connect()
    telegram.hook = {"url": f"https://other.example.com/{TOKEN}"}
    with pytest.raises(ConfigError, match=r"pushed to other\.example\.com and") as caught:
        await connector.check()
    assert TOKEN not in str(caught.value)


async def test_a_token_nobody_knows(connect: Connect) -> None:
    with pytest.raises(AllearsError, match="BotFather"):
        await (await connect(token="123456789:AAwrong-token-wrong-token-wrong")).check()


async def test_our_own_webhook_is_taken_away_when_the_settings_want_none(
    telegram: Telegram, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    await poll(await connect(webhook_url=HOOK_URL, webhook_secret=SECRET), journal)
    assert telegram.hook["url"] == HOOK_URL
    telegram.say("还没有人回复我")
    connector = await connect()
    await poll(connector, journal)
    assert texts(journal.raws) == ["还没有人回复我"]
    await poll(connector, journal)
    assert telegram.calls["deleteWebhook"] == 1
