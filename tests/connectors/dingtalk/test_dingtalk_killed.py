"""The real daemon in Stream mode: killed while it acknowledges, what is left comes again and doubled."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from allears_sdk.testing import FakeClock
from tests.connectors.dingtalk.dingtalk_server import CLIENT_ID, CLIENT_SECRET, DingTalkServer
from tests.daemon.house import House

CHANNEL = """
[channels.support-dingtalk]
connector = "dingtalk"
client_id = "{client_id}"
client_secret = "{secret}"
url = "{url}"
answer_url = "{url}"
settle_seconds = 0
[channels.support-dingtalk.acknowledge]
within_hours = 720
"""
COUNT = 20


@pytest.fixture
def clock() -> FakeClock:
    """The daemon's clock is real, and what was said before its journal was born is not answered."""
    return FakeClock(datetime(2099, 12, 31, tzinfo=UTC))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await asyncio.to_thread(house.clear)


async def test_killed_while_it_acknowledges(house: House, dingtalk: DingTalkServer) -> None:
    house.configure(CHANNEL.format(client_id=CLIENT_ID, secret=CLIENT_SECRET, url=dingtalk.url))
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: dingtalk.sockets, "it listens")
    dingtalk.on_acknowledged = lambda: house.signal(signal.SIGKILL) if len(dingtalk.acknowledged) == 3 else None
    for n in range(COUNT):
        who = {"conversationId": f"cid{n}", "senderStaffId": f"user{n}", "sessionWebhookExpiredTime": 4_102_444_800_000}
        session = f"{dingtalk.url}/robot/sendBySession?session=s{n}"
        await dingtalk.push(dingtalk.say(f"第{n}单：屏幕碎了，要求退款。", sessionWebhook=session, **who))
    await asyncio.to_thread(house.wait)
    assert dingtalk.unacknowledged
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: len(dingtalk.sockets) == 2, "it listens again")
    for _ in range(2):
        await dingtalk.push_again()
    await asyncio.to_thread(house.until_filed, COUNT)
    await asyncio.to_thread(house.until, lambda: not dingtalk.unacknowledged, "all acknowledged")
    await asyncio.to_thread(house.until, lambda: len(dingtalk.answers) >= COUNT, "all answered")
    assert await asyncio.to_thread(house.stop) == 0
    filed = Counter(line["complaint"]["description"] for line in house.filed())
    assert filed == {f"第{n}单：屏幕碎了，要求退款。": 1 for n in range(COUNT)}
    references = {line["complaint"]["id"] for line in house.filed()}
    answered = Counter(answer["session"] for answer in dingtalk.answers)
    assert answered == {f"s{n}": 1 for n in range(COUNT)}
    assert all(any(one in answer["text"]["content"] for one in references) for answer in dingtalk.answers)
