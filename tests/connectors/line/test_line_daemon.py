"""The whole daemon behind an official account: pushed, fetched, filed, answered, followed up, taken back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import ClientSession

from allears_sdk.reference import find_references
from tests.connectors.line.conftest import USER, make_event, make_media, make_text
from tests.connectors.line.line_server import CHANNEL_ID, SECRET, LineServer, deliver
from tests.daemon.house import House

CHANNEL = """
[channels.line]
connector = "line"
channel_secret = "{secret}"
channel_id = "{channel}"
url = "{url}"
content_url = "{url}"
settle_seconds = 0.3
[channels.line.acknowledge]
"""


async def push(house: House, *events: dict[str, Any]) -> None:
    request = deliver(*events)
    address = house.addresses["forms"][0].replace("/in/form", "/in/line")
    async with (
        ClientSession() as session,
        session.post(address, data=request.body, headers=dict(request.headers)) as answer,
    ):
        assert (answer.status, await answer.read()) == (200, b"")


async def filed(house: House, count: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(house.until_filed, count)


async def test_a_complaint_its_answer_and_what_follows(house: House, line: LineServer) -> None:
    house.configure(CHANNEL.format(url=line.url, secret=SECRET, channel=CHANNEL_ID))
    line.profiles[f"profile/{USER}"] = "李雷"
    line.files["354718705033693859"] = b"\xff\xd8jpeg"
    line.reply_tokens.add("token-1")
    await asyncio.to_thread(house.start)
    now = int(time.time() * 1000) + 1000
    said = make_text("订单 2026112200017 屏幕碎了，要求退款！", timestamp=now, replyToken="token-1")
    await push(house, said, make_media("image") | {"timestamp": now + 1})
    await push(house, {**said, "deliveryContext": {"isRedelivery": True}})
    (opened,) = await filed(house, 1)
    record = opened["complaint"]
    assert (record["customer"]["name"], len(record["attachments"])) == ("李雷", 1)
    await asyncio.to_thread(house.until, lambda: line.replied, "an answer")
    assert find_references(line.replied[0]["messages"][0]["text"]) == (record["id"],)

    await push(house, make_text("还没有人回复，太差了！再不退款就投诉", timestamp=now + 2000))
    await filed(house, 2)
    await push(house, make_event("unsend", unsend={"messageId": said["message"]["id"]}, timestamp=now + 3000))
    lines = await filed(house, 3)
    assert {one["complaint"]["id"] for one in lines} == {record["id"]}
    assert await asyncio.to_thread(house.stop) == 0
    assert "Traceback" not in house.log
    assert (len(line.replied), line.pushed) == (1, [])
    assert SECRET not in house.log
