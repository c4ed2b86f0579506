"""What is filed, when, and as how many events."""

from __future__ import annotations

from datetime import timedelta

from allears.filing.routing import to_all
from allears_sdk.complaint import EventKind
from tests.filing.office import HOOK, JSONL, Office, without

OPENED, FOLLOWED_UP = EventKind.OPENED, EventKind.FOLLOWED_UP


async def test_a_mail_is_filed_at_once(office: Office) -> None:
    await office.mail("m-0", "收到的空气炸锅插上电不加热，要求退款，订单号3384756201948857231")
    await office.settle()
    (event,) = await office.events()
    record = event.record
    assert event.kind is OPENED
    assert (record.channel, record.nature, record.expectation) == ("mail", "complaint", ("refund",))
    assert record.category == "product.function_failure"
    assert record.contact.email == "lilei@mail.example.cn"
    assert record.entities.order == ("3384756201948857231",)
    assert record.received_at == office.desk.clock.now()
    assert office.deliveries() == [("jsonl", 1)]


async def test_each_mail_of_a_thread_is_an_event(office: Office) -> None:
    await office.mail("m-0", "The kettle stopped working after two days.", Subject="Broken kettle")
    await office.settle()
    for number in range(1, 4):
        await office.answer(f"m-{number}", "m-0", f"Still no reply. {number}", Subject="Re: Broken kettle")
    await office.settle()
    events = await office.events()
    assert [event.kind for event in events] == [OPENED, FOLLOWED_UP, FOLLOWED_UP, FOLLOWED_UP]
    assert [len(event.messages) for event in events] == [1, 1, 1, 1]
    assert len(events[-1].record.conversation) == 4
    assert len({event.complaint_id for event in events}) == 1


async def test_mails_read_in_one_go_are_the_events_read_one_by_one(office: Office) -> None:
    for number in range(4):
        if number:
            await office.answer(f"m-{number}", "m-0", f"还没有人回复 {number}")
        else:
            await office.mail("m-0", "屏幕碎了，要求退款")
        office.desk.clock.advance(1)
    await office.settle()
    assert [len(event.messages) for event in await office.events()] == [1, 1, 1, 1]


async def test_a_burst_in_a_chat_is_one_complaint(office: Office) -> None:
    for number, text in enumerate(("在吗", "我买的耳机", "左边没有声音", "要求退款")):
        await office.say("chat", f"c-{number}", text, thread="wm-li")
        await office.settle(3)
    assert not await office.complaints()
    await office.settle(10)
    assert not await office.complaints(), "14 seconds of silence are not 15"
    await office.settle(5)
    (event,) = await office.events()
    assert event.messages == ("c-0", "c-1", "c-2", "c-3")
    assert "左边没有声音" in event.record.description
    assert event.record.expectation == ("refund",)


async def test_a_burst_that_goes_on_is_filed_after_its_longest_time(office: Office) -> None:
    for number in range(20):
        await office.say("chat", f"c-{number}", f"快递还没到 {number}", thread="wm-li")
        await office.settle(10)
    await office.settle(60)
    events = await office.events()
    assert [event.kind for event in events] == [OPENED, FOLLOWED_UP]
    assert len(events[0].messages) in (12, 13)
    assert sum(len(event.messages) for event in events) == 20


async def test_follow_ups_in_a_chat_settle_likewise(office: Office) -> None:
    await office.say("chat", "c-0", "耳机左边没有声音", thread="wm-li")
    await office.settle(60)
    for number in range(1, 4):
        await office.say("chat", f"c-{number}", f"还没人理我 {number}", thread="wm-li")
        await office.settle(2)
    await office.settle(60)
    assert [event.messages for event in await office.events()] == [("c-0",), ("c-1", "c-2", "c-3")]


async def test_after_a_long_silence_a_chat_opens_a_new_complaint(office: Office) -> None:
    await office.say("chat", "c-0", "耳机左边没有声音", thread="wm-li")
    await office.settle(3700)
    await office.say("chat", "c-1", "充电盒也坏了", thread="wm-li")
    await office.settle(60)
    first, second = await office.complaints()
    assert second.record.related == (first.record.id,)


async def test_automatic_mail_is_kept_and_not_filed(office: Office) -> None:
    await office.mail("auto-0", "本人休假中，如有急事请致电。", Auto_Submitted="auto-replied")
    await office.settle()
    assert not await office.complaints()
    assert office.desk.rows("SELECT count(*) FROM messages") == [(1,)]
    reference = office.desk.rows("SELECT reference FROM conversations")[0][0]
    await office.answer("m-1", "auto-0", "我没有休假，屏幕碎了，要求退款")
    await office.settle()
    (event,) = await office.events()
    assert event.complaint_id == reference, "filed under the id it had all along"
    assert event.kind is OPENED
    assert len(event.record.conversation) == 2


