"""Chats read back: after an absence, for new chats, now and then; and no call while the connection stands."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.connector import Batch
from allears_sdk.errors import RetryLater, Unavailable
from allears_sdk.testing import FakeClock
from allears_sdk.testing.context import RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.feishu import FeishuConnector
from tests.connectors.feishu.conftest import Make
from tests.connectors.feishu.feishu_server import (
    ALONE,
    APP_ID,
    BOT,
    GROUP,
    FeishuServer,
    closing,
    post,
    recalled,
    received,
    refuse,
)


def texts(connector: FeishuConnector, journal: MiniJournal) -> list[str]:
    return [message.text for raw in journal.raws for message in connector.parse(raw, connector.settings)]


def histories(feishu: FeishuServer) -> int:
    return feishu.calls.count("GET /open-apis/im/v1/messages")


async def push(connector: FeishuConnector, journal: MiniJournal, event: dict[str, Any], clock: FakeClock) -> list[Any]:
    """Posted, stored; the wakes it brought."""
    reception = await connector.receive(post(event, clock))
    assert not reception.refused
    journal.accept("", Batch(raws=reception.raws))
    return list(reception.wakes)


async def test_while_it_hears_it_calls_nobody(
    connected: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connected()
    async with closing(connector.listen()) as items:
        await anext(items)
        clock.advance(1)
        await hear(connector, journal)
        calls = len(feishu.calls)
        for _ in range(60):
            clock.advance(60)
            await hear(connector, journal)
        assert len(feishu.calls) == calls
    clock.advance(60)
    feishu.say("断线时的投诉", chat=GROUP)
    await hear(connector, journal)
    assert texts(connector, journal) == ["断线时的投诉"], "without a connection it polls"


async def test_what_an_absence_missed_is_read_back_once(
    connected: Make, pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    clock.advance(1)
    await hear(connector, journal)
    live = feishu.say("屏幕碎了", chat=GROUP)
    await push(connector, journal, received(live), clock)
    clock.advance(60)
    await hear(connector, journal)
    await connector.stop()
    for number in range(120):
        feishu.say(f"第{number}单", chat=GROUP)
    clock.advance(3600)
    again = pushed_to()
    clock.advance(1)
    await hear(again, journal, limit=50)
    await hear(again, journal)
    assert texts(again, journal) == ["屏幕碎了", *(f"第{number}单" for number in range(120))]


async def test_a_new_one_to_one_chat_is_noted_and_read_back_later(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    clock.advance(1)
    await hear(connector, journal)
    first = feishu.say("在吗")
    wakes = await push(connector, journal, received(first), clock)
    assert [wake.stream for wake in wakes] == list(await connector.streams())
    assert not await push(connector, journal, received(feishu.say("投诉")), clock), "known chats wake nobody"
    await hear(connector, journal)
    (cursor,) = journal.cursors.values()
    assert set(cursor["chats"]) == {ALONE, GROUP}
    await connector.stop()
    feishu.say("你们不在的时候说的")
    clock.advance(600)
    again = pushed_to()
    clock.advance(1)
    await hear(again, journal)
    assert texts(again, journal) == ["在吗", "投诉", "你们不在的时候说的"]


async def test_now_and_then_everything_is_swept(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to(sweep_hours=24)
    clock.advance(1)
    await hear(connector, journal)
    feishu.say("推给了另一个客户端", chat=GROUP)
    clock.advance(3600)
    await hear(connector, journal)
    assert texts(connector, journal) == []
    clock.advance(24 * 3600)
    await hear(connector, journal)
    assert texts(connector, journal) == ["推给了另一个客户端"]


async def test_edits_and_recalls_while_away(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    clock.advance(1)
    await hear(connector, journal)
    edited, taken_back, never_heard = (feishu.say(text, chat=GROUP) for text in ("退款", "算了", "没收到过"))
    for item in (edited, taken_back):
        await push(connector, journal, received(item), clock)
    feishu.edit(edited, "退款 300 元")
    feishu.recall(taken_back)
    feishu.recall(never_heard)
    clock.advance(600)
    again = pushed_to()
    clock.advance(1)
    await hear(again, journal)
    await hear(again, journal)
    heard = [message for raw in journal.raws for message in again.parse(raw, again.settings)]
    assert [(one.external_id, one.kind, one.revision.partition("-")[0]) for one in heard] == [
        (edited["message_id"], "said", "said"),
        (taken_back["message_id"], "said", "said"),
        (edited["message_id"], "edited", "edited"),
        (taken_back["message_id"], "withdrawn", "recalled"),
    ]


async def test_live_and_read_back_are_one(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    """The same message, edit and recall by event and in the history have the same keys and versions."""
    connector = pushed_to()
    item = feishu.say("退款", chat=GROUP)
    await push(connector, journal, received(item), clock)
    await hear(connector, journal)
    feishu.edit(item, "退款 300 元")
    await push(connector, journal, received(item, kind="im.message.updated_v1"), clock)
    await hear(connector, journal)
    feishu.recall(item)
    await push(connector, journal, recalled(item), clock)
    await hear(connector, journal)
    assert [raw.digest.partition("-")[0] for raw in journal.raws] == ["said", "edited", "recalled"]
    assert {raw.key for raw in journal.raws} == {item["message_id"]}


async def test_groups_that_cannot_be_read_back_leave_a_gap(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock, log: RecordingLog
) -> None:
    feishu.refused[GROUP] = 230027
    connector = pushed_to()
    clock.advance(1)
    await hear(connector, journal)
    await hear(connector, journal)
    assert journal.gaps == [], "a first run has no gap"
    left_at = clock.now()
    clock.advance(600)
    again = pushed_to()
    clock.advance(1)
    await hear(again, journal)
    await hear(again, journal)
    (gap,) = journal.gaps
    assert (gap.since, (gap.until - left_at).total_seconds()) == (left_at, 600)
    assert "im:message.group_msg" in gap.reason
    assert len([event for _, event, _ in log.entries if event == "chat_not_read_back"]) == 2, "once a start"
    clock.advance(20)
    short = pushed_to()
    clock.advance(1)
    await hear(short, journal)
    assert len(journal.gaps) == 1, "a restart is no gap"


@pytest.mark.parametrize("code", [230002, 232009])
async def test_a_group_that_was_left_is_forgotten(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock, code: int
) -> None:
    connector = pushed_to()
    await hear(connector, journal)
    feishu.refused[GROUP] = code
    feishu.groups.clear()
    clock.advance(600)
    again = pushed_to()
    clock.advance(1)
    await hear(again, journal)
    (cursor,) = journal.cursors.values()
    assert cursor["chats"] == {}
    assert journal.gaps == []


async def test_a_chat_that_cannot_be_read_holds_up_no_other(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal
) -> None:
    """Whatever the code: also one that nobody has heard of."""
    feishu.groups += ["oc_aaa", "oc_zzz"]
    for chat in ("oc_aaa", GROUP, "oc_zzz"):
        feishu.say(f"投诉 {chat}", chat=chat)
    feishu.refused[GROUP] = 234999
    connector = pushed_to()
    await hear(connector, journal)
    assert texts(connector, journal) == ["投诉 oc_aaa", "投诉 oc_zzz"]


async def test_without_the_permission_it_is_heard_live_and_said_once(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock, log: RecordingLog
) -> None:
    feishu.groups += [f"oc_{number}" for number in range(20)]
    feishu.refused = dict.fromkeys(feishu.groups, 99991672)
    connector = pushed_to()
    await hear(connector, journal)
    await push(connector, journal, received(feishu.say("投诉", chat=GROUP)), clock)
    assert texts(connector, journal) == ["投诉"]
    reasons = [facts["reason"] for _, event, facts in log.entries if event == "chat_not_read_back"]
    assert len(reasons) == 1
    assert "grant it in the console" in str(reasons[0])


async def test_after_an_absence_no_more_is_read_than_it_needs(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    await hear(connector, journal)
    for number in range(40):
        clock.advance(1200)
        await push(connector, journal, received(feishu.say(f"第{number}单", chat=GROUP)), clock)
        await hear(connector, journal)
    clock.advance(600)
    again = pushed_to()
    clock.advance(1)
    heard = await hear(again, journal)
    assert len([raw for batch in heard for raw in batch.raws]) < 10


async def test_chats_that_fell_silent_are_forgotten(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    await push(connector, journal, received(feishu.say("在吗")), clock)
    await hear(connector, journal)
    for days, chats in ((80, {ALONE, GROUP}), (20, {GROUP})):
        clock.advance(days * 86_400)
        await hear(connector, journal)
        (cursor,) = journal.cursors.values()
        assert set(cursor["chats"]) == chats


async def test_our_own_words_and_system_messages_are_not_heard(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal
) -> None:
    own = feishu.say("已受理 ALE-7K3M-Q9TX-4RWD", chat=GROUP)
    own["sender"] = {"id": APP_ID, "id_type": "app_id", "sender_type": "app", "tenant_key": "t"}
    feishu.say("", chat=GROUP, kind="system", template="{from_user} invited {to_chatters} to this chat.")
    connector = pushed_to()
    await hear(connector, journal)
    assert journal.raws == []


async def test_only_what_names_the_bot(pushed_to: Make, feishu: FeishuServer, journal: MiniJournal) -> None:
    feishu.say("中午吃什么", chat=GROUP)
    named = feishu.say("@_user_1 空调坏了", chat=GROUP)
    named["mentions"] = [{"key": "@_user_1", "id": BOT, "id_type": "open_id", "name": "客诉助手"}]
    connector = pushed_to(groups="mentions", bot_open_id=BOT)
    await hear(connector, journal)
    assert texts(connector, journal) == ["空调坏了"]


async def test_busy_and_broken(pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock) -> None:
    connector = pushed_to()
    feishu.say("投诉", chat=GROUP)
    feishu.faults += [refuse(99991400, "request trigger frequency limit", headers={"x-ogw-ratelimit-reset": "17"})]
    with pytest.raises(RetryLater) as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 17
    feishu.faults += [refuse(1, "internal error", status=500)]
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    await hear(connector, journal)
    assert texts(connector, journal) == ["投诉"]


async def test_a_token_that_expired_is_replaced(
    pushed_to: Make, feishu: FeishuServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    await hear(connector, journal)
    feishu.expire_tokens()
    feishu.say("投诉", chat=GROUP)
    await hear(connector, journal)
    assert texts(connector, journal) == ["投诉"]
    assert feishu.calls.count("POST /open-apis/auth/v3/tenant_access_token/internal") == 2
