"""Contents go for their age, never before they are done with; keys and what was filed stay."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from allears.journal.records import DeliveryState
from allears.journal.retention import FILES, ORIGINALS, PAYLOADS, Keep
from allears.journal.sweeping import HeldByBackup, held
from allears_sdk.connector import Media
from allears_sdk.message import Attachment, Message, Ref
from tests.journal.desk import PRAISE, Desk, mail, said

DAY = timedelta(days=1)
KEEP = Keep(originals=90 * 86_400.0, payloads=7 * 86_400.0)


async def tidy(desk: Desk, keep: Keep = KEEP) -> None:
    for name in (PAYLOADS, ORIGINALS):
        while await desk.journal.upkeep.expire(name, keep):
            pass


def bodies(desk: Desk) -> dict[str, bool]:
    """Whether each raw is still whole, by its key."""
    return {
        key: bool(kept) for key, kept in desk.rows("SELECT raw_key, body IS NOT NULL OR blob IS NOT NULL FROM raws")
    }


def payloads(desk: Desk) -> int:
    return int(desk.rows("SELECT count(*) FROM deliveries WHERE payload IS NOT NULL")[0][0])


async def deliver_all(desk: Desk) -> None:
    await desk.send_all("jsonl")
    await desk.send_all("hook")


async def test_an_original_goes_ninety_days_after_the_last_word(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", mail("k1"))
    await deliver_all(desk)
    desk.clock.advance(80 * DAY)
    await desk.hear("mail", "k2", mail("k2", thread=("k1",)))
    await deliver_all(desk)
    desk.clock.advance(89 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": True, "k2": True}, "both belong to a conversation of 89 days ago"
    desk.clock.advance(2 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": False, "k2": False}
    assert (await desk.accept("mail", desk.raw("k1", mail("k1"))))[0].is_new is False, "the key stays"
    file = await desk.file(reference)
    assert len(file.messages) == 2, "what was filed stays"
    raw = await desk.journal.raw(file.messages[0].raw_id)
    assert raw is not None
    assert raw.raw.body == b""


async def test_payloads_go_seven_days_after_they_were_sent(desk: Desk) -> None:
    await desk.hear("mail", "k1", mail("k1"))
    desk.clock.advance(30 * DAY)
    assert len(await desk.send_all("jsonl")) == 1
    (waiting,) = await desk.due("hook")
    await desk.freeze(waiting)
    desk.clock.advance(6 * DAY)
    await tidy(desk)
    assert payloads(desk) == 2
    desk.clock.advance(2 * DAY)
    await tidy(desk)
    assert payloads(desk) == 1, "one is on its way, however old"
    await desk.sent(waiting, destination="hook")
    desk.clock.advance(8 * DAY)
    await tidy(desk)
    assert payloads(desk) == 0


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.DOUBT, DeliveryState.LETTER])
async def test_what_is_not_delivered_keeps_its_original(desk: Desk, state: DeliveryState) -> None:
    await desk.hear("mail", "k1", mail("k1"))
    await desk.send_all("jsonl")
    (due,) = await desk.due("hook")
    await desk.freeze(due)
    await desk.journal.note_outcomes("hook", [desk.outcome(due, state, reason="refused")])
    desk.clock.advance(200 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": True}
    if state is DeliveryState.LETTER:
        await desk.journal.discard_letter(1)
    else:
        await deliver_all(desk)
    desk.clock.advance(2 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": True}, "done only yesterday"
    desk.clock.advance(91 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": False}


async def test_a_letter_keeps_what_it_holds_until_it_is_done(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("k1", mail("k1"), quarantine="cannot be read"))
    desk.clock.advance(400 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": True}
    await desk.journal.replay_letter(1)
    await desk.settle()
    assert desk.reference_of("mail", "k1~digest"), "a letter can be replayed after years"
    await deliver_all(desk)
    desk.clock.advance(2 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": True}
    desk.clock.advance(95 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"k1": False}


async def test_what_nobody_files_goes_too(desk: Desk) -> None:
    await desk.hear("mail", "praise", mail("praise", text=PRAISE))
    await desk.accept("mail", desk.raw("seen", mail("seen"), baseline=True))
    await desk.accept("mail", desk.raw("unread", mail("unread")))
    desk.clock.advance(91 * DAY)
    await tidy(desk)
    assert bodies(desk) == {"praise": False, "seen": False, "unread": True}


async def test_for_ever_is_for_ever(desk: Desk) -> None:
    await desk.hear("mail", "k1", mail("k1"))
    await deliver_all(desk)
    desk.clock.advance(4000 * DAY)
    await tidy(desk, Keep(originals=None, payloads=None))
    assert bodies(desk) == {"k1": True}
    assert payloads(desk) == 2
    await tidy(desk, Keep(originals=None, payloads=86_400.0))
    assert payloads(desk) == 0


async def test_many_rows_go_in_small_steps_and_are_counted(desk: Desk) -> None:
    large = said("很长" * 60_000)
    await desk.accept("review", *(desk.raw(f"k{n}") for n in range(250)))
    await desk.accept("review", *(desk.raw(f"large{n}", replace_text(large, n)) for n in range(3)))
    for taken in await desk.take():
        whole = await desk.journal.raw(taken.id)
        assert whole is not None
        await desk.join([desk.reading(whole)])
    await deliver_all(desk)
    desk.clock.advance(91 * DAY)
    steps = 0
    while await desk.journal.upkeep.expire(ORIGINALS, KEEP):
        steps += 1
    assert 3 <= steps <= 10
    assert not any(bodies(desk).values())
    await desk.journal.upkeep.note_done(ORIGINALS)
    kept = {one.name: one for one in await desk.journal.upkeep.standing()}
    assert (kept[ORIGINALS].erased, kept[ORIGINALS].waiting) == (253, 0)
    assert kept[ORIGINALS].at == desk.clock.now()
    assert kept[PAYLOADS].at is None


def replace_text(message: Message, number: int) -> Message:
    return said(f"{number} {message.text}")


async def sweep(desk: Desk) -> int:
    return sum([await desk.journal.upkeep.sweep(shelf) for shelf in await desk.journal.upkeep.shelves()])


def age(desk: Desk, days: float = 2) -> None:
    for path in desk.blobs():
        os.utime(path, (0, path.stat().st_mtime - days * 86_400))


async def test_files_go_when_they_are_a_day_old_and_unnamed(desk: Desk) -> None:
    await desk.accept("review", desk.raw("large", said("很长" * 60_000)))
    (shelf,) = await desk.journal.upkeep.shelves()
    stray, half = shelf / f"{shelf.name}{'0' * 62}", shelf / ".half.1a2b"
    stray.write_bytes(b"nobody names it")
    half.write_bytes(b"half")
    assert await sweep(desk) == 0, "whoever wrote them may be about to name them"
    age(desk)
    assert await sweep(desk) == 2
    assert len(desk.blobs()) == 1
    await desk.journal.upkeep.note_done(FILES, 2)
    assert [one.erased for one in await desk.journal.upkeep.standing() if one.name == FILES] == [2]


async def test_a_file_outlives_its_row_by_no_more_than_a_day(desk: Desk) -> None:
    await desk.accept("review", desk.raw("large", said("很长" * 60_000)))
    (stored,) = await desk.take()
    whole = await desk.journal.raw(stored.id)
    assert whole is not None
    await desk.join([desk.reading(whole)])
    await deliver_all(desk)
    age(desk)
    desk.clock.advance(91 * DAY)
    await tidy(desk)
    assert len(desk.blobs()) == 1
    with held(desk.folder), pytest.raises(HeldByBackup):
        await sweep(desk)
    assert await sweep(desk) == 1
    again = await desk.accept("review", desk.raw("other", said("很长" * 60_000)))
    assert again[0].is_new
    assert len(desk.blobs()) == 1, "written anew"


async def test_fetched_files_go_with_the_original(desk: Desk) -> None:
    ref = Ref(locator={"media": "m1"})
    attachments: dict[str, Any] = {"attachments": (Attachment(name="碎屏.jpg", ref=ref),)}
    await desk.accept("chat", desk.raw("k1", said("屏幕碎了", "wm-li", thread="c1", **attachments)))
    await desk.read_waiting()
    (due,) = await desk.journal.fetches.due(desk.clock.now(), ["chat"], 3, 10)
    await desk.journal.fetches.keep(due.id, Media(content=b"jpeg" * 100, media_type="image/jpeg"))
    await desk.settle()
    await deliver_all(desk)
    reference = desk.reference_of("chat", "k1")
    (file,) = (await desk.file(reference)).record.attachments or (await desk.file(reference)).messages[
        0
    ].message.attachments
    assert await desk.journal.fetches.content(reference, file.sha256) is not None
    age(desk)
    desk.clock.advance(91 * DAY)
    await tidy(desk)
    assert await desk.journal.fetches.content(reference, file.sha256) is None
    assert await sweep(desk) == 1


async def test_accepting_goes_on_between_the_steps(desk: Desk) -> None:
    await desk.accept("review", *(desk.raw(f"k{n}") for n in range(300)))
    await desk.settle()
    await deliver_all(desk)
    desk.clock.advance(91 * DAY)
    while await desk.journal.upkeep.expire(ORIGINALS, KEEP):
        before = desk.rows("SELECT count(*) FROM raws")[0][0]
        assert (await desk.accept("review", desk.raw(f"new{before}")))[0].is_new
    assert all(kept for key, kept in bodies(desk).items() if key.startswith("new"))
