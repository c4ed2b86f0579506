"""Polling: one at a time, wakes that coalesce, and the line behind a `yield`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from allears_sdk.connector import Batch, Cursor, Wake
from allears_sdk.errors import AuthError, ConfigError, InDoubt, RetryLater, Unavailable
from tests.intake.hall import Hall, page, rest, until


async def test_a_stream_is_polled_at_start_and_goes_on_from_its_cursor(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        at = cursor["at"] if cursor else 0
        if at < 2:
            yield page(f"mail-{at + 1}", at=at + 1)

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.gate.keys == ["mail-1"])
    hall.hands.tick()
    await until(lambda: hall.gate.keys == ["mail-1", "mail-2"])
    assert [call[1] for call in hall.script.polls] == [None, {"version": 1, "at": 1}]
    assert await hall.stored_state() == "running"


async def test_every_stream_has_its_own_cursor(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if cursor is None:
            yield page(f"{stream}-1", at=7 if stream == "投诉" else 3)

    hall.script.streams = ("INBOX", "投诉")
    hall.script.poll = poll
    await hall.open()
    await until(lambda: len(hall.gate.keys) == 2)
    assert await hall.gate.cursor("shop", "INBOX") == {"version": 1, "at": 3}
    assert await hall.gate.cursor("shop", "投诉") == {"version": 1, "at": 7}


async def test_a_poll_never_overlaps_itself_and_one_waits_with_the_newest_hint(hall: Hall) -> None:
    running = 0
    most = 0
    go_on = asyncio.Event()

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.script.polls)
    supervisor = hall.intake._supervisors["shop"]
    for token in ("old", "newer", "newest"):
        supervisor.wake(Wake(stream="inbox", hint={"token": token}))
        hall.hands.tick()
    await rest()
    assert len(hall.script.polls) == 1
    go_on.set()
    await until(lambda: len(hall.script.polls) == 2)
    await rest()
    assert most == 1
    assert [call[2] for call in hall.script.polls] == [{}, {"token": "newest"}]


async def test_a_wake_for_a_new_stream_makes_the_streams_be_listed_again(hall: Hall) -> None:
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    hall.script.streams = ("inbox", "wkABC")
    hall.intake._supervisors["shop"].wake(Wake(stream="wkABC", hint={"token": "t1"}))
    await until(lambda: any(call[0] == "wkABC" for call in hall.script.polls))
    assert next(call[2] for call in hall.script.polls if call[0] == "wkABC") == {"token": "t1"}


async def test_the_line_behind_the_yield_runs_only_after_the_commit(hall: Hall) -> None:
    acknowledged: list[int] = []

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if cursor is None:
            yield page("mail-1", at=1)
            acknowledged.append(1)

    hall.gate.open.clear()
    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.script.polls)
    await rest()
    assert not acknowledged
    hall.gate.open.set()
    await until(lambda: acknowledged == [1])


async def test_it_does_not_run_when_the_journal_refuses_and_the_poll_comes_again(hall: Hall) -> None:
    lines: list[str] = []

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        try:
            if cursor is None:
                yield page("mail-1", at=1)
                lines.append("acknowledged")
        finally:
            lines.append("closed")

    hall.gate.refusals = 1
    hall.script.poll = poll
    await hall.open()
    await until(lambda: lines == ["closed"])
    assert hall.state() == "failing"
    hall.hands.advance(1)
    await until(lambda: lines == ["closed", "acknowledged", "closed"])
    await until(lambda: hall.state() == "running")


async def test_back_off_grows_with_full_jitter_and_begins_anew_after_a_success(hall: Hall) -> None:
    is_up = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if not is_up:
            raise Unavailable("no connection to imap.example.com")
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    waited = []
    for count in range(1, 11):
        await until(lambda: len(hall.script.polls) == count)  # noqa: B023 - run at once
        await rest()
        waited.append(hall.hands.jitter[-1])
        hall.hands.advance(waited[-1])
    assert waited == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    is_up = True
    await rest()
    hall.hands.advance(300)
    await until(lambda: hall.state() == "running")
    is_up = False
    hall.hands.tick()
    await until(lambda: hall.state() == "failing")
    assert hall.hands.jitter[-1] == 1


async def test_going_down_and_coming_back_are_said_once_each(hall: Hall) -> None:
    is_up = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if not is_up:
            raise ConnectionRefusedError("imap.example.com:993")
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    for count in range(1, 5):
        await until(lambda: len(hall.script.polls) == count)  # noqa: B023 - run at once
        await rest()
        hall.hands.advance(10)
    await rest()
    is_up = True
    hall.hands.advance(100)
    await until(lambda: hall.state() == "running")
    (down,) = hall.said("channel_down")
    assert "imap.example.com:993" in str(down["cause"])
    assert "exc_info" not in down
    (up,) = hall.said("channel_up")
    assert up["away_seconds"] == 140


async def test_an_error_nobody_foresaw_is_logged_with_its_traceback_and_stored_without_its_words(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        raise KeyError("我的电话是 13800138000")
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.said("channel_down"))
    (down,) = hall.said("channel_down")
    assert isinstance(down["exc_info"], KeyError)
    assert "138" not in hall.intake.states()["shop"].reason


async def test_after_two_failures_at_one_cursor_the_page_is_read_one_by_one(hall: Hall) -> None:
    items = [f"mail-{number}" for number in range(1, 6)]
    poison_heals = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        at = cursor["at"] if cursor else 0
        while at < len(items):
            part = items[at : at + limit]
            if "mail-3" in part and not poison_heals:
                raise InDoubt("the server hung up in mid-page")
            at += len(part)
            yield page(*part, at=at)

    hall.script.poll = poll
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    await rest()
    hall.hands.advance(1)
    await until(lambda: len(hall.script.polls) == 2)
    await rest()
    assert hall.gate.keys == []
    hall.hands.advance(2)
    await until(lambda: hall.gate.keys == ["mail-1", "mail-2"])
    assert [call[3] for call in hall.script.polls] == [100, 100, 1]
    await rest()
    poison_heals = True
    hall.hands.advance(300)
    await until(lambda: hall.gate.keys == items)
    await rest()
    hall.hands.tick()
    await until(lambda: hall.script.polls[-1][3] == 100)


async def test_retry_later_is_taken_at_its_word(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if len(hall.script.polls) == 1:
            raise RetryLater(after_seconds=73)
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: 73 in hall.hands.naps)
    assert hall.state() == "running"
    hall.hands.tick()
    hall.hands.advance(72)
    await rest()
    assert len(hall.script.polls) == 1
    hall.hands.advance(1)
    await until(lambda: len(hall.script.polls) == 2)


async def test_a_storm_of_waits_is_said_once_and_shown_until_it_is_over(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if len(hall.script.polls) <= 3:
            raise RetryLater("the shop is busy", after_seconds=10)
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    for _ in range(3):
        await until(lambda: 10 in hall.hands.naps)
        assert hall.intake.states()["shop"].reason == "the shop is busy"
        hall.hands.advance(10)
    await until(lambda: len(hall.script.polls) == 4 and not hall.intake.states()["shop"].reason)
    assert [level for level, event, _ in hall.log.entries if event == "asked_to_wait"] == ["info", "debug", "debug"]


async def test_refused_credentials_stop_all_streams_and_one_tries_for_all(hall: Hall) -> None:
    is_good = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if not is_good:
            raise AuthError("the mailbox refuses the password")
        yield Batch()

    hall.script.poll = poll
    hall.script.streams = ("INBOX", "Junk", "投诉")
    await hall.open()
    await until(lambda: hall.state() == "stopped" and len(hall.script.polls) == 3)
    hall.hands.advance(899)
    hall.hands.tick()
    await rest()
    assert len(hall.script.polls) == 3
    hall.hands.advance(1)
    await until(lambda: len(hall.script.polls) == 4)
    await rest()
    assert len(hall.script.polls) == 4, "twenty folders must not mean twenty refused log-ins"
    (down,) = hall.said("channel_down")
    assert down["advice"]
    is_good = True
    hall.hands.advance(900)
    await until(lambda: hall.state() == "running" and len({call[0] for call in hall.script.polls[4:]}) == 3)
    assert len(hall.said("channel_up")) == 1


async def test_wrong_settings_are_not_tried_again_until_resumed(hall: Hall) -> None:
    is_good = False

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if not is_good:
            raise ConfigError('no folder "Complaints"')
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.state() == "stopped")
    hall.hands.advance(1_000_000)
    hall.hands.tick()
    await rest()
    assert len(hall.script.polls) == 1
    is_good = True
    await hall.intake.resume("shop")
    await until(lambda: len(hall.script.polls) == 2 and hall.state() == "running")


async def test_a_channel_that_fails_pauses_alone(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if stream == "bad":
            raise Unavailable
        yield Batch()

    hall.script.poll = poll
    hall.script.streams = ("bad",)
    await hall.open("weibo")
    await until(lambda: hall.state("weibo") == "failing")
    hall.script.streams = ("good",)
    settings = hall.intake._supervisors["weibo"].channel.settings
    await hall.intake.apply({"weibo": settings, "shop": settings})
    await until(lambda: any(call[0] == "good" for call in hall.script.polls))
    assert (hall.state("weibo"), hall.state("shop")) == ("failing", "running")


async def test_a_source_that_never_answered_was_never_in_contact(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        raise AuthError("mail.example.com refused the login")
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.state() == "stopped")
    assert await hall.stored_state() == "stopped"
    (row,) = await hall.gate.channels()
    assert row.last_success_at is None


async def test_one_cause_is_told_once_and_several_with_their_places(hall: Hall) -> None:
    causes = {"INBOX": "the server is away", "投诉": "the server is away"}

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        raise Unavailable(causes[stream])
        yield Batch()

    hall.script.streams, hall.script.poll = ("INBOX", "投诉"), poll
    await hall.open()
    await until(lambda: len(hall.script.polls) == 2)
    assert hall.intake.states()["shop"].reason == "the server is away"
    causes["投诉"] = "there is no such folder"
    hall.hands.advance(400)
    hall.hands.tick()
    await until(lambda: "no such folder" in hall.intake.states()["shop"].reason)
    assert hall.intake.states()["shop"].reason == (
        "stream INBOX: the server is away; stream 投诉: there is no such folder"
    )


async def test_pollers_wait_while_there_is_a_backlog_and_finish_what_they_began(hall: Hall) -> None:
    lines: list[str] = []

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        for at in range(cursor["at"] if cursor else 0, 3):
            yield page(f"mail-{at}", at=at + 1)
            lines.append(f"acknowledged {at}")
            hall.backlog = "" if at else "the disk is nearly full"

    hall.script.poll = poll
    await hall.open()
    await until(lambda: lines == ["acknowledged 0"])
    await until(lambda: hall.intake.states()["shop"].reason == "the disk is nearly full")
    assert hall.gate.keys == ["mail-0"]
    hall.backlog = ""
    hall.hands.advance(5)
    await until(lambda: len(lines) == 3)
    assert hall.gate.keys == ["mail-0", "mail-1", "mail-2"]


async def test_a_page_that_promises_more_is_followed_at_once(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        at = cursor["at"] if cursor else 0
        yield page(f"review-{at}", at=min(at + 1, 4), more=True)

    hall.script.poll = poll
    await hall.open()
    await until(lambda: len(hall.script.polls) == 5)
    await rest()
    assert len(hall.script.polls) == 5, "more, but nothing moved: that is left to the schedule"


async def test_quiet_hours_hold_scheduled_polls_and_no_pushed_ones(hall: Hall) -> None:
    hall.hands.clock.advance(11 * 3600)  # 15:00 UTC is 23:00 in Shanghai
    await hall.open(quiet_hours="22:00-06:00", timezone="Asia/Shanghai")
    hall.hands.tick()
    await rest()
    assert hall.script.polls == []
    hall.intake._supervisors["shop"].wake(Wake(stream="inbox", hint={"token": "now"}))
    await until(lambda: len(hall.script.polls) == 1)
    hall.hands.clock.advance(7 * 3600)
    hall.hands.tick()
    await until(lambda: len(hall.script.polls) == 2)


async def test_stopping_lets_the_commit_and_the_line_behind_it_run(hall: Hall) -> None:
    lines: list[str] = []

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        yield page("mail-1", at=1)
        lines.append("acknowledged")
        yield page("mail-2", at=2)
        lines.append("never")

    hall.gate.open.clear()
    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.script.polls)
    await rest()
    stopping = asyncio.create_task(hall.intake.stop(5))
    await rest()
    assert not stopping.done()
    hall.gate.open.set()
    await stopping
    assert lines == ["acknowledged"]
    assert hall.gate.keys == ["mail-1"]
    assert len(hall.script.stopped) == 1


async def test_stopping_does_not_wait_for_a_poll_that_waits_at_the_server(hall: Hall) -> None:
    ended: list[str] = []

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        try:
            await asyncio.Event().wait()
            yield Batch()
        finally:
            ended.append("closed")

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.script.polls)
    async with asyncio.timeout(1):
        await hall.intake.stop(10)
    assert ended == ["closed"]
