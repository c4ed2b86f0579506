"""Deliveries on their lines: order, turns, doubt, letters, and tickets that are gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from allears.journal.errors import JournalUnavailable
from allears.journal.records import DeliveryState, DueDelivery, LetterKind
from allears_sdk.sink import Ticket
from tests.journal.desk import AMY, REVIEW, Desk, mail, said

SENT, PENDING, DOUBT, LETTER = DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.DOUBT, DeliveryState.LETTER


async def complain(desk: Desk, times: int = 1) -> str:
    """One complaint of so many messages; its reference."""
    await desk.hear("mail", "0", mail("0"))
    for number in range(1, times):
        await desk.hear("mail", f"{number}", mail(f"{number}", subject="Re: 屏幕碎了", thread=("0",)))
    return desk.reference_of("mail", "0~digest")


async def note(desk: Desk, due: DueDelivery, state: DeliveryState, **facts: object) -> None:
    await desk.journal.note_outcomes("jsonl", [desk.outcome(due, state, **facts)])


async def states(desk: Desk) -> list[DeliveryState]:
    """Of the deliveries to one destination, oldest first."""
    return [row.state for row in reversed(await desk.journal.deliveries(destination="jsonl"))]


async def test_events_of_a_complaint_go_down_its_line_in_order(desk: Desk) -> None:
    await complain(desk, times=3)
    for sequence in (1, 2, 3):
        (head,) = await desk.due()
        assert head.event.sequence == sequence
        assert (head.ticket is None) is (sequence == 1)
        assert not await desk.due(), "nothing overtakes what is on its way"
        await desk.freeze(head)
        await desk.sent(head)
    assert not await desk.due()
    assert await states(desk) == [SENT] * 3


async def test_every_destination_has_a_line_of_its_own_and_views_have_none(desk: Desk) -> None:
    await complain(desk)
    (jsonl,), (hook,) = await desk.due("jsonl"), await desk.due("hook")
    assert not await desk.due("list")
    assert jsonl.line != hook.line
    assert jsonl.key != hook.key, "two destinations may lie in one store"
    await note(desk, jsonl, LETTER, reason="refused")
    await desk.freeze(hook)
    await desk.sent(hook, destination="hook")
    assert [row.letters for row in await desk.journal.destinations() if row.name == "jsonl"] == [1]


async def test_keys_are_fit_for_any_store_and_stay_the_same(desk: Desk) -> None:
    reference = await complain(desk, times=2)
    (opening,) = await desk.due()
    await desk.reopen()
    (again,) = await desk.due()
    assert again.key == opening.key == opening.ticket_key
    await desk.sent(again)
    (follow_up,) = await desk.due()
    assert follow_up.key != follow_up.ticket_key == opening.key
    for key in (opening.key, follow_up.key):
        assert key.startswith(f"{reference}-")
        assert not set(key) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


async def test_urgent_complaints_go_first(desk: Desk) -> None:
    for number in range(5):
        await desk.hear("review", f"r{number}", said(f"很差 {number}"))
    await desk.hear("mail", "fire", mail("fire", text="充电器着火了"))
    (first,) = await desk.due(limit=1)
    assert first.event.record.priority == "P1"


async def test_a_flood_in_one_channel_delays_no_other(desk: Desk) -> None:
    """However few deliveries may be on their way at once."""
    await desk.accept("a-flood", *[desk.raw(f"{number}") for number in range(10_000)])
    taken = await desk.take("a-flood", limit=10_000)
    await desk.join([desk.reading(stored) for stored in taken], {"a-flood": REVIEW})
    for room in (1, 2, 4):
        await desk.hear("mail", f"{room}", mail(f"{room}"))
        await desk.hear("chat", f"{room}", said("在吗"), thread=f"wm-{room}")
        seen: list[str] = []
        for _ in range(4):
            due = await desk.due(limit=room)
            seen += [one.event.record.title[:2] for one in due]
            await desk.freeze(*due)
            await desk.sent(*due)
        assert {"屏幕", "在吗"} <= set(seen), f"room for {room}"


async def test_a_delivery_is_given_to_one_courier(desk: Desk) -> None:
    for number in range(30):
        await desk.accept("review", desk.raw(f"{number}"))
    await desk.read_waiting()
    batches = await asyncio.gather(*(desk.due(limit=10) for _ in range(4)))
    ids = [one.id for batch in batches for one in batch]
    assert len(ids) == len(set(ids)) == 30
    assert await desk.journal.next_delivery("jsonl") is None
    await desk.journal.release_deliveries("jsonl", ids[:1])
    assert [one.id for one in await desk.due()] == ids[:1]


async def test_pending_again_waits_until_its_time_and_holds_its_line(desk: Desk) -> None:
    await complain(desk, times=2)
    (head,) = await desk.due()
    await desk.freeze(head)
    at = desk.clock.now() + timedelta(seconds=90)
    await note(desk, head, PENDING, at=at, reason="429")
    assert not await desk.due()
    assert await desk.journal.next_delivery("jsonl") == at
    desk.clock.advance(90)
    (again,) = await desk.due()
    assert (again.id, again.payload, again.attempts) == (head.id, head.event.id.encode(), 1)


async def test_what_was_on_its_way_when_the_process_died_is_in_doubt_no_sooner_than_its_time(desk: Desk) -> None:
    await complain(desk, times=2)
    (head,) = await desk.due()
    await desk.freeze(head, wait_seconds=60)
    await desk.reopen()
    assert await desk.journal.recover() == 1
    assert not await desk.due()
    desk.clock.advance(89)
    assert not await desk.due(), "deadline 30 s, wait 60 s: the dead process's request may still run"
    desk.clock.advance(1)
    (again,) = await desk.due()
    assert (again.id, again.state, again.payload) == (head.id, DOUBT, head.event.id.encode())
    assert await desk.journal.recover() == 0


async def test_a_lost_claim_is_in_doubt_in_a_live_process_too(desk: Desk) -> None:
    """Frozen, perhaps sent, and its outcome could not be written down (disk full, courier replaced)."""
    await complain(desk)
    (head,) = await desk.due()
    await desk.freeze(head, wait_seconds=60)
    desk.clock.advance(200)
    assert not await desk.due(), "its courier still holds it"
    await desk.journal.release_deliveries("jsonl", [head.id])
    (again,) = await desk.due()
    assert (again.id, again.state, again.payload) == (head.id, DOUBT, head.event.id.encode())


async def test_a_lost_claim_waits_for_its_time(desk: Desk) -> None:
    await complain(desk)
    (head,) = await desk.due()
    await desk.freeze(head, wait_seconds=60)
    await desk.journal.release_deliveries("jsonl", [head.id])
    assert not await desk.due()
    assert await desk.journal.next_delivery("jsonl") == desk.clock.now() + timedelta(seconds=90)


async def test_doubt_counts_its_look_ups(desk: Desk) -> None:
    await complain(desk)
    (head,) = await desk.due()
    await desk.freeze(head)
    await note(desk, head, DOUBT, reason="no answer")
    (again,) = await desk.due()
    assert (again.state, again.lookups, again.attempts) == (DOUBT, 0, 1)
    await note(desk, again, DOUBT, reason="not found yet", lookups=1, attempted=False)
    (again,) = await desk.due()
    assert (again.lookups, again.attempts) == (1, 1)


async def test_progress_is_kept_over_a_crash(desk: Desk) -> None:
    await complain(desk)
    (head,) = await desk.due()
    await desk.journal.note_progress(head.id, {"contact": 17, "名": "李雷"})
    await desk.reopen()
    (again,) = await desk.due()
    assert again.progress == {"contact": 17, "名": "李雷"}


async def test_sent_is_for_ever(desk: Desk) -> None:
    """A late outcome of a courier that was given up changes nothing."""
    await complain(desk, times=2)
    (head,) = await desk.due()
    await desk.freeze(head)
    await desk.sent(head)
    for state in (PENDING, DOUBT, LETTER, SENT):
        await note(desk, head, state, reason="late")
    await desk.freeze(head)
    assert (await states(desk))[0] is SENT
    assert not await desk.letters()
    (next_one,) = await desk.due()
    assert next_one.event.sequence == 2
    assert next_one.ticket == Ticket(id=head.key)
    (row,) = [row for row in await desk.journal.destinations() if row.name == "jsonl"]
    assert row.sent == 1


# Letters


async def test_a_letter_holds_its_line_until_it_is_replayed(desk: Desk) -> None:
    reference = await complain(desk, times=2)
    (head,) = await desk.due()
    await note(desk, head, LETTER, reason="field 产品 is unknown", detail="HTTP 422")
    assert not await desk.due()
    (letter,) = await desk.letters()
    assert (letter.kind, letter.place, letter.complaint_id) == (LetterKind.DELIVERY, "jsonl", reference)
    assert (letter.reason, letter.detail) == ("field 产品 is unknown", "HTTP 422")
    await desk.journal.replay_letter(letter.id)
    (again,) = await desk.due()
    assert (again.id, again.state, again.payload, again.attempts) == (head.id, PENDING, b"", 0)
    await note(desk, again, LETTER, reason="again")
    assert [one.id for one in await desk.letters()] == [letter.id], "the same trouble opens the same letter"


async def test_a_letter_in_doubt_is_replayed_with_the_payload_it_had(desk: Desk) -> None:
    await complain(desk)
    (head,) = await desk.due()
    await desk.freeze(head)
    await note(desk, head, LETTER, reason="no answer, ten times", doubtful=True)
    (letter,) = await desk.letters()
    await desk.journal.replay_letter(letter.id)
    (again,) = await desk.due()
    assert again.payload == head.event.id.encode()


async def test_discarding_an_opening_makes_the_next_event_the_opening(desk: Desk) -> None:
    await complain(desk, times=3)
    (opening,) = await desk.due()
    await note(desk, opening, LETTER, reason="refused")
    (letter,) = await desk.letters()
    await desk.journal.discard_letter(letter.id)
    (second,) = await desk.due()
    assert (second.event.sequence, second.ticket, second.key) == (2, None, opening.key)
    await desk.sent(second)
    (third,) = await desk.due()
    assert third.ticket == Ticket(id=opening.key)
    with pytest.raises(ValueError, match="discarded already"):
        await desk.journal.replay_letter(letter.id)


async def test_discarding_the_only_event_lets_a_later_one_open(desk: Desk) -> None:
    await complain(desk)
    (opening,) = await desk.due()
    await note(desk, opening, LETTER, reason="refused")
    (letter,) = await desk.letters()
    await desk.journal.discard_letter(letter.id)
    assert not await desk.due()
    await desk.hear("mail", "1", mail("1", subject="Re: 屏幕碎了", thread=("0",)))
    (second,) = await desk.due()
    assert (second.event.sequence, second.ticket) == (2, None)


async def test_an_event_filed_while_a_letter_holds_the_line_waits_behind_it(desk: Desk) -> None:
    await complain(desk)
    (opening,) = await desk.due()
    await note(desk, opening, LETTER, reason="refused")
    await desk.hear("mail", "1", mail("1", subject="Re: 屏幕碎了", thread=("0",)))
    await desk.reopen()
    assert not await desk.due()


async def test_a_ticket_that_is_gone_is_followed_by_a_linked_one(desk: Desk) -> None:
    await complain(desk, times=3)
    (opening,) = await desk.due()
    await desk.sent(opening)
    (follow_up,) = await desk.due()
    await desk.freeze(follow_up)
    await note(desk, follow_up, PENDING, reopen=True, reason="ticket 17 is gone")
    (again,) = await desk.due()
    assert (again.id, again.ticket, again.payload) == (follow_up.id, None, b"")
    assert again.key not in (opening.key, follow_up.key), "a linked successor never shares a key"
    await desk.sent(again)
    (third,) = await desk.due()
    assert third.ticket == Ticket(id=again.key)
    former = desk.rows("SELECT former FROM lines WHERE destination='jsonl'")
    assert opening.key in former[0][0]


async def test_couriers_are_called_when_something_was_filed(desk: Desk) -> None:
    bell = desk.journal.bells.deliveries("jsonl")
    bell.clear()
    await complain(desk)
    assert bell.is_set()


async def test_an_outcome_that_cannot_be_written_gives_its_lease_back(desk: Desk) -> None:
    await complain(desk)
    (head,) = await desk.due()
    await desk.freeze(head, wait_seconds=0)
    await desk.close()
    with pytest.raises(JournalUnavailable):
        await desk.sent(head)
    desk.journal = (await Desk.open(desk.folder, desk.clock)).journal
    desk.clock.advance(30)
    (again,) = await desk.due()
    assert again.state is DOUBT


# After a restore


async def test_what_was_said_before_the_journal_was_born_is_looked_up_first(desk: Desk) -> None:
    born = desk.clock.now()
    await desk.hear("mail", "old", mail("old", AMY, posted_at=born - timedelta(days=2)))
    await desk.hear("mail", "new", mail("new", posted_at=born))
    assert {one.event.messages[0]: one.state for one in await desk.due()} == {
        "old~digest": DOUBT,
        "new~digest": PENDING,
    }


async def test_outcomes_of_many_lines_are_noted_together_each_by_itself(desk: Desk) -> None:
    for number in range(70):
        await desk.hear("mail", f"{number}", mail(f"{number}"))
        await desk.accept(
            "mail", desk.raw(f"{number}+", mail(f"{number}+", subject="Re: 屏幕碎了", thread=(f"{number}",)))
        )
    await desk.settle()
    due = await desk.due()
    assert len(due) == 70
    await desk.freeze(*due)
    ends = [PENDING, DOUBT, LETTER, *[SENT] * 67]
    await desk.journal.note_outcomes("jsonl", [desk.outcome(one, end) for one, end in zip(due, ends, strict=True)])
    rows = {row.id: row for row in await desk.journal.deliveries(destination="jsonl", limit=1000)}
    assert [rows[one.id].state for one in due] == ends
    assert [rows[one.id].ticket_id for one in due] == ["", "", "", *[one.key for one in due[3:]]]
    heads = {one.line: one.event.sequence for one in await desk.due()}
    assert heads == {due[0].line: 1, due[1].line: 1} | {one.line: 2 for one in due[3:]}
    (counts,) = [row for row in await desk.journal.destinations() if row.name == "jsonl"]
    assert (counts.sent, counts.letters, counts.doubt) == (67, 1, 1)


async def test_a_late_answer_among_others_changes_nothing(desk: Desk) -> None:
    for number in range(3):
        await desk.hear("mail", f"{number}", mail(f"{number}"))
    first, *others = await desk.due()
    await desk.freeze(first, *others)
    await note(desk, first, LETTER, reason="refused")
    await desk.sent(first, *others)
    assert sorted(await states(desk)) == sorted([LETTER, SENT, SENT])
    (counts,) = [row for row in await desk.journal.destinations() if row.name == "jsonl"]
    assert counts.sent == 2
