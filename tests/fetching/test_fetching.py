"""What is still at the platform comes into the record, or the record says why not."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing

import pytest

from allears_sdk.complaint import AttachedFile, Event, EventKind
from allears_sdk.connector import Media
from allears_sdk.errors import AuthError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Author
from tests.fetching.pier import PHOTO, Pier, photo
from tests.journal.desk import FILE

SHA256 = hashlib.sha256(PHOTO).hexdigest()
BROKEN = "手机屏幕碎了，要求退款，看照片"


def files(event: Event) -> list[AttachedFile]:
    return list(event.record.attachments)


async def test_a_file_that_comes_in_time_is_in_the_opening(pier: Pier) -> None:
    pier.has("m-1")
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=259_200))
    await pier.settle(30)
    (event,) = await pier.office.events()
    (file,) = files(event)
    assert (file.name, file.media_type, file.size, file.sha256) == ("IMG_2041.jpg", "image/jpeg", len(PHOTO), SHA256)
    assert not file.pending
    assert not file.skipped
    assert await pier.desk.journal.fetches.content(event.complaint_id, SHA256) == PHOTO
    assert await pier.desk.journal.fetches.content("ALE-7K3M-Q9TX-4RWD", SHA256) is None, "of that complaint alone"


async def test_a_record_waits_a_minute_then_says_pending_and_tells_when_the_file_has_come(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1", name="broken.jpg"))
    await pier.settle(59)
    assert not await pier.office.complaints()
    await pier.settle(2)
    (opened,) = await pier.office.events()
    assert [(one.name, one.pending, one.sha256) for one in files(opened)] == [("broken.jpg", True, "")]
    pier.platform.open.set()
    await pier.settle(1)
    opened, followed = await pier.office.events()
    assert (followed.kind, followed.messages) == (EventKind.FOLLOWED_UP, ())
    assert list(followed.changes) == ["attachments"]
    assert [(one.name, one.pending, one.sha256) for one in files(followed)] == [("broken.jpg", False, SHA256)]
    assert pier.office.deliveries() == [("jsonl", 1), ("jsonl", 2)]
    await pier.settle(600)
    assert len(await pier.office.events()) == 2, "and told once"


async def test_files_that_come_after_the_opening_make_one_event(pier: Pier) -> None:
    for number in range(4):
        pier.has(f"m-{number}", photo(PHOTO + bytes([number])))
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, *(pier.file(f"m-{number}") for number in range(4)))
    await pier.settle(61)
    pier.platform.open.set()
    await pier.settle(61)
    events = await pier.office.events()
    assert [sum(file.pending for file in files(event)) for event in events] == [4, 0]


async def test_what_is_said_meanwhile_tells_of_what_came(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(61)
    await pier.say("c-1", "已经一个星期了，没人理我")
    pier.platform.open.set()
    await pier.settle(120)
    events = await pier.office.events()
    assert [event.messages for event in events] == [("c-0",), ("c-1",)]
    assert files(events[-1])[0].sha256 == SHA256


async def test_what_the_platform_refuses_is_skipped_with_its_reason(pier: Pier) -> None:
    pier.has("m-1", Rejected("the file has expired over there"))
    await pier.say("c-0", BROKEN, pier.file("m-1", name="video.mp4"))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert [(one.skipped, one.pending) for one in files(event)] == [("the file has expired over there", False)]
    await pier.settle(86_400)
    assert pier.platform.asked == ["m-1"]
    (count,) = await pier.desk.journal.fetches.counts()
    assert (count.channel, count.waiting, count.skipped) == ("chat", 0, 1)


async def test_the_nearest_expiry_is_fetched_first(pier: Pier) -> None:
    for number in range(6):
        pier.has(f"m-{number}")
    pier.platform.open.clear()
    pier.paused.add("chat")
    for number, seconds in enumerate((None, 86_400, 300, 7200, 60, 172_800)):
        await pier.say(f"c-{number}", f"{BROKEN} {number}", pier.file(f"m-{number}", seconds=seconds))
    await pier.office.settle()
    pier.paused.clear()
    await pier.until(lambda: len(pier.platform.asked) == 3)
    assert sorted(pier.platform.asked) == ["m-2", "m-3", "m-4"], "three at a time in one channel"
    pier.platform.open.set()
    await pier.settle(1)
    assert pier.platform.asked[3:] == ["m-1", "m-5", "m-0"]


async def test_what_fails_is_asked_for_again(pier: Pier) -> None:
    pier.has("m-1", Unavailable("no connection"), Unavailable("no connection"), photo())
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=3600))
    await pier.settle(4)
    assert pier.platform.asked == ["m-1"]
    await pier.settle(30)
    assert len(pier.platform.asked) == 3
    (event,) = await pier.office.events()
    assert files(event)[0].sha256 == SHA256


async def test_until_the_platform_has_thrown_it_away(pier: Pier) -> None:
    pier.has("m-1", Unavailable("HTTP 502"))
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=3600))
    await pier.settle(3500)
    opened, *_ = await pier.office.events()
    assert files(opened)[0].pending
    tries = len(pier.platform.asked)
    assert 8 <= tries <= 20, "ever more slowly, and never so slowly that the end is missed"
    await pier.settle(200)
    _, event = await pier.office.events()
    assert (files(event)[0].skipped, files(event)[0].pending) == ("HTTP 502", False)
    tries = len(pier.platform.asked)
    await pier.settle(3600)
    assert len(pier.platform.asked) == tries


async def test_a_platform_that_asks_to_wait_is_left_alone_and_others_are_not(pier: Pier) -> None:
    pier.has("m-1", RetryLater("slow down", after_seconds=40), photo())
    pier.has("m-2")
    pier.has("d-1")
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=60))
    await pier.office.settle()
    await pier.until(lambda: pier.platform.asked == ["m-1"])
    await pier.say("c-1", "另一张", pier.file("m-2", seconds=3600))
    await pier.say("d-0", BROKEN, pier.file("d-1"), channel="desk")
    await pier.settle(20)
    assert pier.platform.asked == ["m-1", "d-1"]
    await pier.settle(25)
    assert sorted(pier.platform.asked[2:]) == ["m-1", "m-2"]


async def test_refused_credentials_rest_the_channel_too(pier: Pier) -> None:
    pier.has("m-1", AuthError("the token no longer works"), photo())
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(50)
    assert pier.platform.asked == ["m-1"]
    assert pier.troubles == [("chat", "files cannot be fetched: the token no longer works")]
    await pier.settle(20)
    assert len(pier.platform.asked) == 2
    assert pier.troubles[1:] == [("chat", "")]


async def test_what_was_given_up_is_asked_for_again_by_hand(pier: Pier) -> None:
    """The limit was too low; the platform refused for want of a permission that it has now."""
    refused = Rejected("no permission to download files")
    pier.has("m-1", refused, refused, photo())
    pier.has("m-2", Rejected("gone"))
    await pier.say("c-0", BROKEN, pier.file("m-1", name="broken.jpg"), pier.file("m-2", name="bill.pdf"))
    await pier.settle(30)
    assert await pier.desk.journal.fetches.retry("review") == 0
    assert await pier.desk.journal.fetches.retry("chat") == 2
    await pier.settle(60)
    assert len(await pier.office.events()) == 1, "nothing has come: nothing to tell"
    assert await pier.desk.journal.fetches.retry("chat") == 2
    await pier.settle(60)
    *_, told = await pier.office.events()
    assert [(one.name, one.sha256, one.skipped) for one in files(told)] == [
        ("broken.jpg", SHA256, ""),
        ("bill.pdf", "", "gone"),
    ]
    assert await pier.desk.journal.fetches.retry("chat") == 1
    await pier.settle(60)
    assert len(await pier.office.events()) == 2
    assert pier.platform.asked.count("m-1") == 3


async def test_a_file_that_came_by_hand_after_its_loss_was_told_is_told_too(pier: Pier) -> None:
    pier.has("m-1", Rejected("gone"), photo())
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(61)
    pier.platform.open.set()
    await pier.settle(1)
    assert files((await pier.office.events())[-1])[0].skipped == "gone"
    await pier.desk.journal.fetches.retry("chat")
    await pier.settle(60)
    events = await pier.office.events()
    assert [(one.pending, one.skipped, one.sha256) for event in events for one in files(event)] == [
        (True, "", ""),
        (False, "gone", ""),
        (False, "", SHA256),
    ]


@pytest.mark.parametrize("announced", [True, False])
async def test_what_is_too_large_is_left_there(pier: Pier, announced: bool) -> None:
    pier.platform = pier.make_platform(max_attachment_bytes=10)
    pier.has("m-1")
    facts = {"size": len(PHOTO)} if announced else {}
    await pier.say("c-0", BROKEN, pier.file("m-1", **facts))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert files(event)[0].skipped == f"too large: {len(PHOTO)} bytes, max_attachment_bytes is 10"
    assert pier.platform.asked == ([] if announced else ["m-1"])


async def test_a_channel_may_fetch_no_files_at_all_and_names_all_the_same(pier: Pier) -> None:
    pier.platform = pier.make_platform(max_attachment_bytes=0)
    pier.has("u-1", Author(name="李雷"))
    await pier.say("c-0", BROKEN, pier.file("m-1"), author={"id": "wm-li", "profile": {"locator": {"id": "u-1"}}})
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert files(event)[0].skipped == "files are not fetched from this channel (max_attachment_bytes = 0)"
    assert event.record.customer.name == "李雷"


async def test_a_connector_that_cannot_fetch_says_so(pier: Pier) -> None:
    pier.has("m-1", NotImplementedError())
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert files(event)[0].skipped == "this kind of channel has no way to get it"


async def test_no_message_brings_thousands_of_files(pier: Pier) -> None:
    names = [f"m-{number}" for number in range(120)]
    for name in names:
        pier.has(name, photo(name.encode()))
    await pier.say("c-0", BROKEN, *(pier.file(name) for name in names))
    await pier.settle(120)
    events = await pier.office.events()
    assert sum(bool(file.sha256) for file in files(events[-1])) == 100
    assert files(events[-1])[100].skipped == "more than 100 files in one message"


async def test_a_bug_in_a_connector_costs_the_file_alone(pier: Pier) -> None:
    pier.has("m-1", KeyError("media_id"))
    pier.has("m-2")
    await pier.say("c-0", BROKEN, pier.file("m-1"), pier.file("m-2"))
    await pier.settle(3600)
    events = await pier.office.events()
    first, second = files(events[-1])
    assert (first.skipped, second.sha256) == ("it could not be read: KeyError", SHA256)
    assert pier.platform.asked.count("m-1") == 5


async def test_a_profile_for_a_file_is_nothing_to_keep(pier: Pier) -> None:
    pier.has("m-1", Author(name="李雷"))
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert files(event)[0].skipped


# Names


async def test_a_name_is_asked_for_once_a_day_however_much_is_said(pier: Pier) -> None:
    pier.has("u-1", Author(name="李雷", level="VIP", id="somebody-else"))
    author = {"id": "wm-li", "profile": {"locator": {"id": "u-1"}}}
    pier.platform.open.clear()
    for number in range(4):
        await pier.say(f"c-{number}", f"耳机左边没有声音 {number}", author=author)
    await pier.office.settle()
    pier.platform.open.set()
    await pier.settle(60)
    (event,) = await pier.office.events()
    assert (event.record.customer.name, event.record.customer.level) == ("李雷", "VIP")
    assert (event.record.customer_id, event.record.contact.name) == ("wm-li", "李雷")
    assert {said.author for said in event.record.conversation} == {"李雷"}
    await pier.say("c-5", "还没人理我", author=author)
    await pier.settle(60)
    assert pier.platform.asked == ["u-1"]
    await pier.settle(86_400)
    await pier.say("c-6", "又坏了", author=author)
    await pier.settle(60)
    assert pier.platform.asked == ["u-1", "u-1"]


async def test_a_name_that_is_not_to_be_had_holds_nothing_up_for_long(pier: Pier) -> None:
    pier.has("u-1", Rejected("he follows the account no longer"))
    await pier.say("c-0", BROKEN, author={"id": "wm-li", "profile": {"locator": {"id": "u-1"}}})
    await pier.settle(20)
    (event,) = await pier.office.events()
    assert (event.record.customer_id, event.record.customer.name) == ("wm-li", "")
    assert [count.skipped for count in await pier.desk.journal.fetches.counts()] == [], "no file is missing"
    await pier.settle(3600)
    assert len(await pier.office.events()) == 1


async def test_a_name_that_comes_late_is_told(pier: Pier) -> None:
    pier.has("u-1", Author(name="李雷"))
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, author={"id": "wm-li", "profile": {"locator": {"id": "u-1"}}})
    await pier.settle(61)
    pier.platform.open.set()
    await pier.settle(1)
    opened, followed = await pier.office.events()
    assert (opened.record.customer.name, followed.record.customer.name) == ("", "李雷")
    assert list(followed.changes) == ["contact"]


async def test_nobody_asks_who_an_agent_is(pier: Pier) -> None:
    author = {"id": "kf-1", "role": "company", "profile": {"locator": {"id": "u-1"}}}
    await pier.say("c-0", "请稍等", author=author)
    await pier.settle(30)
    assert pier.platform.asked == []


# Other kinds of channels, edits, restarts


async def test_where_nothing_settles_a_record_waits_for_its_files_all_the_same(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("d-0", BROKEN, pier.file("m-1"), channel="desk")
    await pier.settle(59)
    assert not await pier.office.complaints()
    pier.platform.open.set()
    await pier.settle(0.1)
    (event,) = await pier.office.events()
    assert files(event)[0].sha256 == SHA256


async def test_an_edit_repeats_its_file_and_nobody_fetches_it_again(pier: Pier) -> None:
    pier.has("m-1")
    await pier.say("c-0", BROKEN, pier.file("m-1"), external_id="x-1")
    await pier.settle(60)
    await pier.say("c-1", f"{BROKEN}，订单3384756", pier.file("m-1"), external_id="x-1", kind="edited", revision="2")
    await pier.settle(60)
    opened, edited = await pier.office.events()
    assert edited.kind is EventKind.EDITED
    assert files(opened) == files(edited)
    assert pier.platform.asked == ["m-1"]


async def test_a_restart_in_the_middle_loses_nothing(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.office.settle()
    await pier.until(lambda: pier.platform.asked)
    await pier.restart()
    await pier.until(lambda: len(pier.platform.asked) == 2)
    pier.platform.open.set()
    await pier.settle(60)
    (event,) = await pier.office.events()
    assert files(event)[0].sha256 == SHA256


async def test_after_a_restore_the_event_of_a_file_is_looked_up_before_it_is_sent(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(61)
    stamp = repr(pier.desk.clock.now().timestamp())
    with closing(sqlite3.connect(pier.desk.folder / FILE)) as sql, sql:
        sql.execute("INSERT INTO stamps VALUES ('restored', ?)", (stamp,))
    await pier.restart()
    pier.platform.open.set()
    await pier.settle(1)
    rows = pier.desk.rows("SELECT sequence, doubtful FROM deliveries ORDER BY sequence")
    assert rows[-1] == (2, 1)


async def test_a_paused_channel_is_not_asked_and_says_why_it_became_too_late(pier: Pier) -> None:
    pier.has("m-1")
    pier.has("m-2")
    pier.paused.add("chat")
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=1000), pier.file("m-2", seconds=5000))
    await pier.settle(900)
    assert pier.platform.asked == []
    await pier.settle(200)
    events = await pier.office.events()
    assert [one.pending for one in files(events[0])] == [True, True]
    pier.paused.clear()
    await pier.settle(200)
    events = await pier.office.events()
    assert "paused" in files(events[-1])[0].skipped
    assert files(events[-1])[1].sha256 == SHA256


async def test_who_was_away_until_it_was_too_late_still_asks_once(pier: Pier) -> None:
    pier.has("m-1")
    await pier.say("c-0", BROKEN, pier.file("m-1", seconds=-60))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert files(event)[0].sha256 == SHA256


async def test_reading_a_raw_again_keeps_what_was_fetched(pier: Pier) -> None:
    pier.has("m-1")
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.settle(60)
    with closing(sqlite3.connect(pier.desk.folder / FILE)) as sql, sql:
        sql.execute("UPDATE raws SET state='waiting'")
    pier.desk.journal.bells.ring_all()
    await pier.settle(60)
    (event,) = await pier.office.events()
    assert (await pier.desk.file(event.complaint_id)).messages[0].message.attachments[0].sha256 == SHA256
    assert pier.platform.asked == ["m-1"]


async def test_the_same_file_in_two_messages_is_fetched_once(pier: Pier) -> None:
    pier.has("m-1")
    pier.platform.open.clear()
    await pier.say("c-0", BROKEN, pier.file("m-1"))
    await pier.say("c-1", "再发一次", pier.file("m-1"))
    await pier.office.settle()
    pier.platform.open.set()
    await pier.settle(60)
    (event,) = await pier.office.events()
    assert [one.sha256 for one in files(event)] == [SHA256, SHA256]
    assert pier.platform.asked == ["m-1"]


async def test_a_full_disk_loses_no_file(pier: Pier, monkeypatch: pytest.MonkeyPatch) -> None:
    pier.has("m-1")

    refused: list[int] = []

    def full(self: object, content: bytes) -> str:
        refused.append(len(content))
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("allears.journal.blobs.Blobs.write", full)
        await pier.say("c-0", BROKEN, pier.file("m-1"))
        await pier.office.settle()
        await pier.until(lambda: refused)
    while len(pier.platform.asked) < 2:
        pier.desk.clock.advance(5)
        pier.desk.journal.bells.fetches.set()
        await asyncio.sleep(0.01)
    await pier.settle(60)
    assert files((await pier.office.events())[-1])[0].sha256 == SHA256


async def test_an_unnamed_file_of_no_type_keeps_what_the_message_said(pier: Pier) -> None:
    pier.has("m-1", Media(content=PHOTO))
    await pier.say("c-0", BROKEN, pier.file("m-1", name="屏幕.jpg"))
    await pier.settle(30)
    (event,) = await pier.office.events()
    assert (files(event)[0].name, files(event)[0].media_type) == ("屏幕.jpg", "image/jpeg")


async def test_what_has_no_files_costs_no_row(pier: Pier) -> None:
    await pier.say("c-0", BROKEN)
    await pier.office.mail("m-0", BROKEN)
    await pier.settle(60)
    assert len(await pier.office.complaints()) == 2
    assert pier.desk.rows("SELECT count(*) FROM fetches") == [(0,)]
