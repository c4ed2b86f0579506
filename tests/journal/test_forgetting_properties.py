"""Whoever said what in whatever order: forgetting one of them takes all of his and nothing of theirs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from allears_sdk.message import Message
from tests.journal.desk import Desk, said
from tests.journal.desk import mail as written
from tests.journal.test_forgetting import forget, read_all, search, traces

PEOPLE = ("ann", "bob", "cat")
Step = tuple[str, str, int, bool]
"""Channel, person, number of what is answered, and whether deliveries go out afterwards."""

steps = st.lists(
    st.tuples(st.sampled_from(["mail", "chat", "review"]), st.sampled_from(PEOPLE), st.integers(0, 4), st.booleans()),
    min_size=1, max_size=12,
)  # fmt: skip


def word(person: str, number: int) -> str:
    return f"word-of-{person}-{number}."


def message(step: Step, number: int) -> Message:
    channel, person, earlier, _ = step
    who, text = f"{person}-id@example.com", f"坏了 broken {word(person, number)}"
    if channel == "mail":
        above = (f"m{earlier}",) if earlier < number else ()
        return written(f"m{number}", who, subject="Re: 坏了" if above else "坏了", thread=above, text=text)
    if channel == "chat":
        return said(text, who, thread="room" if earlier % 2 else f"room-{person}", external_id=f"c{number}")
    thread = f"r{earlier}" if earlier < number else ""
    return said(text, who, thread=thread, external_id=f"r{number}")


async def play(folder: Path, taken: Sequence[Step], person: str) -> None:
    desk = await Desk.open(folder)
    raws = []
    for number, step in enumerate(taken):
        raw = desk.raw(f"key-{number}", message(step, number))
        raws.append((step, raw))
        await desk.accept(step[0], raw)
        await read_all(desk)
        if step[3]:
            await desk.send_all("jsonl")
    theirs = [word(step[1], number) for number, step in enumerate(taken) if step[1] == person]
    if not theirs:
        assert search(desk, f"{person}-id@example.com") is None
        await desk.close()
        return
    assert forget(desk, f"{person}-id@example.com") == 0
    assert traces(folder, [*theirs, f"{person}-id@"]) == []
    complaints = desk.rows("SELECT count(*) FROM events")
    for step, raw in raws:
        again = replace(raw, received_at=desk.clock.now())
        assert (await desk.accept(step[0], again))[0].is_new is False
    await read_all(desk)
    assert desk.rows("SELECT count(*) FROM events") == complaints
    await check_others(desk, taken, person)
    assert desk.rows("PRAGMA integrity_check") == [("ok",)]
    await desk.close()


async def check_others(desk: Desk, taken: Sequence[Step], person: str) -> None:
    """What others said in conversations of their own is there, and in the newest record of its complaint."""
    for number, step in enumerate(taken):
        if step[1] == person:
            continue
        found = desk.rows("SELECT conversation_id, body FROM messages WHERE raw_id IN"
                          " (SELECT id FROM raws WHERE raw_key=?)", f"key-{number}")  # fmt: skip
        if found:
            assert word(step[1], number).encode() in found[0][1]
            query = "SELECT body FROM events WHERE conversation_id=? ORDER BY sequence DESC LIMIT 1"
            for (body,) in desk.rows(query, found[0][0]):
                assert word(step[1], number).encode() in body
    await desk.send_all("jsonl")
    await desk.send_all("hook")
    assert await desk.open_deliveries() == 0


@settings(max_examples=40, deadline=None)
@given(taken=steps, person=st.sampled_from(PEOPLE))
def test_one_goes_and_the_others_stay(taken: list[Step], person: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "data", taken, person))
