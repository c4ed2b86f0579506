"""Stream mode: acknowledged after the commit, pings, disconnects, and gaps where nobody listened."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from allears_sdk.connector import Batch, Wake
from allears_sdk.errors import AuthError, Unavailable
from allears_sdk.testing import FakeClock
from allears_sdk.testing.context import RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.dingtalk import connector as module
from tests.connectors.dingtalk.conftest import Make
from tests.connectors.dingtalk.dingtalk_server import DingTalkServer, closing, until


async def next_batch(items: Any) -> Batch:
    async for item in items:
        if isinstance(item, Batch):
            return item
    raise AssertionError("the line ended")


async def test_acknowledged_once_it_is_stored(connected: Make, dingtalk: DingTalkServer) -> None:
    async with closing(connected().listen()) as items:
        assert isinstance(await anext(items), Wake)
        first, second = dingtalk.say("电饭煲坏了😡"), dingtalk.say("要求退款")
        await dingtalk.push(first, name="one")
        await dingtalk.push(second, name="two")
        assert [raw.key for raw in (await next_batch(items)).raws] == [first["msgId"]]
        assert dingtalk.acknowledged == []
        batch = await next_batch(items)
        assert (batch.raws[0].key, batch.cursor) == (second["msgId"], None)
        await until(lambda: dingtalk.acknowledged)
        assert dingtalk.acknowledged == [
            {
                "code": 200,
                "headers": {"messageId": "one", "contentType": "application/json"},
                "message": "OK",
                "data": '{"response":{}}',
            }
        ]
    await asyncio.sleep(0.02)
    assert list(dingtalk.unacknowledged) == ["two"], "what was not stored must be sent again"


async def test_what_was_not_acknowledged_comes_again(connected: Make, dingtalk: DingTalkServer) -> None:
    connector = connected()
    async with closing(connector.listen()) as items:
        await anext(items)
        await dingtalk.push(dingtalk.say("电饭煲坏了"))
        first = await next_batch(items)
    async with closing(connector.listen()) as items:
        await anext(items)
        await dingtalk.push_again()
        again = await next_batch(items)
    assert (again.raws[0].key, again.raws[0].body) == (first.raws[0].key, first.raws[0].body)


async def test_system_frames(connected: Make, dingtalk: DingTalkServer, log: RecordingLog) -> None:
    async with closing(connected().listen()) as items:
        await anext(items)
        await dingtalk.push('{"opaque":"0f1a"}', name="ping-1", topic="ping", type_="SYSTEM")
        await dingtalk.push("{}", name="new-1", topic="brand-new", type_="SYSTEM")
        await dingtalk.push("{}", name="event-1", topic="*", type_="EVENT")
        await dingtalk.push(dingtalk.say("退款"))
        await next_batch(items)
    answers = {answer["headers"]["messageId"]: answer["data"] for answer in dingtalk.acknowledged}
    assert answers["ping-1"] == '{"opaque":"0f1a"}', "a ping is answered with what it brought"
    assert set(answers) == {"ping-1", "new-1", "event-1"}
    assert [facts["topic"] for _, event, facts in log.entries if event == "frame_ignored"] == ["brand-new", "*"]


async def test_a_disconnect_opens_another_connection_at_once(
    connected: Make, dingtalk: DingTalkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STEADY_SECONDS", 0.0)
    async with closing(connected().listen()) as items:
        await anext(items)
        for number in range(3):
            await dingtalk.push("{}", name="bye", topic="disconnect", type_="SYSTEM")
            assert isinstance(await anext(items), Wake)
            data = dingtalk.say(f"第{number}单")
            await dingtalk.push(data)
            assert (await next_batch(items)).raws[0].key == data["msgId"]
    assert len(dingtalk.sockets) == 4
    assert "bye" not in {answer["headers"]["messageId"] for answer in dingtalk.acknowledged}


async def test_a_connection_that_is_sent_away_at_once_waits(connected: Make, dingtalk: DingTalkServer) -> None:
    """The core's back-off decides, so that nobody hammers DingTalk."""
    async with closing(connected().listen()) as items:
        await anext(items)
        await dingtalk.push("{}", topic="disconnect", type_="SYSTEM")
        with pytest.raises(StopAsyncIteration):
            await anext(items)
    assert len(dingtalk.sockets) == 1


@pytest.mark.parametrize("frame", ["{", "[]", '{"headers": {"topic": 7}}', '{"data": {}}'])
async def test_what_is_no_frame_ends_the_line(connected: Make, dingtalk: DingTalkServer, frame: str) -> None:
    async with closing(connected().listen()) as items:
        await anext(items)
        await dingtalk.sockets[-1].send_str(frame)
        with pytest.raises(Unavailable, match="no frame"):
            await anext(items)


async def test_a_message_that_cannot_be_read_is_stored_and_acknowledged(
    connected: Make, dingtalk: DingTalkServer
) -> None:
    async with closing(connected().listen()) as items:
        await anext(items)
        await dingtalk.push("{broken", name="broken")
        await dingtalk.push(dingtalk.say("退款"))
        assert (await next_batch(items)).raws[0].body == b"{broken"
        await next_batch(items)
        await until(lambda: dingtalk.acknowledged)
        assert dingtalk.acknowledged[0]["headers"]["messageId"] == "broken"


async def test_credentials_are_refused(connected: Make) -> None:
    with pytest.raises(AuthError, match="client_id and client_secret") as caught:
        await anext(connected(client_secret="wrong-s3cret").listen())
    assert "wrong-s3cret" not in f"{caught.value!r} {caught.value.detail}"


async def test_an_absence_is_a_gap(
    connected: Make, dingtalk: DingTalkServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connected()
    await hear(connector, journal)
    assert journal.cursors == {}, "nothing was heard yet"
    async with closing(connector.listen()) as items:
        await anext(items)
        await hear(connector, journal)
        clock.advance(600)
        await hear(connector, journal)
        clock.advance(50)
        lost_at = clock.now()
    clock.advance(300)
    async with closing(connector.listen()) as items:
        await anext(items)
        back_at = clock.now()
        clock.advance(5)
        await hear(connector, journal)
        clock.advance(60)
        await hear(connector, journal)
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (lost_at, back_at)
    again = connected()
    clock.advance(7200)
    async with closing(again.listen()) as items:
        await anext(items)
        await hear(again, journal)
    assert len(journal.gaps) == 2, "also across a restart"
    assert "no history" in journal.gaps[1].reason


async def test_a_reconnection_is_none(
    connected: Make, dingtalk: DingTalkServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connected()
    for _ in range(3):
        async with closing(connector.listen()) as items:
            await anext(items)
            await hear(connector, journal)
            clock.advance(55)
        clock.advance(20)
    assert journal.gaps == []


async def test_while_it_is_posted_to_the_daemons_absence_is_a_gap(
    pushed_to: Make, dingtalk: DingTalkServer, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = pushed_to()
    await hear(connector, journal)
    clock.advance(600)
    await hear(connector, journal)
    assert journal.gaps == []
    clock.advance(86_400)
    await hear(pushed_to(), journal)
    (gap,) = journal.gaps
    assert gap.since is not None
    assert (gap.until - gap.since).total_seconds() == 86_400