async def test_automatic_mail_in_a_complaint_makes_no_event(office: Office) -> None:
    await office.mail("m-0", "屏幕碎了，要求退款")
    await office.settle()
    await office.answer("auto-1", "m-0", "I am out of office", Auto_Submitted="auto-replied")
    await office.settle()
    assert len(await office.events()) == 1


async def test_praise_is_filed_once_it_turns_into_a_complaint(office: Office) -> None:
    await office.mail("m-0", "非常满意，谢谢你们的服务！", Subject="表扬")
    await office.settle()
    assert not await office.complaints()
    await office.answer("m-1", "m-0", "用了两天就坏了，不加热，要求退款", Subject="Re: 表扬")
    await office.settle()
    events = await office.events()
    assert [event.kind for event in events] == [OPENED, FOLLOWED_UP], "one for each message that counts"
    assert [len(event.record.conversation) for event in events] == [2, 2], "the opening tells it all"
    assert events[0].record.nature == "complaint"


async def test_public_channels_file_complaints_alone_direct_ones_questions_too(office: Office) -> None:
    question = "请问这款耳机支持苹果手机吗？"
    await office.say("review", "r-0", question)
    await office.say("desk", "d-0", question)
    await office.say("review", "r-1", "用了一天就坏了，垃圾", rating=1)
    await office.say("review", "r-2", "很好用，推荐", rating=5)
    await office.settle()
    filed = {file.record.channel: file.record.nature for file in await office.complaints()}
    assert filed.keys() == {"desk", "review"}
    assert filed["review"] == "complaint"
    assert len(await office.complaints()) == 2


async def test_an_edited_review_is_an_edit(office: Office) -> None:
    await office.say("review", "r-1", "还可以", rating=4, external_id="rv-1", revision="1")
    await office.settle()
    assert not await office.complaints()
    office.desk.clock.advance(60)
    await office.say(
        "review", "r-1b", "用了一天就坏了，要求退款", rating=1, external_id="rv-1", revision="2", kind="edited"
    )
    await office.settle()
    events = await office.events()
    assert [event.kind for event in events] == [OPENED, EventKind.EDITED]
    assert [event.record.rating and event.record.rating.value for event in events] == [1, 1]


async def test_a_channel_that_is_no_longer_configured_still_files_what_it_left(office: Office) -> None:
    await office.say("chat", "c-0", "耳机左边没有声音", thread="wm-li")
    await office.settle(1)
    office.stage.readers = without(office.stage.readers, "chat")
    await office.settle(60)
    (event,) = await office.events()
    assert event.record.channel == "chat"


async def test_raws_of_a_channel_nobody_knows_wait(office: Office) -> None:
    readers = office.stage.readers
    office.stage.readers = without(readers, "mail")
    await office.mail("m-0", "屏幕碎了，要求退款")
    await office.say("desk", "d-0", "杯子碎了")
    await office.until_filed(1)
    assert [file.record.channel for file in await office.complaints()] == ["desk"]
    office.stage.readers = readers
    office.desk.journal.bells.ring_all()
    await office.settle()
    assert {file.record.channel for file in await office.complaints()} == {"desk", "mail"}


async def test_a_destination_matched_later_gets_the_whole_and_none_is_taken_away(office: Office) -> None:
    await office.mail("m-0", "屏幕碎了，要求退款")
    await office.settle()
    office.stage.router = to_all([HOOK])
    await office.answer("m-1", "m-0", "还没有人回复")
    await office.settle()
    assert office.deliveries() == [("jsonl", 1), ("jsonl", 2), ("hook", 2)]
    at = office.desk.clock.now() + timedelta(seconds=1)
    (due,) = await office.desk.journal.due_deliveries("hook", at, 10)
    assert due.ticket is None, "an opening there"
    assert len(due.event.record.conversation) == 2
    office.stage.router = to_all([JSONL])
    await office.answer("m-2", "m-0", "第三封")
    await office.settle()
    assert sorted(office.deliveries()[3:]) == [("hook", 3), ("jsonl", 3)]


async def test_a_stage_that_is_stopped_goes_on_where_it_was(office: Office) -> None:
    await office.close()
    for number in range(60):
        await office.say("desk", f"d-{number}", f"第 {number} 件：杯子碎了，要求退款")
    await office.open()
    await office.until_filed(10)
    await office.close()
    await office.desk.reopen()
    again = Office(office.desk)
    await again.open()
    try:
        await again.settle()
    finally:
        await again.close()
    files = await again.complaints()
    assert len(files) == 60
    assert all(len(file.events) == 1 for file in files)
