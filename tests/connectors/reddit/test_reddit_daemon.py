"""The whole daemon on Reddit: filed, answered, followed up, withdrawn; others have their own matter."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from tests.connectors.reddit.conftest import CLIENT, HOME, ME, PASSWORD, SECRET, running
from tests.daemon.house import House

CHANNEL = f"""
[channels.community]
connector = "reddit"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
username = "{ME}"
password = "{PASSWORD}"
subreddits = ["{HOME}"]
url = "{{url}}"
login_url = "{{url}}"
calls_per_minute = 6000
interval_seconds = 1
"""


async def test_a_post_what_follows_and_its_end(house: House) -> None:
    async with running() as reddit:
        reddit.base = datetime.now(UTC)
        house.configure(CHANNEL.format(url=reddit.url))
        reddit.post(1, "I love my new phone, thank you!", title="Best phone ever", age=timedelta(hours=3))
        reddit.post(2, "order 7741-20 arrived broken, refund me now", title="Terrible", age=timedelta(hours=2))
        await asyncio.to_thread(house.start)
        (opened,) = await asyncio.to_thread(house.until_filed, 1)
        reference = opened["complaint"]["id"]
        reddit.comment(1, 2, "请私信订单号", by=ME, age=timedelta(minutes=50))
        reddit.comment(2, 2, "我的也坏了，要求退款", age=timedelta(minutes=40))
        reddit.comment(3, 2, "sent it, nobody answers. Refund!", by="ana_demo", age=timedelta(minutes=30))
        await asyncio.to_thread(house.until_filed, 3)
        reddit.delete("t3_p2")
        await asyncio.to_thread(
            house.until,
            lambda: any("withdrawn" in one["complaint"]["tags"] for one in house.filed()),
            "the deletion in the file",
        )
        assert await asyncio.to_thread(house.stop) == 0
    assert "Traceback" not in house.log
    own = [one for one in house.filed() if one["complaint"]["id"] == reference]
    others = [one for one in house.filed() if one["complaint"]["id"] != reference]
    assert [one["event"]["kind"] for one in own] == ["opened", "followed_up", "edited"]
    assert [one["event"]["kind"] for one in others] == ["opened"]
    said = [message["text"] for message in own[-1]["complaint"]["conversation"]]
    assert any("请私信订单号" in text for text in said)
    assert "我的也坏了" in others[0]["complaint"]["description"]
