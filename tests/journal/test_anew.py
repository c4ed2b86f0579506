"""Filed complaints read again: compared without a trace, filed once, and left alone while the daemon has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from allears.journal.anew import Change, Filed, Standing
from allears.journal.records import DeliveryState
from allears_sdk.complaint import EventKind
from normalizer.conversation import Draft
from tests.journal.desk import FILE, PRAISE, Desk, draft, mail, router, said

RULES = "4f3a99d0c1e2"


def write(desk: Desk, query: str, *values: object) -> None:
    with closing(sqlite3.connect(desk.folder / FILE)) as sql, sql:
        sql.execute(query, values)


async def all_filed(desk: Desk) -> Sequence[Filed]:
    return await desk.journal.anew.filed(limit=1000)


def other(filed: Filed, category: str = "service.process") -> Draft:
    """As today's rules might make it: another category."""
    made = draft(filed.conversation.messages, filed.conversation.reference)
    return replace(made, record=replace(made.record, category=category))


async def apply(desk: Desk, filed: Filed, made: Draft) -> Change:
    return await desk.journal.anew.apply(filed.conversation, made, router, RULES)


async def test_comparing_writes_nothing(desk: Desk) -> None:
    await desk.hear("mail", "1", mail("1"))
    (filed,) = await all_filed(desk)

    change = await desk.journal.anew.compare(filed.conversation, other(filed))

    assert (change.standing, change.changes) == (Standing.CHANGED, {"category": ("", "service.process")})
    assert not change.event_id
    assert len((await desk.file(filed.record.id)).events) == 1
    same = await desk.journal.anew.compare(filed.conversation, draft(filed.conversation.messages, filed.record.id))
    assert same == Change(standing=Standing.SAME)


async def test_a_change_is_a_follow_up_on_every_line_and_is_filed_once(desk: Desk) -> None:
    reference = await desk.hear("mail", "1", mail("1"))
    await desk.send_all("jsonl")
    (filed,) = await all_filed(desk)

    first, second = await apply(desk, filed, other(filed)), await apply(desk, filed, other(filed))

    found = await desk.file(reference)
    assert [event.kind for event in found.events] == [EventKind.OPENED, EventKind.FOLLOWED_UP]
    event = found.events[-1]
    assert (event.id, event.messages) == (first.event_id, ())
    assert event.changes == {"category": ("", "service.process")}
    assert found.record.category == "service.process"
    assert (second.standing, second.event_id) == (Standing.SAME, "")
    assert await desk.send_all("jsonl") == [event.id]
    assert event.id in [row.event_id for row in await desk.journal.deliveries(destination="hook")]
    rows, _ = await desk.journal.complaints()
    assert (rows[0].category, rows[0].events) == ("service.process", 2)


async def test_the_same_change_is_the_same_event_in_a_journal_put_back(desk: Desk, tmp_path: Path) -> None:
    await desk.hear("mail", "1", mail("1"))
    await desk.journal.backup(tmp_path / "copy")
    (filed,) = await all_filed(desk)
    first = (await apply(desk, filed, other(filed))).event_id
    await apply(desk, filed, draft(filed.conversation.messages, filed.record.id))
    third = (await apply(desk, filed, other(filed))).event_id
    assert first != third, "to and fro are events of their own"

    put_back = await Desk.open(tmp_path / "copy", desk.clock)
    try:
        assert (await apply(put_back, filed, other(filed))).event_id == first
    finally:
        await put_back.close()


async def test_what_was_filed_before_a_restore_is_looked_up_before_it_is_sent(desk: Desk) -> None:
    await desk.hear("mail", "1", mail("1"))
    desk.clock.advance(timedelta(hours=1))
    await desk.close()
    write(desk, "INSERT INTO stamps VALUES ('restored', ?)", str(desk.clock.now().timestamp()))
    await desk.reopen()
    (filed,) = await all_filed(desk)

    event = (await apply(desk, filed, other(filed))).event_id

    states = {row.event_id: row.state for row in await desk.journal.deliveries(destination="jsonl")}
    assert states[event] is DeliveryState.DOUBT


async def test_what_the_daemon_is_about_to_read_is_left_to_it(desk: Desk) -> None:
    await desk.hear("chat", "1", said("耳机没声音", thread="room"))
    (filed,) = await all_filed(desk)
    await desk.accept("chat", desk.raw("2", said("还在吗？要求退款", thread="room")))
    await desk.read_waiting()

    assert (await desk.journal.anew.compare(filed.conversation, other(filed))).standing is Standing.AWAITED
    (now,) = await all_filed(desk)
    assert (await apply(desk, now, other(now))).standing is Standing.AWAITED, "its timer runs"
    await desk.settle()
    (after,) = await all_filed(desk)
    assert (await apply(desk, filed, other(after))).standing is Standing.AWAITED, "read before somebody wrote"
    assert (await apply(desk, after, other(after))).standing is Standing.CHANGED


async def test_a_persons_word_and_what_was_routed_stand(desk: Desk) -> None:
    await desk.hear("mail", "1", mail("1", text=PRAISE))
    (unfiled,) = await desk.journal.unfiled()
    await desk.journal.file_unfiled(unfiled.reference)
    await desk.settle()
    (filed,) = await all_filed(desk)
    praise = draft(filed.conversation.messages, unfiled.reference)

    change = await desk.journal.anew.compare(filed.conversation, praise)

    assert filed.record.nature == "complaint"
    assert change.standing is Standing.SAME


async def test_pages_channels_and_times(desk: Desk) -> None:
    for number in range(5):
        await desk.hear("mail", f"{number}", mail(f"{number}"))
        desk.clock.advance(timedelta(days=1))
    await desk.hear("review", "r", said("屏幕碎了"))
    anew = desk.journal.anew

    numbers = [one.conversation.id for one in await all_filed(desk)]
    assert numbers == sorted(numbers)
    assert await anew.count() == 6
    page = await anew.filed(limit=2)
    assert [one.conversation.id for one in await anew.filed(after=page[-1].conversation.id)] == numbers[2:]
    assert await anew.count(channel="review") == 1
    assert await anew.count(since=desk.clock.now() - timedelta(days=2)) == 3
    assert await anew.count(channel="nowhere") == 0


async def test_what_was_erased_is_left_out(desk: Desk) -> None:
    await desk.hear("mail", "1", mail("1"))
    write(desk, "DELETE FROM messages")

    assert await all_filed(desk) == []
    assert await desk.journal.anew.count() == 0


@pytest.mark.parametrize("channel", ["mail", "review", "chat"])
async def test_a_command_beside_the_daemon(desk: Desk, channel: str) -> None:
    """Another process's journal, on the same file."""
    reference = await desk.hear(
        channel, "1", said("屏幕碎了，要求退款", thread="room") if channel == "chat" else mail("1")
    )
    beside = await Desk.open(desk.folder, desk.clock, exclusive=False)
    try:
        (filed,) = await beside.journal.anew.filed()
        assert (await beside.journal.anew.apply(filed.conversation, other(filed), router, RULES)).event_id
    finally:
        await beside.close()

    assert [event.sequence for event in (await desk.file(reference)).events] == [1, 2]
    assert len(await desk.send_all()) == 2
