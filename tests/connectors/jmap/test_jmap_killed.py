"""The real daemon over JMAP: heard by push, killed between the commit and the last touch, started again."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.connectors.jmap.server import TOKEN, JmapServer, make_mail
from tests.daemon.house import House

CHANNEL = """
[channels.support-jmap]
connector = "jmap"
url = "{url}"
token = "{token}"
after = "{after}"
interval_seconds = {interval}
"""
COUNT = 5


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await asyncio.to_thread(house.clear)


def configured(house: House, server: JmapServer, after: str, interval: int) -> None:
    house.configure(CHANNEL.format(url=server.url, token=TOKEN, after=after, interval=interval))


@pytest.mark.parametrize("is_done", [False, True], ids=["not-done", "done-not-told"])
async def test_killed_at_the_last_touch(house: House, server: JmapServer, is_done: bool) -> None:
    deaths: list[str] = []

    def kill_at_set(request: web.Request, body: Any) -> web.Response | None:
        if deaths or "Email/set" not in str(body):
            return None
        deaths.append("set")
        house.signal(signal.SIGKILL)
        return None if is_done else web.Response(status=503)

    server.spoilers.append(kill_at_set)
    server.put(*(make_mail(f"第{number}单：屏幕碎了，要求退款。") for number in range(COUNT)))
    configured(house, server, "delete", 1)
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.wait)
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until_filed, COUNT)
    await asyncio.to_thread(house.until, lambda: not server.mails, "all gone")
    await asyncio.to_thread(house.stop)
    filed = Counter(line["complaint"]["description"] for line in house.filed())
    assert sorted(filed.values()) == [1] * COUNT
    assert server.downloads == COUNT


async def test_heard_by_push_long_before_the_next_poll(house: House, server: JmapServer) -> None:
    configured(house, server, "seen", 3600)
    await asyncio.to_thread(house.start)
    await asyncio.to_thread(house.until, lambda: server.listeners, "it listens")
    for number in range(3):
        server.put(make_mail(f"第{number}单：屏幕碎了，要求退款。"))
        await asyncio.to_thread(house.until_filed, number + 1)
    assert await asyncio.to_thread(house.stop) == 0
