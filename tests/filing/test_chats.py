"""Chats: what opens a complaint, what goes on with it, and who is meant."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from allears.journal.records import ComplaintFile
from allears_sdk.complaint import EventKind
from allears_sdk.message import MESSAGE_JSON
from tests.filing.office import Office

OPENED, FOLLOWED_UP, EDITED, WITHDRAWN = (
    EventKind.OPENED,
    EventKind.FOLLOWED_UP,
    EventKind.EDITED,
    EventKind.WITHDRAWN,
)
AGENT = {"id": "kf-01", "role": "company", "name": "客服小王"}
BOT = {"id": "kf-bot", "role": "bot"}


async def write(office: Office, key: str, text: str, who: str = "wm-li", **facts: Any) -> None:
    """A message of one's own chat, whose thread is known before it is read."""
    await office.say("chat", key, text, thread="wm-li", who=who, **{"external_id": key, **facts})


async def speak(office: Office, key: str, text: str, who: str | dict[str, str], *answers: str, **facts: Any) -> None:
    """A message in a room that many share; `answers` are the messages it answers."""
    author = who if isinstance(who, dict) else {"id": who}
    message = {"text": text, "author": author, "external_id": key, "thread": [*answers, "room-7"], **facts}
    await office.accept("chat", key, json.dumps(message, ensure_ascii=False).encode(), MESSAGE_JSON)


def said(file: ComplaintFile) -> list[str]:
    return [row.message.external_id for row in file.messages]


def unfiled(office: Office) -> int:
    ((count,),) = office.desk.rows("SELECT count(*) FROM unfiled")
    return int(count)


# Settling


@pytest.mark.parametrize("greeting", ["你好", "在吗？", "您好，在吗", "hello", "Hi there!", "😀", "。。。"])
async def test_a_bare_greeting_waits_longer_and_is_no_complaint(office: Office, greeting: str) -> None:
    await write(office, "c-0", greeting)
    await office.settle(119)
    assert (await office.complaints(), unfiled(office)) == ([], 0)
    await office.settle(2)
    assert (await office.complaints(), unfiled(office)) == ([], 1)


async def test_what_follows_a_greeting_in_time_is_one_complaint_with_it(office: Office) -> None:
    await write(office, "c-0", "你好")
    await office.settle(50)
    await write(office, "c-1", "在吗")
    await office.settle(50)
    await write(office, "c-2", "耳机左边没有声音，要求退款")
    await office.settle(14)
    assert not await office.complaints()
    await office.settle(2)
    (event,) = await office.events()
    assert event.messages == ("c-0", "c-1", "c-2")


async def test_what_follows_a_greeting_much_later_is_filed_under_its_number(office: Office) -> None:
    await write(office, "c-0", "你好")
    await office.settle(600)
    ((number,),) = office.desk.rows("SELECT reference FROM conversations")
    await write(office, "c-1", "耳机左边没有声音，要求退款")
    await office.settle(16)
    (event,) = await office.events()
    assert (event.complaint_id, event.kind, unfiled(office)) == (number, OPENED, 0)


