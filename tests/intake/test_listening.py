"""Listeners: restarted with back-off, and polls read what was said while there was no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from allears_sdk.connector import Batch, Hears, Wake
from allears_sdk.errors import Unavailable
from tests.intake.hall import Hall, page, raw, rest, until

LISTENS = frozenset({Hears.LISTEN, Hears.POLL})


async def test_a_frame_is_acknowledged_after_its_commit_and_moves_no_cursor(hall: Hall) -> None:
    acknowledged: list[str] = []

    async def listen() -> AsyncIterator[Batch | Wake]:
        yield page("frame-1", at=99)
        acknowledged.append("frame-1")
        await asyncio.Event().wait()

    hall.gate.open.clear()
    hall.script.hears = frozenset({Hears.LISTEN})
    hall.script.listen = listen
    await hall.open()
    await rest()
    assert not acknowledged
    hall.gate.open.set()
    await until(lambda: acknowledged)
    assert hall.gate.keys == ["frame-1"]
    assert await hall.gate.cursor("shop", "") is None


async def test_a_wake_polls_its_stream(hall: Hall) -> None:
    async def listen() -> AsyncIterator[Batch | Wake]:
        await until(lambda: len(hall.script.polls) == 2)
        yield Wake(stream="投诉")
        await asyncio.Event().wait()

    hall.script.hears = LISTENS
    hall.script.streams = ("INBOX", "投诉")
    hall.script.listen = listen
    await hall.open()
    await until(lambda: len(hall.script.polls) == 3)
    assert hall.script.polls[2][0] == "投诉"


async def test_every_stream_is_polled_after_a_reconnect(hall: Hall) -> None:
    connections = 0

    async def listen() -> AsyncIterator[Batch | Wake]:
        nonlocal connections
        connections += 1
        if connections == 1:
            raise ConnectionResetError("by peer")
        await asyncio.Event().wait()
        yield Batch()

    hall.script.hears = LISTENS
    hall.script.streams = ("INBOX", "Junk")
    hall.script.listen = listen
    await hall.open()
    await until(lambda: len(hall.script.polls) == 2 and hall.state() == "failing")
    hall.hands.advance(1)
    await until(lambda: len(hall.script.polls) == 4)
    assert connections == 2


async def test_a_quiet_connection_is_well_again_after_a_healthy_minute(hall: Hall) -> None:
    connections = 0
    drop = asyncio.Event()

    async def listen() -> AsyncIterator[Batch | Wake]:
        nonlocal connections
        connections += 1
        if connections > 3:
            await drop.wait()
        raise Unavailable("no route")
        yield Batch()

    hall.script.hears = frozenset({Hears.LISTEN})
    hall.script.listen = listen
    await hall.open()
    for seconds in (1, 2, 4):
        await until(lambda: seconds in hall.hands.naps)  # noqa: B023 - run at once
        hall.hands.advance(seconds)
    await until(lambda: connections == 4)
    await rest()
    assert hall.state() == "failing"
    hall.hands.advance(60)
    await until(lambda: hall.state() == "running")
    (up,) = hall.said("channel_up")
    assert up["away_seconds"] == 67
    drop.set()
    await until(lambda: hall.state() == "failing")
    assert hall.hands.jitter[-1] == 1, "the healthy minute has made the back-off begin anew"


async def test_a_connection_that_breaks_at_once_backs_off_further_though_items_came(hall: Hall) -> None:
    async def listen() -> AsyncIterator[Batch | Wake]:
        yield Batch(raws=[raw("frame-1")])
        raise Unavailable("dropped")

    hall.script.hears = frozenset({Hears.LISTEN})
    hall.script.listen = listen
    await hall.open()
    for seconds in (1, 2, 4, 8):
        await until(lambda: seconds in hall.hands.naps)  # noqa: B023 - run at once
        hall.hands.advance(seconds)
    assert hall.gate.keys[:2] == ["frame-1", "frame-1"]
    (row,) = await hall.gate.channels()
    assert (row.stored, row.duplicate) == (1, row.seen - 1), "the source offered it again: a no-op"
