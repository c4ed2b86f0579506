"""Answers to customers: one for each complaint, never a second one when in doubt, nothing for a person to decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears.journal.opening import mark_restored
from allears_sdk.errors import AuthError, BadMessage, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Author
from tests.delivery.bureau import Bureau
from tests.journal.desk import AMY, FILE, LI, PRAISE, Desk, mail, said

Open = Callable[..., Bureau]


@pytest.fixture
async def bureau(tmp_path: Path) -> AsyncIterator[Open]:
    desk = await Desk.open(tmp_path / "data")
    desk.clock.advance(60)  # the journal was born before anybody spoke
    made: list[Bureau] = []

    def open_bureau(channel: str = "mail", **settings: Any) -> Bureau:
        made.append(Bureau(desk, tmp_path, channel, **settings))
        return made[-1]

    yield open_bureau
    for one in made:
        await one.courier.stop(0)
    await desk.close()


async def test_one_answer_whatever_follows(bureau: Open) -> None:
    mine = bureau()
    reference = await mine.hear("1", mail("1"))
    await mine.work()
    ((whom, text, _),) = mine.connector.said
    assert whom == LI
    assert reference in text
    for number in range(2, 5):
        await mine.hear(str(number), mail(str(number), subject="Re: 屏幕碎了", thread=("1",)))
    await mine.work(3600)
    assert len(mine.connector.said) == 1
    assert await mine.states() == ["sent"]
    assert len((await mine.desk.file(reference)).events) == 4
    (row,) = await mine.rows()
    assert row.ticket_id.startswith(reference)


async def test_the_ticket_stores_hear_all_the_same(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1"))
    await mine.hear("2", mail("2", subject="Re: 屏幕碎了", thread=("1",)))
    assert len(await mine.desk.send_all("jsonl")) == 2
    assert len(await mine.desk.send_all("hook")) == 2


async def test_switched_on_later_it_answers_no_older_complaint(bureau: Open) -> None:
    mine = bureau()
    reference = await mine.desk.hear("mail", "1", mail("1"))
    await mine.hear("2", mail("2", subject="Re: 屏幕碎了", thread=("1",)))
    assert len((await mine.desk.file(reference)).events) == 2
    assert await mine.states() == []


async def test_what_becomes_a_complaint_later_is_answered_then(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1", text=PRAISE))
    assert await mine.states() == []
    await mine.hear("2", mail("2", subject="Re: 屏幕碎了", thread=("1",), text="屏幕还是碎的，要求退款"))
    await mine.work()
    assert await mine.states() == ["sent"]


async def test_a_burst_in_a_chat_is_answered_once(bureau: Open) -> None:
    mine = bureau("chat")
    chat = [said(text, thread="kf-1") for text in ("在吗", "屏幕碎了", "要求退款")]
    await mine.hear("c", *chat, thread="kf-1")
    await mine.work()
    assert [whom for whom, _, _ in mine.connector.said] == ["wm-li"]


@pytest.mark.parametrize(
    "facts", [{"is_automatic": True}, {"author": Author(id="no-reply@x.cn", email="no-reply@x.cn")}]
)
async def test_never_to_machines(bureau: Open, facts: dict[str, Any]) -> None:
    mine = bureau()
    message = mail("1")
    await mine.hear("1", type(message)(**{**{name: getattr(message, name) for name in message.__slots__}, **facts}))
    await mine.work()
    assert await mine.states() == []


# What goes wrong


@pytest.mark.parametrize(
    "error",
    [RetryLater(after_seconds=60), Unavailable(), AuthError(), ConfigError()],
    ids=lambda one: type(one).__name__,
)
async def test_what_was_surely_not_sent_is_sent_later(bureau: Open, error: Exception) -> None:
    mine = bureau()
    mine.connector.errors = [error]
    await mine.hear("1", mail("1"))
    await mine.work()
    assert mine.connector.said == []
    assert await mine.states() == ["pending"]
    await mine.work(900)
    assert len(mine.connector.said) == 1
    assert await mine.states() == ["sent"]


@pytest.mark.parametrize(
    "error",
    [
        Rejected("550 no such user"),
        Void("the window has closed"),
        InDoubt("no answer"),
        BadMessage("no"),
        ValueError("a bug"),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_what_cannot_be_said_is_dropped_and_shown(bureau: Open, error: Exception) -> None:
    mine = bureau()
    mine.connector.errors = [error]
    reference = await mine.hear("1", mail("1"))
    await mine.work(86_400)
    assert mine.connector.said == []
    (row,) = [one for one in (await mine.desk.file(reference)).deliveries if one.destination == mine.name]
    assert row.state == "discarded"
    assert str(error) in row.reason
    assert await mine.desk.letters() == [], "nobody has to decide anything"


async def test_one_customers_server_holds_up_nobody_else(bureau: Open) -> None:
    mine = bureau()
    mine.connector.errors = [RetryLater("greylisted", after_seconds=60)]
    await mine.hear("1", mail("1"))
    await mine.work()
    await mine.hear("2", mail("2", AMY, subject="broken"))
    await mine.work(61)
    assert {whom for whom, _, _ in mine.connector.said} == {LI, AMY}


async def test_a_lost_answer_is_never_repeated(bureau: Open) -> None:
    mine = bureau()
    mine.connector.lose_answers = True
    await mine.hear("1", mail("1"))
    await mine.work()
    mine.connector.lose_answers = False
    await mine.work(86_400)
    assert len(mine.connector.said) == 1
    assert await mine.states() == ["discarded"]


async def test_killed_while_it_is_sent(bureau: Open) -> None:
    mine = bureau()
    mine.connector.gate = asyncio.Event()
    await mine.hear("1", mail("1"))
    assert await mine.courier.take()
    async with asyncio.timeout(5):
        while not mine.connector.said:  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.001)
    await mine.crash()
    await mine.work(86_400)
    assert len(mine.connector.said) == 1
    assert await mine.states() == ["discarded"]


async def test_killed_before_it_was_sent_it_is_sent_by_the_next_one(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1"))
    await mine.crash()
    await mine.work()
    assert len(mine.connector.said) == 1


async def test_frozen_and_killed_is_doubt(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1"))
    (due,) = await mine.desk.due(mine.name)
    await mine.desk.freeze(due)
    await mine.crash()
    await mine.work(86_400)
    assert mine.connector.said == []
    assert await mine.states() == ["discarded"]


async def test_the_words_are_those_of_the_filing(bureau: Open) -> None:
    mine = bureau(text_zh="甲 {reference}")
    await mine.hear("1", mail("1"))
    mine.configure(text_zh="乙 {reference}")
    await mine.crash()
    await mine.work()
    assert mine.connector.said[0][1].startswith("甲 ALE-")


# After a restore


async def test_after_a_restore_nothing_is_answered_twice(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1"))
    await mine.desk.close()
    mine.desk.clock.advance(3600)
    mark_restored(mine.desk.folder / FILE, mine.desk.clock.now().timestamp())
    mine.desk.journal = (await Desk.open(mine.desk.folder, mine.desk.clock)).journal
    mine.courier = mine.hire(restored=True)
    before = mine.desk.clock.now() - timedelta(minutes=30)
    await mine.hear("2", mail("2", AMY, subject="broken", posted_at=before))
    await mine.work(86_400)
    assert mine.connector.said == []
    assert await mine.states() == ["discarded"], "what was said before the restore is not even planned"


async def test_what_was_said_before_the_journal_was_born_is_not_answered(bureau: Open) -> None:
    mine = bureau()
    await mine.hear("1", mail("1", posted_at=mine.desk.clock.now() - timedelta(minutes=10)))
    assert await mine.states() == []


# Limits


async def test_two_answering_machines_do_not_feed_each_other(bureau: Open) -> None:
    mine = bureau(max_per_address_per_day=3)
    for number in range(40):
        await mine.hear(f"m{number}", mail(f"m{number}", subject=f"Ihre Nachricht {number}"))
        await mine.work(60)
    assert len(mine.connector.said) == 3
    states = await mine.states()
    assert (states.count("sent"), states.count("discarded")) == (3, 37)
    assert "max_per_address_per_day" in (await mine.rows())[-1].reason
    await mine.hear("amy", mail("amy", AMY, subject="broken"))
    await mine.work()
    assert len(mine.connector.said) == 4, "others are answered"


async def test_many_at_once_count_too(bureau: Open) -> None:
    mine = bureau(max_per_address_per_day=3)
    await mine.hear("m", *(mail(f"m{number}", subject=f"Nummer {number}") for number in range(10)))
    await mine.work()
    assert len(mine.connector.said) == 3


async def test_the_limit_is_one_of_a_day(bureau: Open) -> None:
    mine = bureau(max_per_address_per_day=1)
    for day in range(3):
        for number in range(2):
            await mine.hear(f"m{day}{number}", mail(f"m{day}{number}", subject=f"Nummer {day}{number}"))
            await mine.work()
        mine.desk.clock.advance(86_401)
    assert len(mine.connector.said) == 3


async def test_too_late_is_never(bureau: Open) -> None:
    mine = bureau(within_hours=2)
    mine.is_running = False
    await mine.hear("1", mail("1"))
    await mine.work(3600)
    assert await mine.states() == ["pending"], "a channel that is paused or gone keeps its answers for so long"
    await mine.work(7200)
    mine.is_running = True
    await mine.work(900)
    assert mine.connector.said == []
    (row,) = await mine.rows()
    assert (row.state, "too late" in row.reason) == ("discarded", True)


async def test_a_renamed_channel_takes_its_answers_along(bureau: Open) -> None:
    mine = bureau()
    await mine.desk.journal.note_channel("mail", connector="scripted", state="running")
    await mine.hear("1", mail("1"))
    await mine.work()
    await mine.hear("2", mail("2", AMY, subject="broken"))
    await mine.desk.journal.rename_channel("mail", "post")
    assert await mine.states() == []
    rows = await mine.desk.journal.deliveries(destination="reply:post")
    assert sorted(row.state.value for row in rows) == ["pending", "sent"]
    (found,) = [row for row in await mine.desk.journal.destinations() if row.name == "reply:post"]
    assert (found.pending, found.sent) == (1, 1)
