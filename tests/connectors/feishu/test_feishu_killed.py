"""The real daemon on the long connection: killed while it acknowledges, what is left comes again and doubled; files
and names are fetched after the message."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connectors.feishu.feishu_server import APP_ID, APP_SECRET, LILEI, FeishuServer, received
from tests.daemon.house import House

CHANNEL = """
[channels.support-feishu]
connector = "feishu"
app_id = "{app_id}"
app_secret = "{secret}"
url = "{url}"
settle_seconds = {settle}
ask_profile = {ask_profile}
"""
COUNT = 20


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await asyncio.to_thread(house.clear)


def configure(house: House, feishu: FeishuServer, **more: object) -> None:
    house.configure(CHANNEL.format(app_id=APP_ID, secret=APP_SECRET, url=feishu.url, **more))


async def test_killed_while_it_acknowledges(house: House, feishu: FeishuServer) -> None:
    configure(house, feishu, settle=0, ask_profile="false")
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: feishu.sockets, "it listens")
    feishu.on_acknowledged = lambda: house.signal(signal.SIGKILL) if len(feishu.acknowledged) == 3 else None
    items = [feishu.say(f"第{n}单：屏幕碎了，要求退款。", chat=f"oc_{n:03}", who=f"ou_{n:03}") for n in range(COUNT)]
    for item in items:
        await feishu.push(received(item, chat_type="p2p"))
    await asyncio.to_thread(house.wait)
    assert feishu.unacknowledged
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: len(feishu.sockets) == 2, "it listens again")
    for _ in range(2):
        await feishu.push_again()
    await asyncio.to_thread(house.until_filed, COUNT)
    await asyncio.to_thread(house.until, lambda: not feishu.unacknowledged, "all acknowledged")
    assert await asyncio.to_thread(house.stop) == 0
    filed = Counter(line["complaint"]["description"] for line in house.filed())
    assert filed == {f"第{n}单：屏幕碎了，要求退款。": 1 for n in range(COUNT)}


async def test_files_and_names(house: House, feishu: FeishuServer) -> None:
    configure(house, feishu, settle=1, ask_profile="true")
    feishu.people[LILEI] = {"open_id": LILEI, "name": "李雷", "mobile": "+8613800138000"}
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: feishu.sockets, "it listens")
    text, picture = feishu.say("屏幕碎了，要求退款。"), feishu.say("", kind="image", image_key="img_v3_1")
    feishu.files[picture["message_id"], "img_v3_1", "image"] = (b"\x89PNG\r\n\x1a\n", "image/png")
    for item in (text, picture):
        await feishu.push(received(item))
    (line,) = await asyncio.to_thread(house.until_filed, 1)
    assert await asyncio.to_thread(house.stop) == 0
    complaint = line["complaint"]
    assert (complaint["customer"]["name"], complaint["customer_id"]) == ("李雷", LILEI)
    (file,) = complaint["attachments"]
    assert (file["media_type"], file["size"]) == ("image/png", 8)
