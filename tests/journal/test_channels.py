"""What is kept per channel: state, counts, tokens, and its name."""

from __future__ import annotations

import pytest

from allears.journal.records import LetterKind
from allears_sdk.connector import Gap, Missing
from tests.journal.desk import REVIEW, Desk, mail, said


async def test_state_and_since_of_a_channel(desk: Desk) -> None:
    start = desk.clock.now()
    await desk.journal.note_channel("mail", connector="email", state="running", success=True)
    desk.clock.advance(60)
    await desk.journal.note_channel("mail", connector="email", state="running")
    (row,) = await desk.journal.channels()
    assert (row.state, row.since, row.last_success_at) == ("running", start, start)
    await desk.journal.note_channel("mail", connector="email", state="failing", reason="密码错误")
    (row,) = await desk.journal.channels()
    assert (row.state, row.reason, row.since, row.last_success_at) == ("failing", "密码错误", desk.clock.now(), start)


async def test_what_waits_is_counted(desk: Desk) -> None:
    start = desk.clock.now()
    await desk.accept("mail", desk.raw("1"), desk.raw("2"))
    desk.clock.advance(60)
    await desk.accept("mail", desk.raw("3"))
    (row,) = await desk.journal.channels()
    assert (row.waiting, row.oldest_waiting_at, row.last_item_at) == (3, start, desk.clock.now())
    assert await desk.journal.oldest_waiting() == start
    await desk.read_waiting()
    assert await desk.journal.oldest_waiting() is None


async def test_a_rename_moves_everything(desk: Desk) -> None:
    at = desk.clock.now()
    missing = Missing(key="19", reason="the server fails on it")
    gap = Gap(since=None, until=at, reason="too old")
    cursor = {"version": 1, "uid": 7}
    reference = await desk.hear("mail", "1", mail("1"))
    await desk.accept("mail", stream="INBOX", cursor=cursor, missing=[missing], gaps=[gap])
    await desk.accept("mail", desk.raw("bad", quarantine="too large"))
    await desk.journal.put_token("channel:mail", "access", b"secret")
    before = (await desk.journal.channels())[0]

    await desk.journal.rename_channel("mail", "客服邮箱")
    (row,) = await desk.journal.channels()
    assert (row.name, row.seen, row.stored, row.quarantined) == ("客服邮箱", before.seen, before.stored, 1)
    assert await desk.journal.cursor("客服邮箱", "INBOX") == cursor
    assert await desk.journal.cursor("mail", "INBOX") is None
    assert await desk.journal.known("客服邮箱", ["1", "bad"]) == {"1", "bad"}
    assert await desk.journal.known("mail", ["1"]) == frozenset()
    assert await desk.journal.token("channel:客服邮箱", "access") == b"secret"
    assert await desk.journal.token("channel:mail", "access") is None
    assert {letter.place for letter in await desk.letters()} == {"客服邮箱"}
    (listed,), _ = await desk.journal.complaints(channel="客服邮箱")
    assert listed.id == reference
    assert await desk.due()


async def test_after_a_rename_conversations_go_on(desk: Desk) -> None:
    policies = {"客服": REVIEW}
    reference = await desk.hear("review", "r-1", said("很差", external_id="r-1"))
    await desk.journal.rename_channel("review", "客服")
    await desk.accept("客服", desk.raw("c-1", said("还是很差", thread="r-1", external_id="c-1")))
    await desk.join([desk.reading(stored) for stored in await desk.take("客服")], policies)
    assert desk.reference_of("客服", "c-1") == reference


async def test_a_reference_that_was_told_survives_a_rename(desk: Desk) -> None:
    """Stored under the old name with its number in the answer, read under the new one."""
    (accepted,) = await desk.accept("review", desk.raw("form-1", thread="form-1"))
    await desk.journal.rename_channel("review", "门店")
    (again,) = await desk.accept("门店", desk.raw("form-1", thread="form-1"))
    assert again.reference == accepted.reference
    await desk.join([desk.reading(stored) for stored in await desk.take("门店")], {"门店": REVIEW})
    assert desk.reference_of("门店", "form-1") == accepted.reference


async def test_trouble_of_a_renamed_channel_opens_the_letter_it_has(desk: Desk) -> None:
    missing = Missing(key="19", reason="the server fails on it")
    gap = Gap(since=None, until=desk.clock.now(), reason="too old")
    await desk.accept("mail", desk.raw("1"), missing=[missing], gaps=[gap], stream="INBOX")
    await desk.journal.rename_channel("mail", "new:mail")
    await desk.accept("new:mail", missing=[missing], gaps=[gap], stream="INBOX")
    assert sorted(letter.kind for letter in await desk.letters("")) == [LetterKind.GAP, LetterKind.MISSING]


async def test_a_taken_or_unknown_name_is_refused_and_nothing_moves(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1"))
    await desk.accept("review", desk.raw("1"))
    with pytest.raises(ValueError, match='holds a channel "review"'):
        await desk.journal.rename_channel("mail", "review")
    with pytest.raises(ValueError, match='no channel "gone"'):
        await desk.journal.rename_channel("gone", "new")
    assert [row.name for row in await desk.journal.channels()] == ["mail", "review"]


async def test_tokens_are_bytes_by_space_and_name(desk: Desk) -> None:
    assert await desk.journal.token("account:wx", "access") is None
    await desk.journal.put_token("account:wx", "access", b"\x00\xff")
    await desk.journal.put_token("account:wx", "access", b"newer")
    await desk.journal.put_token("account:wx", "refresh", b"r")
    await desk.reopen()
    assert await desk.journal.token("account:wx", "access") == b"newer"
    assert await desk.journal.token("other", "access") is None
    for _ in range(2):  # what is not there is deleted too
        await desk.journal.delete_token("account:wx", "access")
    assert await desk.journal.token("account:wx", "access") is None
    assert await desk.journal.token("account:wx", "refresh") == b"r"


async def test_letters_are_listed_newest_first_in_pages(desk: Desk) -> None:
    await desk.accept("mail", missing=[Missing(key=f"{number}", reason=f"no {number}") for number in range(5)])
    first = await desk.journal.letters(limit=2)
    assert [letter.reason for letter in first] == ["no 4", "no 3"]
    assert [letter.reason for letter in await desk.journal.letters(limit=9, before=first[-1].id)] == [
        "no 2",
        "no 1",
        "no 0",
    ]
    await desk.journal.discard_letter(first[0].id)
    assert len(await desk.letters()) == 4
    assert [letter.id for letter in await desk.letters("discarded")] == [first[0].id]
    assert len(await desk.letters("")) == 5
    assert await desk.journal.letter(first[0].id) is not None
    assert await desk.journal.letter(999) is None
    for step in (desk.journal.replay_letter, desk.journal.discard_letter):
        with pytest.raises(ValueError, match="no letter 999"):
            await step(999)


async def test_ready_means_a_write_would_work(desk: Desk) -> None:
    await desk.journal.ready()
    assert await desk.journal.size_bytes() > 0
