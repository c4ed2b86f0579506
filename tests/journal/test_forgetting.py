"""After a customer was forgotten nothing holds their words or reads them in again, and nobody else has lost any."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears.journal import copying, oblivion, sweeping
from allears.journal.finding import Found, is_same_number, number_of
from allears.journal.records import DeliveryState
from allears_sdk import codec
from allears_sdk.connector import Missing
from allears_sdk.message import Author, Message, Role
from tests.journal.desk import AMY, FILE, LI, Desk, mail, said

LI_PHONE = "13800138000"
WORDS = ("屏幕碎裂", "cracked-screen-words", "li.lei", LI_PHONE, "oLi-open-id", "李雷")
"""What is Li's alone."""
LARGE = "屏幕碎裂 cracked-screen-words " * 4000


def li(key: str, text: str = "屏幕碎裂 cracked-screen-words 请回电", **facts: Any) -> Message:
    message = mail(f"li-{key}", text=text, subject="屏幕碎裂", **facts)
    return replace(message, author=replace(message.author, name="李雷", phone=LI_PHONE))


def on_wechat(text: str = "屏幕碎裂了 cracked-screen-words", **facts: Any) -> Message:
    message = said(text, "oLi-open-id", thread="chat/oLi-open-id", **facts)
    return replace(message, author=replace(message.author, name="李雷", phone="+86 138-0013-8000"))


def search(desk: Desk, customer: str, without: Collection[str] = ()) -> Found | None:
    return oblivion.search(desk.folder, customer, without, lambda done, total: None)


def found(desk: Desk, customer: str, without: Collection[str] = ()) -> Found:
    one = search(desk, customer, without)
    assert one is not None, f"nothing of {customer}"
    return one


def forget(desk: Desk, customer: str, without: Collection[str] = ()) -> int:
    """All that can be forgotten now; how many things had to wait."""
    age_files(desk.folder)
    plan = found(desk, customer, without).plan
    oblivion.begin(desk.folder, plan, "test", desk.clock.now().timestamp())
    return go_on(desk)


def go_on(desk: Desk) -> int:
    left = oblivion.go_on(desk.folder, desk.clock.now().timestamp(), lambda done, total: None)
    assert oblivion.compact(desk.folder, desk.clock.now().timestamp(), is_daemon_up=True)
    return left


def age_files(folder: Path) -> None:
    """As if all had lain there for two days."""
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (0, path.stat().st_mtime - 2 * 86_400))


def traces(folder: Path, words: Sequence[str] = WORDS) -> list[tuple[str, str]]:
    """Files of the data folder whose bytes hold one of the words, log and all."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(path.name, word) for path in files for word in words if word.encode() in path.read_bytes()]


def rows_of(desk: Desk, conversations: Sequence[int]) -> dict[str, list[Any]]:
    """Everything that is kept of these conversations."""
    marks = ",".join(map(str, conversations))
    by = {
        "conversations": "id", "messages": "conversation_id", "events": "conversation_id",
        "complaints": "conversation_id", "lines": "conversation_id", "names": "conversation_id",
    }  # fmt: skip
    kept = {table: desk.rows(f"SELECT * FROM {table} WHERE {column} IN ({marks})") for table, column in by.items()}
    kept["raws"] = desk.rows(
        f"SELECT * FROM raws WHERE id IN (SELECT raw_id FROM messages WHERE conversation_id IN ({marks}))"
    )
    kept["deliveries"] = desk.rows(
        f"SELECT d.* FROM deliveries d JOIN lines l ON l.id = d.line_id WHERE l.conversation_id IN ({marks})"
    )
    return kept


async def read_all(desk: Desk) -> None:
    """Read whole bodies too."""
    for taken in await desk.take():
        whole = await desk.journal.raw(taken.id)
        assert whole is not None
        await desk.join([desk.reading(whole)])
    await desk.settle()


async def fill(desk: Desk) -> list[int]:
    """Li on two channels, others beside; the others' conversations."""
    await desk.accept("mail", desk.raw("uid:1:li", li("1")), desk.raw("uid:1:amy", mail("amy", AMY)))
    await desk.accept("mail", desk.raw("uid:2:li", li("2", LARGE)))
    await desk.accept("mail", desk.raw("uid:3:li", li("3", thread=("li-1",))))
    await desk.accept("chat", desk.raw("li/1", on_wechat()), desk.raw("li/2", on_wechat("请回电 13800138000")))
    await desk.accept("chat", desk.raw("amy/1", said("no sound", "amy-open-id", thread="chat/amy-open-id")))
    await desk.accept("review", desk.raw("r1", said("耳机没有声音", "someone")))
    await read_all(desk)
    await desk.send_all("jsonl")
    theirs = {one.id for one in found(desk, LI).conversations}
    return [number for (number,) in desk.rows("SELECT id FROM conversations") if number not in theirs]