async def test_a_greeting_in_the_middle_of_a_burst_delays_it_no_longer_than_other_words(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音，要求退款")
    await office.settle(5)
    await write(office, "c-1", "在吗")
    await office.settle(16)
    (event,) = await office.events()
    assert event.messages == ("c-0", "c-1")


async def test_a_picture_says_something_without_words(office: Office) -> None:
    await write(office, "c-0", "", attachments=[{"name": "碎屏.jpg", "media_type": "image/jpeg"}])
    await office.settle(16)
    (event,) = await office.events()
    assert [file.name for file in event.record.attachments] == ["碎屏.jpg"]


async def test_an_album_is_one_event(office: Office) -> None:
    for number in range(5):
        picture = {"name": f"{number}.jpg", "media_type": "image/jpeg"}
        await write(office, f"c-{number}", "屏幕碎了，退款" if number == 0 else "", attachments=[picture])
        await office.settle(0.2)
    await office.settle(16)
    (event,) = await office.events()
    assert len(event.record.attachments) == 5


async def test_each_burst_of_follow_ups_is_one_event_that_says_what_changed(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音")
    await office.settle(60)
    for burst in (1, 2):
        for number in range(3):
            await write(
                office, f"c-{burst}{number}", ("还没人理我", "已经一个星期了", "订单3384756201948857231")[number]
            )
            await office.settle(4)
        await office.settle(600)
    events = await office.events()
    assert [event.kind for event in events] == [OPENED, FOLLOWED_UP, FOLLOWED_UP]
    assert [len(event.messages) for event in events] == [1, 3, 3]
    assert "description" in events[1].changes
    assert events[1].changes["product_or_order"] == ("", "3384756201948857231")


async def test_settling_is_counted_from_when_a_message_was_read(office: Office) -> None:
    """A burst that comes in late, page by page, is one all the same."""
    then = office.desk.clock.now() - timedelta(minutes=30)
    for number in range(3):
        text = ("在吗", "耳机左边没有声音", "要求退款")[number]
        raw_time = then + timedelta(seconds=number)
        message = {"text": text, "author": {"id": "wm-li"}, "posted_at": raw_time.isoformat()}
        body = json.dumps(message).encode()
        await office.accept("chat", f"c-{number}", body, MESSAGE_JSON, thread="wm-li", received_at=raw_time)
        await office.settle(5)
    await office.settle(20)
    (event,) = await office.events()
    assert len(event.messages) == 3


# Order


async def test_messages_that_come_out_of_order_stand_in_the_order_they_were_said(office: Office) -> None:
    start = office.desk.clock.now() - timedelta(minutes=1)
    words = ("我上周买的耳机", "左边没有声音", "要求退款")
    for number in (2, 0, 1):
        at = (start + timedelta(seconds=number)).isoformat()
        await write(office, f"c-{number}", words[number], posted_at=at)
        await office.settle(2)
    await office.settle(20)
    (event,) = await office.events()
    assert event.messages == ("c-0", "c-1", "c-2")
    assert event.record.description == "\n".join(words)


async def test_what_was_said_before_the_opening_and_comes_after_it_is_a_follow_up(office: Office) -> None:
    before = office.desk.clock.now().isoformat()
    office.desk.clock.advance(1)
    await write(office, "c-1", "左边没有声音，要求退款")
    await office.settle(60)
    await write(office, "c-0", "订单3384756201948857231的耳机", posted_at=before)
    await office.settle(60)
    opened, late = await office.events()
    assert (late.complaint_id, late.messages) == (opened.complaint_id, ("c-0",))
    assert [one.id for one in late.record.conversation] == ["c-0", "c-1"]


# Edits and withdrawals


async def test_who_takes_back_one_of_several_messages_edits_the_complaint(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音，要求退款")
    await write(office, "c-1", "你们都是骗子")
    await office.settle(60)
    await write(office, "c-1-gone", "", external_id="c-1", kind="withdrawn", revision="2")
    await office.settle(60)
    _, event = await office.events()
    assert (event.kind, event.messages, event.record.tags) == (EDITED, ("c-1",), ("withdrawn",))
    (file,) = await office.complaints()
    assert "你们都是骗子" in {row.message.text for row in file.messages}, "the journal keeps what was said"


async def test_who_takes_back_all_of_it_withdraws_the_complaint(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音，要求退款")
    await write(office, "c-1", "你们都是骗子")
    await office.say("chat", "a-0", "您好，请稍等", thread="wm-li", author=AGENT)
    await office.settle(60)
    for key in ("c-0", "c-1"):
        await write(office, f"{key}-gone", "", external_id=key, kind="withdrawn", revision="2")
    await office.settle(60)
    _, event = await office.events()
    assert (event.kind, event.record.tags) == (WITHDRAWN, ("withdrawn",))
    assert "左边没有声音" in event.record.conversation[0].text


async def test_what_is_taken_back_before_it_was_filed_is_no_hole(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音，要求退款")
    await office.settle(5)
    await write(office, "c-0-gone", "", external_id="c-0", kind="withdrawn", revision="2")
    await office.settle(60)
    (event,) = await office.events()
    assert (event.kind, event.record.tags) == (OPENED, ("withdrawn",))


async def test_an_edit_long_after_belongs_to_what_was_edited(office: Office) -> None:
    await speak(office, "c-0", "耳机左边没有声音", "wang")
    await office.settle(7200)
    await speak(office, "c-1", "充电盒也坏了，要求换货", "wang")
    await office.settle(60)
    await speak(office, "c-2", "耳机右边没有声音", "wang", external_id="c-0", kind="edited", revision="2")
    await office.settle(60)
    first, second = await office.complaints()
    assert [event.kind for event in first.events] == [OPENED, EDITED]
    assert len(second.events) == 1


# Agents and machines


async def test_an_agents_words_alone_are_no_complaint_and_nothing_that_was_not_filed(office: Office) -> None:
    await office.say("chat", "a-0", "您好，您的快递已到，请查收", thread="wm-li", author=AGENT)
    await office.settle(600)
    assert (await office.complaints(), unfiled(office)) == ([], 0)
    await write(office, "c-0", "外包装破了，里面的杯子碎了，要求退款")
    await office.settle(60)
    (file,) = await office.complaints()
    assert said(file) == ["a-0", "c-0"], "what was said before is context"


async def test_an_agents_words_open_no_window_and_make_no_event(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音")
    await office.settle(10)
    await office.say("chat", "a-0", "请提供订单号", thread="wm-li", author=AGENT)
    await office.settle(6)
    assert len(await office.events()) == 1, "who answers holds nothing up"
    await office.say("chat", "a-1", "还在吗", thread="wm-li", author=AGENT)
    await office.settle(600)
    assert len(await office.events()) == 1


async def test_an_agent_keeps_a_conversation_open(office: Office) -> None:
    await speak(office, "c-0", "耳机左边没有声音", "wang")
    for number in range(3):
        await office.settle(3000)
        await speak(office, f"a-{number}", "我们还在处理", AGENT)
    await office.settle(3000)
    await speak(office, "c-1", "都三个小时了", "wang")
    await office.settle(60)
    (file,) = await office.complaints()
    assert [event.messages for event in file.events] == [("c-0",), ("a-0", "a-1", "a-2", "c-1")]


@pytest.mark.parametrize("facts", [{"author": BOT}, {"author": {"id": "wang"}, "is_automatic": True}])
async def test_a_machine_keeps_nothing_open(office: Office, facts: dict[str, Any]) -> None:
    await speak(office, "c-0", "耳机左边没有声音", "wang")
    await office.settle(3000)
    await speak(office, "b-0", "满意请打分", facts.pop("author"), **facts)
    await office.settle(1000)
    await speak(office, "c-1", "充电盒也坏了，要求换货", "wang")
    await office.settle(60)
    first, second = await office.complaints()
    assert (said(first), said(second)) == (["c-0", "b-0"], ["c-1"])
    assert second.record.related == (first.record.id,)


async def test_an_agent_reopens_nothing(office: Office) -> None:
    await speak(office, "c-0", "耳机左边没有声音", "wang")
    await office.settle(4000)
    await speak(office, "a-0", "您的问题解决了吗", AGENT)
    await office.settle(60)
    await speak(office, "c-1", "充电盒也坏了，要求换货", "wang")
    await office.settle(60)
    first, second = await office.complaints()
    assert (said(first), said(second)) == (["c-0", "a-0"], ["c-1"])


# Rooms


async def test_customers_who_share_a_room_have_a_matter_each(office: Office) -> None:
    await speak(office, "c-0", "我的耳机左边没有声音，要求退款", "wang")
    await speak(office, "c-1", "快递破损，杯子碎了", "zhao")
    await speak(office, "c-2", "订单3384756201948857231", "wang")
    await office.settle(60)
    await speak(office, "c-3", "还没有人理我", "zhao")
    await office.settle(60)
    first, second = sorted(await office.complaints(), key=said)
    assert (said(first), said(second)) == (["c-0", "c-2"], ["c-1", "c-3"])
    assert {first.record.customer_id, second.record.customer_id} == {"wang", "zhao"}
    assert not first.record.related
    assert not second.record.related


async def test_a_room_of_many_customers_loses_none_of_them(office: Office) -> None:
    for number in range(40):
        await speak(office, f"c-{number}", f"我的耳机没有声音，要求退款，第{number}单", f"wm-{number}")
        office.desk.clock.advance(1)
    await office.settle(60)
    await speak(office, "c-again", "还没有人理我", "wm-3")
    await speak(office, "a-0", "马上给您处理", AGENT)
    await office.settle(60)
    files = await office.complaints()
    assert len(files) == 40
    (his,) = [file for file in files if file.record.customer_id == "wm-3"]
    assert said(his) == ["c-3", "c-again", "a-0"], "an agent who names nobody answers who spoke last"


async def test_who_answers_anothers_message_joins_his_matter(office: Office) -> None:
    await speak(office, "c-0", "我的耳机左边没有声音", "wang")
    await speak(office, "c-1", "我的也是，右边没有声音", "zhao", "c-0")
    await office.settle(60)
    (file,) = await office.complaints()
    assert said(file) == ["c-0", "c-1"]


async def test_an_agent_in_a_room_speaks_to_the_one_he_names(office: Office) -> None:
    await speak(office, "c-0", "我的耳机左边没有声音，要求退款", "wang")
    await speak(office, "c-1", "快递破损，杯子碎了，赔偿", "zhao")
    await speak(office, "a-0", "请把照片发来", AGENT, participants=["wang"])
    await speak(office, "a-1", "请问是哪一单", AGENT)
    await office.settle(60)
    first, second = sorted(await office.complaints(), key=said)
    assert (said(first), said(second)) == (["c-0", "a-0"], ["c-1", "a-1"])


# Restarts


async def test_a_restart_in_the_middle_of_a_window_makes_two_events_of_none(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音")
    await office.settle(5)
    await office.close()
    await office.desk.reopen()
    again = Office(office.desk)
    await again.open()
    try:
        await write(again, "c-1", "要求退款")
        await again.settle(16)
        (event,) = await again.events()
        assert event.messages == ("c-0", "c-1")
    finally:
        await again.close()


async def test_after_a_start_a_channel_first_catches_up(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音")
    await office.settle(5)
    await office.close()
    await office.desk.reopen()
    office.desk.clock.advance(1800)
    await office.desk.journal.resume_timers({"chat": 15.0})
    again = Office(office.desk)
    await again.open()
    try:
        await again.settle(5)
        await write(again, "c-1", "要求退款")
        await again.settle(60)
        (event,) = await again.events()
        assert event.messages == ("c-0", "c-1"), "said while nobody listened"
    finally:
        await again.close()


async def test_what_was_due_before_a_stop_is_filed_after_the_start(office: Office) -> None:
    await write(office, "c-0", "耳机左边没有声音")
    await office.settle()
    await office.close()
    await office.desk.journal.resume_timers({"chat": 15.0, "nobody": 15.0})
    office.desk.clock.advance(1)
    again = Office(office.desk)
    await again.open()
    try:
        await again.settle(16)
        assert len(await again.events()) == 1
    finally:
        await again.close()
