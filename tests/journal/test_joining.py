"""Parsing and joining: leases, turns, attempts, and one bad reading beside good ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from allears.journal.records import LetterKind, Route
from allears_sdk.complaint import Complaint, EventKind
from allears_sdk.message import Author, Kind, Message, Role
from tests.journal.desk import AMY, CHAT, POLICIES, PRAISE, REVIEW, Desk, draft, mail, router, said


async def test_a_raw_is_given_to_one_taker(desk: Desk) -> None:
    await desk.accept("mail", *[desk.raw(f"{number}") for number in range(40)])
    taken = await asyncio.gather(*(desk.take(limit=10) for _ in range(6)))
    ids = [stored.id for batch in taken for stored in batch]
    assert len(ids) == len(set(ids)) == 40


async def test_what_is_released_or_was_leased_before_a_crash_is_taken_again(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1"), desk.raw("2"))
    first, second = await desk.take()
    assert not await desk.take()
    await desk.journal.release_raws([first.id])
    assert [stored.id for stored in await desk.take()] == [first.id]
    await desk.reopen()
    assert [stored.id for stored in await desk.take()] == [first.id, second.id]


async def test_only_channels_that_can_be_read_are_taken(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1"))
    await desk.accept("gone", desk.raw("1"))
    assert [stored.channel for stored in await desk.take("mail", "chat")] == ["mail"]
    assert await desk.journal.oldest_waiting() == desk.clock.now()


async def test_a_flood_in_one_channel_delays_no_other(desk: Desk) -> None:
    channels = [f"shop-{number:02}" for number in range(12)]
    for channel in channels:
        await desk.accept(channel, *[desk.raw(f"{number}") for number in range(100)])
    seen: set[str] = set()
    for _ in range(4):
        taken = await desk.take(*channels, limit=5)
        seen.update(stored.channel for stored in taken)
        await desk.join([desk.reading(stored) for stored in taken], dict.fromkeys(channels, REVIEW))
    assert seen == set(channels), "fewer places than channels: each still gets its turn"


async def test_large_mails_in_one_channel_delay_no_other(desk: Desk) -> None:
    large = b"x" * 60_000
    await desk.accept("mail", *[desk.raw(f"{number}", body=large) for number in range(30)])
    await desk.accept("review", desk.raw("small"))
    taken = [stored for _ in range(2) for stored in await desk.take(limit=48, max_bytes=200_000)]
    assert "review" in {stored.channel for stored in taken}


async def test_bytes_are_counted_but_one_raw_always_fits(desk: Desk) -> None:
    await desk.accept("mail", *[desk.raw(f"{number}", body=b"x" * 50_000) for number in range(4)])
    assert len(await desk.take(max_bytes=120_000)) == 2
    assert len(await desk.take(max_bytes=10)) == 1


async def test_joining_twice_files_once(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1", mail("1")))
    (stored,) = await desk.take()
    reading = desk.reading(stored)
    await asyncio.gather(desk.join([reading]), desk.join([reading]), desk.join([reading, reading]))
    assert len(await desk.due()) == 1
    assert await desk.events(desk.reference_of("mail", "1~digest")) == [("1~digest",)]


async def test_the_third_failure_is_a_letter(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("poison"), desk.raw("good", mail("good")))
    poison, _ = await desk.take()
    for attempt in (1, 2, 3):
        await desk.journal.fail_raws([poison.id], "worker died")
        await desk.journal.release_raws([poison.id])
        again = [stored.attempts for stored in await desk.take() if stored.id == poison.id]
        assert again == ([] if attempt == 3 else [attempt])
    (letter,) = await desk.letters()
    assert (letter.kind, letter.raw_id, letter.reason) == (LetterKind.RAW, poison.id, "worker died")
    await desk.journal.replay_letter(letter.id)
    await desk.settle()
    assert desk.reference_of("mail", "poison")
    with pytest.raises(ValueError, match="replayed already"):
        await desk.journal.replay_letter(letter.id)


async def test_quarantine_at_once_and_discard(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("poison"))
    (stored,) = await desk.take()
    await desk.journal.fail_raws([stored.id], "no MIME at all", quarantine=True)
    (letter,) = await desk.letters()
    await desk.journal.discard_letter(letter.id)
    await desk.reopen()
    assert not await desk.take()
    kept = await desk.journal.raw(stored.id)
    assert kept is not None, "discarded is out of the way, not thrown away"
    assert kept.raw.body == stored.raw.body


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(mail("bad", posted_at=datetime(2026, 11, 22)), id="naive time"),  # noqa: DTZ001 to be refused
        pytest.param(mail("bad", text="投诉 \ud83d"), id="half an emoji"),
        pytest.param(replace(mail("bad"), external_id="\udce5"), id="half an id"),
    ],
)
async def test_one_bad_reading_harms_no_other(desk: Desk, bad: Message) -> None:
    await desk.accept("mail", desk.raw("1", mail("1")), desk.raw("bad"), desk.raw("2", mail("2")))
    for _ in range(3):
        readings = [desk.reading(stored, *([bad] if stored.raw.key == "bad" else [])) for stored in await desk.take()]
        await desk.join(readings)
    assert desk.reference_of("mail", "1~digest") != desk.reference_of("mail", "2~digest")
    (letter,) = await desk.letters()
    bad_raw = await desk.journal.raw(letter.raw_id or 0)
    assert bad_raw is not None
    assert bad_raw.raw.key == "bad"
    assert not await desk.take()
    assert desk.rows("SELECT count(*) FROM conversations") == [(2,)], "the bad one left no half of itself"


async def test_a_channel_that_vanished_meanwhile_keeps_its_raw(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1", mail("1")))
    await desk.accept("review", desk.raw("2"))
    readings = [desk.reading(stored) for stored in await desk.take()]
    await desk.join(readings, {"mail": POLICIES["mail"]})
    assert desk.reference_of("mail", "1~digest")
    assert await desk.journal.oldest_waiting() is not None


async def test_several_messages_of_one_raw_are_joined_together(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("page", thread=""))
    (stored,) = await desk.take()
    words = [said(f"第{number}句", thread="wm-li") for number in range(3)]
    await desk.join([desk.reading(stored, *words)])
    await desk.settle()
    reference = desk.reference_of("chat", "page")
    assert await desk.events(reference) == [("page", "page#1", "page#2")]


async def test_a_known_message_changes_nothing(desk: Desk) -> None:
    reference = await desk.hear("mail", "uid-1", mail("1"))
    version = desk.rows("SELECT version FROM conversations")
    assert await desk.hear("mail", "other-folder/uid-9", mail("1")) == reference
    assert desk.rows("SELECT version FROM conversations") == version
    assert await desk.events(reference) == [("1~digest",)]


async def test_the_same_message_id_with_other_words_is_another_message(desk: Desk) -> None:
    await desk.hear("mail", "1", mail("1"))
    forged = replace(mail("1", AMY, text="other words"), external_id="1~other")
    await desk.hear("mail", "2", forged)
    assert desk.reference_of("mail", "1~digest") != desk.reference_of("mail", "1~other")


# Filing


async def test_the_first_message_is_filed_as_it_is_joined(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1", mail("1")))
    await desk.read_waiting()
    (due,) = await desk.due()
    assert due.event.kind is EventKind.OPENED
    assert due.event.record.id == due.event.complaint_id == desk.reference_of("mail", "1~digest")
    assert await desk.journal.next_due() is None


async def test_a_follow_up_is_derived_from_the_whole_conversation(desk: Desk) -> None:
    reference = await desk.hear("mail", "1", mail("1", text="屏幕碎了"))
    desk.clock.advance(60)
    await desk.hear("mail", "2", mail("2", subject="回复：屏幕碎了", thread=("1",), text="还没有人回我"))
    _, event = (await desk.file(reference)).events
    assert (event.kind, event.sequence, event.messages) == (EventKind.FOLLOWED_UP, 2, ("2~digest",))
    assert event.record.description == "屏幕碎了\n还没有人回我"
    assert event.changes["description"] == ("屏幕碎了", "屏幕碎了\n还没有人回我")


async def test_a_conversation_that_moved_on_is_not_filed_as_it_was(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("1", said("屏幕碎了"), thread="wm-li"))
    await desk.read_waiting()
    desk.clock.advance(20)
    (due,) = await desk.journal.due_conversations(desk.clock.now(), 10)
    await desk.accept("chat", desk.raw("2", said("要求退款"), thread="wm-li"))
    await desk.read_waiting()
    assert not await desk.journal.file(due, draft(due.messages, due.reference), router, settles=True)
    await desk.settle()
    assert await desk.events(desk.reference_of("chat", "1")) == [("1", "2")]


async def test_a_burst_settles_into_one_event_but_not_for_ever(desk: Desk) -> None:
    for number in range(20):
        await desk.accept("chat", desk.raw(f"{number}", said(f"第{number}句"), thread="wm-li"))
        await desk.read_waiting()
        desk.clock.advance(10)
        assert await desk.file_due() == (number == 11), "each pause is too short, two minutes are enough"
        await desk.journal.release_conversations([])
    await desk.settle()
    assert [len(one) for one in await desk.events(desk.reference_of("chat", "0"))] == [12, 8]


async def test_thanks_are_kept_and_filed_when_a_complaint_follows(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1", mail("1", text=PRAISE)))
    await desk.settle()
    assert not await desk.due()
    await desk.hear("mail", "2", mail("2", subject="Re: 屏幕碎了", thread=("1",), text="it broke again"))
    assert [one for event in await desk.events(desk.reference_of("mail", "2~digest")) for one in event] == [
        "1~digest",
        "2~digest",
    ]


async def test_company_words_are_context_and_no_event(desk: Desk) -> None:
    reference = await desk.hear("mail", "1", mail("1", participants=("help@shop.cn",)))
    agent = replace(
        mail("2", thread=("1",), subject="Re: 屏幕碎了"), author=Author(id="help@shop.cn", role=Role.COMPANY)
    )
    await desk.accept("mail", desk.raw("2", agent))
    await desk.settle()
    assert await desk.events(reference) == [("1~digest",)]
    await desk.hear("mail", "3", mail("3", thread=("2", "1"), subject="Re: 屏幕碎了"))
    assert await desk.events(reference) == [("1~digest",), ("2~digest", "3~digest")]


async def test_an_edit_and_a_withdrawal_are_events_of_the_same_complaint(desk: Desk) -> None:
    review = Message(external_id="r-1", text="很差", author=Author(id="wang"))
    reference = await desk.hear("review", "r-1", review, digest="1")
    for number, (kind, text) in enumerate(
        [(Kind.EDITED, "还行"), (Kind.EDITED, "很差"), (Kind.WITHDRAWN, "")], start=2
    ):
        desk.clock.advance(60)
        assert await desk.hear("review", "r-1", replace(review, kind=kind, text=text), digest=f"{number}") == reference
    kinds = [event.kind for event in (await desk.file(reference)).events]
    assert kinds == [EventKind.OPENED, EventKind.EDITED, EventKind.EDITED, EventKind.WITHDRAWN]


async def test_deriving_that_fails_three_times_is_a_letter_whose_replay_derives_again(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("1", said("屏幕碎了"), thread="wm-li"))
    await desk.read_waiting()
    for _ in range(3):
        desk.clock.advance(60)
        (due,) = await desk.journal.due_conversations(desk.clock.now(), 10)
        await desk.journal.fail_conversation(due, "IndexError: a bug")
    assert await desk.journal.next_due() is None
    (letter,) = await desk.letters()
    assert letter.complaint_id == due.reference
    await desk.journal.replay_letter(letter.id)
    await desk.settle()
    assert await desk.events(due.reference) == [("1",)]


async def test_what_the_router_refuses_is_given_to_nobody_before_the_failure_is_noted(desk: Desk) -> None:
    def refuse(record: Complaint) -> Route:
        raise LookupError(f"no team for {record.id}")

    await desk.accept("chat", desk.raw("1", said("屏幕碎了"), thread="wm-li"))
    await desk.read_waiting()
    desk.clock.advance(60)
    (due,) = await desk.journal.due_conversations(desk.clock.now(), 10)
    with pytest.raises(LookupError):
        await desk.journal.file(due, draft(due.messages, due.reference), refuse, settles=True)
    assert not await desk.journal.due_conversations(desk.clock.now(), 10)
    await desk.journal.fail_conversation(due, "LookupError: no team")
    desk.clock.advance(60)
    assert [one.id for one in await desk.journal.due_conversations(desk.clock.now(), 10)] == [due.id]


async def test_discarding_such_a_letter_leaves_the_conversation_as_it_is(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("1", said("屏幕碎了"), thread="wm-li"))
    await desk.read_waiting()
    for _ in range(3):
        desk.clock.advance(60)
        (due,) = await desk.journal.due_conversations(desk.clock.now(), 10)
        await desk.journal.fail_conversation(due, "IndexError: a bug")
    (letter,) = await desk.letters()
    await desk.journal.discard_letter(letter.id)
    await desk.accept("chat", desk.raw("2", said("在吗"), thread="wm-li"))
    await desk.settle()
    assert await desk.events(due.reference) == [("1", "2")]


async def test_a_flood_of_due_conversations_delays_no_other_channel(desk: Desk) -> None:
    policies = {"a-flood": CHAT, "chat": CHAT}
    flood = [desk.raw(f"{number}", thread=f"wm-{number}") for number in range(300)]
    await desk.accept("a-flood", *flood)
    desk.clock.advance(1)
    await desk.accept("chat", desk.raw("1", said("耳机坏了"), thread="wm-li"))
    await desk.join([desk.reading(stored) for stored in await desk.take("a-flood", "chat")], policies)
    desk.clock.advance(60)
    due = await desk.journal.due_conversations(desk.clock.now(), 48)
    assert "chat" in {one.channel for one in due}


async def test_conversations_are_leased_like_raws(desk: Desk) -> None:
    flood = [desk.raw(f"{number}", said("没有声音"), thread=f"wm-{number}") for number in range(30)]
    await desk.accept("chat", *flood)
    await desk.read_waiting()
    desk.clock.advance(60)
    now = desk.clock.now()
    batches = await asyncio.gather(*(desk.journal.due_conversations(now, 10) for _ in range(4)))
    ids = [one.id for batch in batches for one in batch]
    assert len(ids) == len(set(ids)) == 30
    assert await desk.journal.next_due() is None
    await desk.journal.release_conversations(ids[:1])
    assert [one.id for one in await desk.journal.due_conversations(now, 10)] == ids[:1]


async def test_a_timer_survives_a_restart(tmp_path: Path) -> None:
    desk = await Desk.open(tmp_path / "data")
    await desk.accept("chat", desk.raw("1", said("屏幕碎了"), thread="wm-li"))
    await desk.read_waiting()
    due_at = await desk.journal.next_due()
    await desk.reopen()
    assert await desk.journal.next_due() == due_at
    await desk.settle()
    assert await desk.events(desk.reference_of("chat", "1")) == [("1",)]
    await desk.close()