@pytest.mark.parametrize("customer", [LI, " LI.LEI+kefu@Mail.Example.cn", LI_PHONE, "+86 138 0013 8000"])
async def test_no_byte_of_them_is_left_and_nobody_else_has_lost_any(desk: Desk, customer: str) -> None:
    others = await fill(desk)
    before = rows_of(desk, others)
    assert traces(desk.folder)
    assert forget(desk, customer) == 0
    assert traces(desk.folder) == []
    assert rows_of(desk, others) == before
    assert desk.rows("PRAGMA integrity_check") == [("ok",)]
    assert search(desk, customer) is None
    assert len(desk.blobs()) == 0


async def test_what_the_source_still_has_is_not_read_in_again(desk: Desk) -> None:
    await fill(desk)
    forget(desk, LI)
    complaints = desk.rows("SELECT count(*) FROM complaints")
    keys = ("uid:1:li", "uid:2:li", "uid:3:li", "uid:9:li")
    assert await desk.journal.known("mail", keys) == set(keys[:3])
    again = await desk.accept("mail", desk.raw("uid:1:li", li("1")), desk.raw("uid:2:li", li("2", LARGE)))
    assert [one.is_new for one in again] == [False, False]
    moved = await desk.accept("mail", desk.raw("other-folder:7", li("3", thread=("li-1",))))
    assert [one.is_new for one in moved] == [True], "by another way, so that only its message tells"
    await read_all(desk)
    assert desk.rows("SELECT count(*) FROM complaints") == complaints
    assert desk.rows("SELECT count(*) FROM raws WHERE raw_key='other-folder:7'") == [(0,)]
    assert (await desk.accept("mail", desk.raw("other-folder:7", li("3"))))[0].is_new is False


async def test_a_raw_that_brings_one_back_beside_news_keeps_the_news(desk: Desk) -> None:
    await fill(desk)
    forget(desk, LI)
    await desk.accept("mail", desk.raw("digest", mail("new", AMY)))
    (stored,) = await desk.take()
    await desk.join([desk.reading(stored, li("1"), mail("new", AMY, text="另一件事 another matter"))])
    await desk.settle()
    assert desk.reference_of("mail", "new~digest")
    assert traces(desk.folder, ["cracked-screen-words"]) == []


async def test_who_writes_again_is_heard_under_a_number_of_its_own(desk: Desk) -> None:
    reference = await desk.hear("review", "r9", said("屏幕碎裂 cracked-screen-words", LI, external_id="r9"), digest="1")
    forget(desk, reference)
    assert await desk.journal.complaint(reference) is None
    edited = said("现在连电池也坏了 battery too", LI, external_id="r9")
    again = await desk.hear("review", "r9", edited, digest="2")
    assert again not in ("", reference), "a store that knows the old number would take it for the old ticket"
    back = await desk.accept("review", desk.raw("r9", said("屏幕碎裂", LI, external_id="r9"), digest="1"))
    assert back[0].is_new, "5★ → 1★ → 5★: what is said again after something else is news"


