"""A channel whose reads cost money, and whose money is spent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from allears_sdk.connector import Batch, Cursor
from allears_sdk.errors import OutOfMoney
from tests.intake.hall import Hall, until


async def test_it_stops_says_so_once_and_goes_on_by_itself(hall: Hall) -> None:
    has_money = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if stream == "search" and not has_money:
            raise OutOfMoney("the monthly budget of USD 10.00 is spent", after_seconds=3600)
        yield Batch()

    hall.script.poll = poll
    hall.script.streams = ("mentions", "search")
    await hall.open()
    await until(lambda: hall.state() == "stopped")
    for _ in range(3):
        await until(lambda: 3600 in hall.hands.naps)
        hall.hands.tick()  # what costs less is read meanwhile
        hall.hands.advance(3600)
    await until(lambda: 3600 in hall.hands.naps)
    assert len([call for call in hall.script.polls if call[0] == "mentions"]) > 1
    assert (hall.state(), hall.intake.states()["shop"].reason) == (
        "stopped",
        "the monthly budget of USD 10.00 is spent",
    )
    (down,) = hall.said("channel_down")
    assert "monthly_budget" in str(down["advice"])
    has_money = True
    hall.hands.advance(3600)
    await until(lambda: hall.state() == "running")
    assert len(hall.said("channel_up")) == 1
