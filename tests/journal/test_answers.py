"""The model step's budget and memory."""

from __future__ import annotations

from tests.journal.desk import Desk

KEY, OTHER = b"k" * 32, b"o" * 32


async def test_an_hours_calls_are_counted_before_they_leave(desk: Desk) -> None:
    answers = desk.journal.answers
    assert [await answers.spend(KEY, 2) is None for _ in range(3)] == [False, False, True]
    assert await answers.calls() == 2
    desk.clock.advance(1800)
    assert await answers.spend(KEY, 3) is not None
    desk.clock.advance(1801)
    assert await answers.calls() == 1
    assert await answers.spend(KEY, 0) is None


async def test_what_was_spent_is_spent_after_a_crash(desk: Desk) -> None:
    await desk.journal.answers.spend(KEY, 1)
    await desk.reopen()
    assert await desk.journal.answers.spend(KEY, 1) is None


async def test_the_newest_answer_is_remembered(desk: Desk) -> None:
    answers = desk.journal.answers
    for body in (b'{"a":1}', b'{"a":2}'):
        call = await answers.spend(KEY, 9)
        assert call is not None
        await answers.keep(call, body)
    await answers.spend(KEY, 9)
    await answers.spend(OTHER, 9)
    assert await answers.known([KEY, OTHER, b"never"]) == {KEY: b'{"a":2}'}
    assert await answers.known([]) == {}
    await desk.reopen()
    assert await desk.journal.answers.known({KEY}) == {KEY: b'{"a":2}'}


async def test_old_answers_are_forgotten(desk: Desk) -> None:
    call = await desk.journal.answers.spend(KEY, 9)
    assert call is not None
    await desk.journal.answers.keep(call, b"{}")
    desk.clock.advance(91 * 86_400)
    assert await desk.journal.answers.known([KEY]) == {KEY: b"{}"}
    await desk.journal.answers.spend(OTHER, 9)
    assert await desk.journal.answers.known([KEY]) == {}


async def test_two_processes_share_one_budget(desk: Desk) -> None:
    beside = await Desk.open(desk.folder, desk.clock, exclusive=False)
    try:
        assert await beside.journal.answers.spend(KEY, 1) is not None
        assert await desk.journal.answers.spend(KEY, 1) is None
    finally:
        await beside.close()
