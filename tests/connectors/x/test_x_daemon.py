"""The whole daemon on X with little money: it stops, stays stopped over a restart, and goes on with a higher budget."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.connectors.x.conftest import BEARER, OWN, X, running
from tests.daemon.house import House

CHANNEL = f"""
[channels.brand]
connector = "x"
username = "{OWN}"
bearer_token = "{BEARER}"
monthly_budget = 0.1
read_media = false
read_own = false
url = "{{url}}"
interval_seconds = 1
"""


def channel(house: House) -> dict[str, Any]:
    (found,) = [one for one in house.api("/api/channels")["channels"] if one["name"] == "brand"]
    return dict(found)


async def stopped(house: House) -> dict[str, Any]:
    await asyncio.to_thread(house.until, lambda: channel(house)["state"] == "stopped", "a channel without money")
    return await asyncio.to_thread(channel, house)


def write_complaints(x: X) -> None:
    x.base = datetime.now(UTC)
    x.now = lambda: datetime.now(UTC)
    for number in range(20):
        x.write(number, f"@{OWN} order 77{number:02} arrived broken, refund me!", age=timedelta(minutes=90 - number))


async def test_money_ends_and_comes_back(house: House) -> None:
    async with running() as x:
        write_complaints(x)
        house.configure(CHANNEL.format(url=x.url))
        await asyncio.to_thread(house.start)
        assert "monthly budget of USD 0.10" in (await stopped(house))["reason"]
        await asyncio.to_thread(house.until_filed, 1)
        assert await asyncio.to_thread(house.stop) == 0
        checked = await asyncio.to_thread(house.command, "check")
        assert "of 0.10 left this month" in checked.stdout
        assert "USD 0.015 for a mention with its author" in checked.stdout
        before = len(x.asked)
        assert len(house.filed()) < 20
        assert house.log.count('"channel_down"') + house.log.count("channel_down ") == 1
        await asyncio.to_thread(house.start)
        await stopped(house)
        assert len(x.asked) == before, "what is spent is known after a restart"
        house.edit("monthly_budget = 0.1", "monthly_budget = 5")
        house.signal(signal.SIGHUP)
        await asyncio.to_thread(house.until_filed, 20)
        assert len({one["complaint"]["permalink"] for one in house.filed()}) == 20
        assert await asyncio.to_thread(channel, house) | {"state": "running"} == await asyncio.to_thread(channel, house)
        assert await asyncio.to_thread(house.stop) == 0
        assert "Traceback" not in house.log