async def test_a_mail_to_the_old_thread_opens_a_new_one(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", li("1"))
    forget(desk, LI)
    again = await desk.hear("mail", "k2", li("2", f"又坏了 broken again, {reference}", thread=("li-1",)))
    assert again not in ("", reference)


async def test_pending_is_called_off_and_tickets_are_told(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", li("1"))
    await desk.send_all("jsonl")
    (taken,) = await desk.due("hook")
    one = found(desk, reference)
    assert [ticket[0] for ticket in one.conversations[0].tickets] == ["jsonl"]
    assert forget(desk, reference) == 0
    await desk.freeze(taken)
    assert desk.rows("SELECT count(*) FROM deliveries") == [(0,)]
    (done,) = oblivion.past(desk.folder)
    assert (done.conversations, done.messages, done.cancelled, done.left) == (1, 1, 1, 0)
    assert [place for place, _ in done.tickets] == ["jsonl"]
    assert done.finished_at is not None
    assert done.is_compacted


async def test_what_was_taken_before_is_not_sent_after(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", li("1"))
    await desk.hear("mail", "k2", mail("amy", AMY))
    taken = await desk.due("hook")
    oblivion.begin(desk.folder, found(desk, reference).plan, "test", 1.0)
    frozen = [(one.id, one) for one in taken]
    await desk.freeze(*(one for _, one in frozen))
    assert desk.rows("SELECT count(*) FROM deliveries WHERE state='sending'") == [(1,)]


async def test_what_is_on_its_way_waits_for_its_answer(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", li("1"))
    (due,) = await desk.due("hook")
    await desk.freeze(due)
    assert found(desk, reference).conversations[0].is_on_its_way
    assert forget(desk, reference) == 1
    assert await desk.journal.complaint(reference) is not None
    await desk.sent(due, destination="hook")
    assert go_on(desk) == 0
    assert traces(desk.folder) == []
    assert {place for place, _ in oblivion.past(desk.folder)[0].tickets} == {"hook"}


async def test_what_is_in_doubt_is_looked_up_and_not_sent_again(desk: Desk) -> None:
    reference = await desk.hear("mail", "k1", li("1"))
    (due,) = await desk.due("hook")
    await desk.freeze(due)
    await desk.reopen()
    await desk.journal.recover()
    assert forget(desk, reference) == 1
    desk.clock.advance(timedelta(hours=1))
    (doubtful,) = await desk.due("hook")
    assert doubtful.state is DeliveryState.DOUBT
    await desk.freeze(doubtful)  # its courier has found nothing, and would send it now
    assert desk.rows("SELECT DISTINCT state FROM deliveries") == [("discarded",)]
    assert go_on(desk) == 0
    assert traces(desk.folder) == []
    (ticket,) = oblivion.past(desk.folder)[0].tickets
    assert ticket == ("hook", f"{due.ticket_key} ?"), "it may be there all the same"


async def test_letters_go_too(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("k1", li("1"), quarantine="larger than it may be"))
    await desk.accept("mail", missing=[Missing(key="m", reason=f"no answer for {LI}", locator={"subject": LI})])
    reference = await desk.hear("mail", "k2", li("2"))
    (due,) = await desk.due("hook")
    await desk.journal.note_outcomes("hook", [desk.outcome(due, DeliveryState.LETTER, reason=f"{LI} is refused")])
    assert found(desk, LI).letters == [1]
    assert found(desk, LI, without=["1"]).letters == []
    forget(desk, reference)
    assert traces(desk.folder) == []
    assert [letter.kind for letter in await desk.letters()] == ["missing"]


async def test_an_unread_message_is_not_lost_to_a_name_in_it(desk: Desk) -> None:
    await desk.hear("mail", "k1", li("1"))
    await desk.accept("mail", desk.raw("k2", mail("amy", AMY, text=f"{LI} 给我打电话了")))
    assert found(desk, LI).unread == 1
    forget(desk, LI)
    await desk.settle()
    reference = desk.reference_of("mail", "amy~digest")
    assert found(desk, AMY).conversations[0].reference == reference
    again = await desk.hear("mail", "k3", li("3"))
    assert found(desk, again).mentions == [reference]


async def test_what_comes_while_it_is_looked_for(desk: Desk) -> None:
    """Between the search and the erasing somebody writes: it goes with the conversation; later it opens a new one."""
    room = {"thread": "oLi-open-id"}
    await desk.hear("chat", "li/1", on_wechat(), **room)
    plan = found(desk, "oLi-open-id").plan
    await desk.hear("chat", "li/2", on_wechat("还有 cracked-screen-words"), **room)
    await desk.accept("chat", desk.raw("li/3", on_wechat("再说 cracked-screen-words"), **room))
    oblivion.begin(desk.folder, plan, "test", 1.0)
    await desk.accept("chat", desk.raw("li/4", on_wechat("新的事 something new"), **room))
    await read_all(desk)
    assert go_on(desk) == 0
    assert traces(desk.folder, ["cracked-screen-words"]) == []
    assert [row[0] for row in desk.rows("SELECT raw_key FROM raws")] == ["li/4"]
    assert desk.rows("SELECT count(*) FROM complaints") == [(1,)]


async def test_among_others_only_their_words_go(desk: Desk) -> None:
    first = await desk.hear("review", "post", said("耳机没有声音 no sound", "amy-id", external_id="post"))
    await desk.hear(
        "review", "c1", said("屏幕碎裂 cracked-screen-words", "oLi-open-id", thread="post", external_id="c1")
    )
    await desk.send_all()
    await desk.hear("review", "c2", said("我也是 me too", "bob-id", thread="post", external_id="c2"))
    one = found(desk, "oLi-open-id")
    assert [(it.is_theirs, it.messages) for it in one.conversations] == [(False, 1)]
    assert forget(desk, "oLi-open-id") == 0
    assert traces(desk.folder) == []
    file = await desk.file(first)
    assert [event.sequence for event in file.events] == [1, 2, 3]
    assert "no sound" in file.record.description
    assert "me too" in file.record.description
    assert [row.message.text for row in file.messages] == ["耳机没有声音 no sound", "", "我也是 me too"]
    again = await desk.accept(
        "review", desk.raw("c1", said("屏幕碎裂", "oLi-open-id", thread="post", external_id="c1"))
    )
    assert again[0].is_new is False
    assert await desk.send_all(), "what waited goes out, without their words"


async def test_a_company_mail_to_nobody_else_is_theirs(desk: Desk) -> None:
    ours = Author(role=Role.COMPANY, id="kefu@shop.example")
    words = replace(li("out"), author=ours, participants=(LI,))
    await desk.hear("mail", "k1", words)
    forget(desk, LI)
    assert traces(desk.folder) == []


async def test_a_file_that_another_has_too_stays(desk: Desk) -> None:
    body = codec.encode(said("x" * 100_000))
    await desk.accept("mail", desk.raw("k1", li("1", LARGE)))
    await desk.accept("review", replace(desk.raw("r1"), body=body), replace(desk.raw("r2"), body=body))
    await read_all(desk)
    assert len(desk.blobs()) == 2
    forget(desk, LI)
    assert len(desk.blobs()) == 1


async def test_files_wait_for_a_backup_and_for_their_first_minute(desk: Desk, tmp_path: Path) -> None:
    await desk.accept("mail", desk.raw("k1", li("1", LARGE)))
    await read_all(desk)
    age_files(desk.folder)
    plan = found(desk, LI).plan
    oblivion.begin(desk.folder, plan, "test", 1.0)
    while await desk.journal.upkeep.forget_on() and not desk.rows("SELECT 1 FROM forgetting_items WHERE kind='blob'"):
        pass
    with sweeping.held(desk.folder):
        assert await desk.journal.upkeep.forget_on() == 0
    (path,) = desk.blobs()
    os.utime(path)
    assert await desk.journal.upkeep.forget_on() == 0, "somebody may be about to name it"
    age_files(desk.folder)
    assert await desk.journal.upkeep.forget_on() == 1
    assert desk.blobs() == []
    copying.back_up(desk.folder, tmp_path / "copy")
    assert traces(tmp_path / "copy") == []


async def test_the_daemon_goes_on_with_what_a_command_began(desk: Desk) -> None:
    await fill(desk)
    age_files(desk.folder)
    oblivion.begin(desk.folder, found(desk, LI).plan, "test", 1.0)
    upkeep = desk.journal.upkeep
    assert await upkeep.to_forget()
    while await upkeep.forget_on():
        pass
    assert await upkeep.to_forget() == 0
    assert oblivion.compact(desk.folder, 1.0, is_daemon_up=True)
    assert traces(desk.folder) == []


async def test_ten_thousand_messages_show_progress(desk: Desk) -> None:
    for start in range(0, 10_000, 500):
        raws = [desk.raw(f"k{n}", said(f"屏幕碎裂 cracked-screen-words {n}", LI)) for n in range(start, start + 500)]
        await desk.accept("review", *raws)
    await desk.accept("review", desk.raw("other", said("耳机没有声音", "someone")))
    while desk.rows("SELECT 1 FROM raws WHERE state='waiting' LIMIT 1"):
        await desk.settle()
    shown: list[tuple[int, int]] = []
    oblivion.begin(desk.folder, found(desk, LI).plan, "test", 1.0)
    assert oblivion.go_on(desk.folder, 1.0, lambda done, total: shown.append((done, total))) == 0
    assert len(shown) > 50
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
    assert all(done <= total for done, total in shown)
    oblivion.compact(desk.folder, 1.0, is_daemon_up=False)
    assert traces(desk.folder) == []
    assert desk.rows("SELECT count(*) FROM complaints") == [(1,)]


async def test_a_large_journal_beside_a_daemon_is_not_written_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oblivion, "MOST_BYTES_BESIDE_A_DAEMON", 1000)
    await desk.hear("mail", "k1", li("1"))
    oblivion.begin(desk.folder, found(desk, LI).plan, "test", 1.0)
    oblivion.go_on(desk.folder, 1.0, lambda done, total: None)
    assert oblivion.compact(desk.folder, 1.0, is_daemon_up=True) is False
    assert not oblivion.is_compact(desk.folder)
    assert oblivion.compact(desk.folder, 1.0, is_daemon_up=True, force=True)
    assert oblivion.is_compact(desk.folder)


async def test_a_renamed_channel_still_knows(desk: Desk) -> None:
    await desk.hear("mail", "k1", li("1"))
    forget(desk, LI)
    await desk.journal.rename_channel("mail", "review")
    assert await desk.journal.known("review", ["k1"]) == {"k1"}


async def test_hashes_tell_nobody(desk: Desk) -> None:
    """They are keyed: who has them alone cannot try out addresses."""
    await desk.hear("mail", LI, li("1"))
    forget(desk, LI)
    with closing(sqlite3.connect(desk.folder / FILE)) as sql:
        hashes = {row[0] for row in sql.execute("SELECT hash FROM forgotten")}
    other = await Desk.open(desk.folder.parent / "other")
    await other.hear("mail", LI, li("1"))
    forget(other, LI)
    assert hashes.isdisjoint(row[0] for row in other.rows("SELECT hash FROM forgotten"))
    await other.close()


async def test_nobody_is_nobody(desk: Desk) -> None:
    await fill(desk)
    for customer in ("nobody@example.com", "13900000000", "ALE-0000-0000-0000", "someone-else"):
        assert search(desk, customer) is None
    with pytest.raises(ValueError, match="nobody"):
        search(desk, "   ")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("13800138000", "+86 138 0013 8000", True), ("１３８００１３８０００", "138-0013-8000", True),
        ("008613800138000", "13800138000", True), ("07700 900123", "+44 7700 900123", True),
        ("13800138000", "13800138001", False), ("0138000", "138000", False), ("8000", "13800138000", False),
        ("order 202611221380013", "202611221380013", False),
    ],
)  # fmt: skip
def test_numbers_are_the_same_however_they_are_written(one: str, other: str, same: bool) -> None:
    assert is_same_number(number_of(one), number_of(other)) is same
