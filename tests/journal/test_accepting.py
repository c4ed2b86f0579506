"""Accepting: once, whole batches, and what comes with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allears.journal.records import LetterKind
from allears_sdk.connector import Gap, Missing
from tests.journal.desk import LI, Desk, body_file, mail, said


def counts(desk: Desk, channel: str) -> tuple[int, ...]:
    query = "SELECT seen, stored, duplicate, quarantined FROM channels WHERE name=?"
    (row,) = desk.rows(query, channel)
    return tuple(row)


async def test_a_redelivery_stores_nothing(desk: Desk) -> None:
    first = await desk.accept("mail", desk.raw("17"), desk.raw("18"), cursor={"version": 1, "uid": 18})
    again = await desk.accept("mail", desk.raw("18"), desk.raw("19"), desk.raw("19"))
    assert [one.is_new for one in first] == [True, True]
    assert [(one.key, one.is_new) for one in again] == [("18", False), ("19", True), ("19", False)]
    assert [stored.raw.key for stored in await desk.take()] == ["17", "18", "19"]
    assert counts(desk, "mail") == (5, 3, 2, 0)


async def test_the_same_key_in_two_channels_is_two_raws(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1"))
    (other,) = await desk.accept("review", desk.raw("1"))
    assert other.is_new


async def test_a_changed_digest_is_a_revision_and_a_return_to_the_first_is_one_more(desk: Desk) -> None:
    for stars, is_new in (("1", True), ("1", False), ("5", True), ("5", False), ("1", True), ("1", False)):
        (accepted,) = await desk.accept("review", desk.raw("r-1", said(f"{stars}星"), digest=stars))
        assert accepted.is_new is is_new
    kept = await desk.take()
    assert [(stored.raw.ordinal, stored.raw.digest) for stored in kept] == [(1, "1"), (2, "5"), (3, "1")]


async def test_without_a_digest_a_known_key_is_never_new(desk: Desk) -> None:
    await desk.accept("review", desk.raw("r-1", digest="5"))
    (accepted,) = await desk.accept("review", desk.raw("r-1", said("别的话")))
    assert not accepted.is_new


async def test_the_body_comes_back_byte_for_byte(desk: Desk) -> None:
    body = "投诉：屏幕碎了😡".encode("gb18030") + bytes(range(256))
    raw = desk.raw("gbk", body=body, media_type="message/rfc822", context={"folder": "收件箱", "size": 3})
    await desk.accept("mail", raw)
    (stored,) = await desk.take()
    assert stored.raw == raw
    assert await desk.journal.raw(stored.id) == stored


async def test_a_baseline_is_known_but_never_read_and_its_edit_is(desk: Desk) -> None:
    await desk.accept("review", desk.raw("r-1", digest="5", baseline=True))
    assert not await desk.take()
    assert await desk.journal.known("review", ["r-1"]) == {"r-1"}
    await desk.accept("review", desk.raw("r-1", digest="1"))
    (stored,) = await desk.take()
    assert stored.raw.ordinal == 2


async def test_what_cannot_be_read_whole_is_a_letter_at_once(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("big", quarantine="larger than 50 MiB: headers only"))
    assert not await desk.take()
    (letter,) = await desk.letters()
    assert (letter.kind, letter.place, letter.reason) == (LetterKind.RAW, "mail", "larger than 50 MiB: headers only")
    assert counts(desk, "mail") == (1, 1, 0, 1)
    await desk.accept("mail", desk.raw("big", quarantine="larger than 50 MiB: headers only"))
    assert len(await desk.letters()) == 1
    assert counts(desk, "mail") == (2, 1, 1, 1)


async def test_a_cursor_moves_with_its_batch_and_alone(desk: Desk) -> None:
    assert await desk.journal.cursor("mail", "INBOX") is None
    await desk.accept("mail", desk.raw("1"), stream="INBOX", cursor={"version": 1, "uid": 1})
    await desk.accept("mail", stream="投诉", cursor={"version": 1, "uid": 900})
    await desk.accept("mail", desk.raw("2"), stream="INBOX")
    await desk.accept("review", stream="INBOX", cursor={"version": 1, "uid": 5})
    assert await desk.journal.cursor("mail", "INBOX") == {"version": 1, "uid": 1}
    assert await desk.journal.cursor("mail", "投诉") == {"version": 1, "uid": 900}
    assert await desk.journal.cursor("review", "INBOX") == {"version": 1, "uid": 5}


async def test_a_batch_that_cannot_be_stored_leaves_nothing(desk: Desk) -> None:
    await desk.accept("mail", stream="INBOX", cursor={"version": 1, "uid": 1})
    naive = desk.raw("18", received_at=datetime(2026, 11, 22))  # noqa: DTZ001 what must be refused
    with pytest.raises(ValueError, match="naive"):
        await desk.accept("mail", desk.raw("17"), naive, stream="INBOX", cursor={"version": 1, "uid": 18})
    assert await desk.journal.known("mail", ["17", "18"]) == frozenset()
    assert await desk.journal.cursor("mail", "INBOX") == {"version": 1, "uid": 1}


async def test_known_answers_for_many_keys(desk: Desk) -> None:
    keys = [f"投诉-{number}" for number in range(1700)]
    await desk.accept("mail", *[desk.raw(key) for key in keys[::2]])
    assert await desk.journal.known("mail", keys) == set(keys[::2])
    assert await desk.journal.known("review", keys) == frozenset()
    assert await desk.journal.known("mail", []) == frozenset()


async def test_what_the_source_does_not_hand_over_is_a_letter_known_by_its_key(desk: Desk) -> None:
    missing = Missing(key="INBOX/7/19", reason="the server fails on it", locator={"uid": 19})
    await desk.accept("mail", missing=[missing])
    await desk.accept("mail", missing=[missing, replace(missing, key="INBOX/7/20")])
    letters = await desk.letters()
    assert [letter.kind for letter in letters] == [LetterKind.MISSING] * 2
    assert letters[-1].locator == {"uid": 19}
    await desk.journal.discard_letter(letters[-1].id)
    await desk.accept("mail", missing=[missing])
    assert len(await desk.letters()) == 2, "the same trouble again opens the same letter again"
    with pytest.raises(ValueError, match="by hand"):
        await desk.journal.replay_letter(letters[-1].id)


async def test_a_gap_is_a_letter(desk: Desk) -> None:
    until = desk.clock.now()
    gap = Gap(since=until - timedelta(days=3), until=until, reason="the platform keeps three days")
    await desk.accept("chat", gaps=[gap], stream="kf-1")
    await desk.accept("chat", gaps=[gap], stream="kf-1")
    await desk.accept("chat", gaps=[replace(gap, since=None)], stream="kf-2")
    letters = await desk.letters()
    assert [letter.kind for letter in letters] == [LetterKind.GAP] * 2
    assert letters[1].locator["stream"] == "kf-1"


async def test_a_thread_gets_its_reference_with_the_answer_and_again_with_a_redelivery(desk: Desk) -> None:
    (opened,) = await desk.accept("chat", desk.raw("m1", thread="wm-li"))
    (second,) = await desk.accept("chat", desk.raw("m2", thread="wm-li"))
    (again,) = await desk.accept("chat", desk.raw("m1", thread="wm-li"))
    (other,) = await desk.accept("chat", desk.raw("m3", thread="wm-wang"))
    assert opened.reference.startswith("ALE-")
    assert opened.opened
    assert not second.opened
    assert (again.is_new, again.opened) == (False, True), "it is answered word for word like the first time"
    assert opened.reference == second.reference == again.reference != other.reference
    await desk.settle()
    assert desk.reference_of("chat", "m1") == desk.reference_of("chat", "m2") == opened.reference
    (late,) = await desk.accept("chat", desk.raw("m2", thread="wm-li"))
    assert (late.is_new, late.reference, late.opened) == (False, opened.reference, False)


async def test_the_first_message_with_a_thread_opens_a_chat_that_a_greeting_began(desk: Desk) -> None:
    """The greeting is not answered with a reference; what comes after it is."""
    (greeting,) = await desk.accept("chat", desk.raw("m1", said("你好", thread="wm-li")))
    await desk.read_waiting()
    (first,) = await desk.accept("chat", desk.raw("m2", said("屏幕碎了", thread="wm-li"), thread="wm-li"))
    (second,) = await desk.accept("chat", desk.raw("m3", said("要求退款", thread="wm-li"), thread="wm-li"))
    assert [one.opened for one in (first, second)] == [True, False]
    assert (greeting.reference, first.reference) == ("", second.reference)
    again = await desk.accept("chat", *(desk.raw(key, thread="wm-li") for key in ("m2", "m3")))
    assert [(one.is_new, one.opened, one.reference) for one in again] == [
        (False, True, first.reference),
        (False, False, first.reference),
    ]
    await desk.settle()
    assert {desk.reference_of("chat", key) for key in ("m1", "m2", "m3")} == {first.reference}


async def test_large_bodies_are_files_named_by_their_content(desk: Desk) -> None:
    edge, large = b"x" * 65_536, "屏".encode() * 30_000
    await desk.accept("mail", desk.raw("edge", body=edge), desk.raw("large", body=large))
    await desk.accept("mail", desk.raw("same again", body=large))
    small, big, twin = await desk.take()
    assert (small.raw.body, small.body_file) == (edge, "")
    assert big.raw.body == b""
    assert big.body_file == twin.body_file
    assert body_file(big).read_bytes() == large
    whole = await desk.journal.raw(big.id)
    assert whole is not None
    assert whole.raw.body == large
    assert desk.blobs() == [body_file(big)]


async def test_a_torn_file_of_the_same_name_is_written_again(desk: Desk) -> None:
    large = b"y" * 70_000
    await desk.accept("mail", desk.raw("1", body=large))
    (stored,) = await desk.take()
    body_file(stored).write_bytes(large[:4096])
    await desk.accept("mail", desk.raw("2", body=large))
    assert body_file(stored).read_bytes() == large


async def test_a_file_without_its_row_is_harmless(desk: Desk) -> None:
    """Killed between the file and the row: the source keeps the message and offers it again."""
    large = b"z" * 70_000
    naive = desk.raw("1", body=large, received_at=datetime(2026, 11, 22))  # noqa: DTZ001 what must be refused
    with pytest.raises(ValueError, match="naive"):
        await desk.accept("mail", naive)
    assert desk.blobs()
    assert not await desk.take()
    (accepted,) = await desk.accept("mail", desk.raw("1", body=large))
    assert accepted.is_new
    (stored,) = await desk.take()
    assert body_file(stored).read_bytes() == large


async def test_a_claim_about_the_future_is_clamped(desk: Desk) -> None:
    future = desk.clock.now() + timedelta(days=400)
    reference = await desk.hear("mail", "1", mail("1", LI, posted_at=future))
    (row,) = (await desk.file(reference)).messages
    assert row.message.posted_at == desk.clock.now()
    past = datetime(2026, 1, 1, tzinfo=UTC)
    reference = await desk.hear("mail", "2", mail("2", LI, posted_at=past))
    (row,) = (await desk.file(reference)).messages
    assert row.message.posted_at == past
