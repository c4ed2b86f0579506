"""Which conversation a message belongs to, and the reference it keeps for ever."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from allears.journal.subjects import base_subject, is_reply
from allears_sdk.message import Author, Kind, Message
from allears_sdk.reference import is_reference
from tests.journal.desk import AMY, LI, Desk, mail, said


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("屏幕碎了", "屏幕碎了"),
        ("Re: 屏幕碎了", "屏幕碎了"),
        ("回复：屏幕碎了", "屏幕碎了"),
        ("答复: RE: Fwd: 屏幕碎了", "屏幕碎了"),
        ("RE[2]: Refund", "refund"),
        ("Re(3): Refund", "refund"),
        ("AW: WG: Refund", "refund"),
        ("[EXTERNAL] Re: Refund", "refund"),
        ("Re: [Ticket 17] Refund", "refund"),
        ("【外部邮件】回复: 退款", "退款"),
        ("轉寄： 退款", "退款"),
        ("  Refund \t now ", "refund now"),
        ("Re:", ""),
        ("", ""),
        ("Regarding: my order", "regarding: my order"),
        ("Return: order 17", "return: order 17"),
    ],
)
def test_the_base_of_a_subject(subject: str, base: str) -> None:
    assert base_subject(subject) == base


@pytest.mark.parametrize("subject", ["Re: x", "回复：退款", "[EXTERNAL] RE: x", "【外部】答复: 退款", "Fwd: x"])
def test_a_reply_is_known_by_its_mark(subject: str) -> None:
    assert is_reply(subject)


@pytest.mark.parametrize("subject", ["x", "", "[EXTERNAL] another matter", "【京东】另一个订单", "Regarding: x"])
def test_a_tag_alone_makes_no_reply(subject: str) -> None:
    assert not is_reply(subject)


# Mail


async def test_a_reply_joins_by_its_references(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    assert is_reference(first)
    assert await desk.hear("mail", "2", mail("2", subject="Re: 屏幕碎了", thread=("1",))) == first
    assert await desk.hear("mail", "3", mail("3", subject="回复：Re: 屏幕碎了", thread=("2", "1"))) == first
    assert [event.sequence for event in (await desk.file(first)).events] == [1, 2, 3]


async def test_two_mails_of_one_subject_are_two_matters(desk: Desk) -> None:
    """The same words, nothing quoted: people write "Refund" more than once in their lives."""
    first = await desk.hear("mail", "1", mail("1", subject="退款"))
    assert await desk.hear("mail", "2", mail("2", subject="退款")) != first


async def test_a_stranger_who_quotes_a_message_id_stays_a_stranger(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", LI))
    stranger = await desk.hear("mail", "2", mail("2", AMY, subject="Re: 屏幕碎了", thread=("1",)))
    assert stranger != first
    assert desk.related(stranger) == []
    assert await desk.events(first) == [("1~digest",)]


async def test_a_stranger_who_quotes_the_reference_stays_a_stranger(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", LI))
    for key, facts in (
        ("2", {"subject": f"Re: {first}"}),
        ("3", {"text": f"请查询 {first} 的进度"}),
        ("4", {"subject": f"Re: [{first}] 屏幕碎了", "thread": ("1",)}),
    ):
        stranger = await desk.hear("mail", key, mail(key, AMY, **facts))
        assert stranger != first
        assert desk.related(stranger) == []


async def test_a_stranger_crowds_nobody_out(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", LI))
    for number in range(30):
        await desk.hear("mail", f"s{number}", mail(f"s{number}", f"spam{number}@example.com", thread=("1",)))
    assert await desk.hear("mail", "2", mail("2", LI, subject="Re: 屏幕碎了", thread=("1",))) == first


async def test_who_was_written_to_may_answer(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", LI, participants=(AMY, "help@shop.cn")))
    assert await desk.hear("mail", "2", mail("2", AMY, subject="Re: 屏幕碎了", thread=("1",))) == first


@pytest.mark.parametrize("order", list(permutations("123")))
async def test_whichever_arrives_first_the_reference_is_the_same(tmp_path: Path, order: tuple[str, ...]) -> None:
    """A reply whose parent we never saw threads by its root."""
    mails = {
        "1": mail("1"),
        "2": mail("2", subject="Re: 屏幕碎了", thread=("1",)),
        "3": mail("3", subject="回复: 屏幕碎了", thread=("2", "1")),
    }
    desk = await Desk.open(tmp_path / "data")
    references = {await desk.hear("mail", key, mails[key]) for key in order}
    await desk.close()
    alone = await Desk.open(tmp_path / "alone")
    assert references == {await alone.hear("mail", "1", mails["1"])}
    await alone.close()


async def test_a_new_subject_under_an_old_thread_is_another_matter_and_related(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    other = await desk.hear("mail", "2", mail("2", subject="发票开错了", thread=("1",)))
    assert other != first
    assert desk.related(other) == [first]
    tagged = await desk.hear("mail", "3", mail("3", subject="[EXTERNAL] 快递丢了", thread=("1",)))
    assert tagged not in (first, other)
    assert first in desk.related(tagged)


async def test_a_changed_subject_that_says_it_is_a_reply_stays(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", subject="屏幕碎了"))
    assert await desk.hear("mail", "2", mail("2", subject="回复：关于您的投诉", thread=("1",))) == first
    assert await desk.hear("mail", "3", mail("3", subject="", thread=("1",))) == first


@pytest.mark.parametrize(
    "subject", ["Re: {}", "{} 还没有解决", "About {}: still broken", "[{}]", "{lower}", "{spaced}"]
)
async def test_the_same_sender_joins_by_the_number_in_the_subject(desk: Desk, subject: str) -> None:
    """Written from another device, in a new mail: nothing but the number people were given."""
    first = await desk.hear("mail", "1", mail("1"))
    typed = subject.format(first, lower=first.lower(), spaced=first.replace("-", ""))
    assert await desk.hear("mail", "2", mail("2", subject=typed)) == first


async def test_a_number_of_another_channel_joins_nothing(desk: Desk) -> None:
    first = await desk.hear("review", "r", said("很差"))
    assert await desk.hear("mail", "1", mail("1", subject=f"Re: {first}")) != first


async def test_ids_repeat_in_another_journal(desk: Desk, tmp_path: Path) -> None:
    """After a restore the same words get the same references, in whatever order they are read."""
    mails = [mail(f"{number}", (LI, AMY)[number % 2], thread=("0",) if number else ()) for number in range(6)]
    await desk.accept("mail", *[desk.raw(f"{number}", one) for number, one in enumerate(mails)])
    await desk.settle()
    other = await Desk.open(tmp_path / "other", desk.clock)
    for number, one in reversed(list(enumerate(mails))):
        await other.hear("mail", f"other-{number}", one)
    for one in mails:
        assert desk.reference_of("mail", one.external_id) == other.reference_of("mail", one.external_id)
    await other.close()


# Chats


async def test_a_chat_that_was_idle_begins_a_new_conversation_related_to_the_old(desk: Desk) -> None:
    first = await desk.hear("chat", "1", said("耳机坏了"), thread="wm-li")
    desk.clock.advance(3500)
    assert await desk.hear("chat", "2", said("还在吗"), thread="wm-li") == first
    desk.clock.advance(3700)
    second = await desk.hear("chat", "3", said("又坏了"), thread="wm-li")
    assert second != first
    assert desk.related(second) == [first]
    assert await desk.hear("chat", "4", said("退款"), thread="wm-li") == second


async def test_two_customers_of_one_chat_channel_never_meet(desk: Desk) -> None:
    first = await desk.hear("chat", "1", said("在吗"), thread="wm-li")
    assert await desk.hear("chat", "2", said("在吗", "wm-wang"), thread="wm-wang") != first


async def test_chats_found_at_joining_are_threaded_alike(desk: Desk) -> None:
    """A channel whose raws name no thread before they are parsed."""
    first = await desk.hear("chat", "1", said("在吗", thread="room-7"))
    desk.clock.advance(600)
    assert await desk.hear("chat", "2", said("在吗", thread="room-7")) == first
    desk.clock.advance(3700)
    second = await desk.hear("chat", "3", said("又坏了", thread="room-7"))
    assert second != first
    assert first in desk.related(second)


async def test_an_answer_goes_on_with_what_it_answers_however_old(desk: Desk) -> None:
    """A platform's thread hangs under a message; a room has a name that is no message's."""
    first = await desk.hear("chat", "1", said("屏幕碎了", thread="room-7", external_id="room-7:m1"))
    desk.clock.advance(30 * 86_400)
    second = await desk.hear("chat", "2", said("耳机也坏了", thread="room-7", external_id="room-7:m2"))
    assert second != first
    assert await desk.hear("chat", "3", said("还没有人回复", thread="room-7:m1", external_id="room-7:m3")) == first
    assert await desk.hear("chat", "4", said("换了耳机", thread="room-7", external_id="room-7:m4")) == second
    quoting = replace(said("屏幕修了吗", external_id="room-7:m5"), thread=("room-7:m1", "room-7"))
    assert await desk.hear("chat", "5", quoting) == first
    desk.clock.advance(30 * 86_400)
    assert await desk.hear("chat", "6", said("一直没修", thread="room-7:m3", external_id="room-7:m6")) == first


async def test_an_edit_finds_its_message_however_old(desk: Desk) -> None:
    first = await desk.hear("chat", "1", said("屏幕碎了", thread="room-7", external_id="m1"))
    desk.clock.advance(7200)
    edit = said("屏幕碎成两半", thread="room-7", external_id="m1", kind=Kind.EDITED, revision="2")
    assert await desk.hear("chat", "1-edited", edit) == first


async def test_an_edit_of_what_a_thread_was_accepted_with_stays_where_that_is(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("1", said("在吗"), thread="wm-li", digest="a"))
    (second,) = await desk.accept("chat", desk.raw("2", said("屏幕碎了"), thread="wm-li", digest="a"))
    desk.clock.advance(7200)
    edit = desk.raw("2", said("屏幕碎成两半", kind=Kind.EDITED), thread="wm-li", digest="b")
    (edited,) = await desk.accept("chat", edit)
    assert (edited.is_new, edited.reference, edited.opened) == (True, second.reference, False)
    desk.clock.advance(600)
    (later,) = await desk.accept("chat", desk.raw("3", said("退款"), thread="wm-li"))
    assert later.reference == second.reference, "whether the edit was read in between or not"
    await desk.settle()
    (event,) = await desk.events(second.reference)
    assert event == ("1", "2", "3"), "each message once, though one was edited"


# Items


async def test_a_review_and_its_edits_are_one(desk: Desk) -> None:
    review = Message(text="1星，很差", external_id="r-1", author=Author(id="wang"))
    first = await desk.hear("review", "r-1", review, digest="1")
    edited = replace(review, text="5星，客服解决了", kind=Kind.EDITED)
    assert await desk.hear("review", "r-1", edited, digest="5") == first
    assert await desk.hear("review", "r-1", replace(review, kind=Kind.EDITED), digest="1") == first
    assert len((await desk.file(first)).events) == 3
    assert await desk.hear("review", "r-2", replace(review, external_id="r-2")) != first


async def test_answers_under_a_post_belong_to_it(desk: Desk) -> None:
    post = await desk.hear("review", "p-1", said("刚买就坏了", external_id="p-1"))
    assert await desk.hear("review", "c-1", said("我的也是", "wang", thread="p-1", external_id="c-1")) == post


async def test_raws_of_one_thread_carry_one_reference(desk: Desk) -> None:
    first, second = await desk.accept("review", desk.raw("1", thread="form-1"), desk.raw("2", thread="form-1"))
    (third,) = await desk.accept("review", desk.raw("3", thread="form-1"))
    await desk.read_waiting()
    (again,) = await desk.accept("review", desk.raw("1", thread="form-1"))
    assert first.reference == second.reference == third.reference == again.reference != ""
    assert {desk.reference_of("review", key) for key in "123"} == {first.reference}


async def test_a_form_keeps_the_reference_its_answer_carried(desk: Desk) -> None:
    (accepted,) = await desk.accept("review", desk.raw("sub-1", thread="sub-1"))
    await desk.settle()
    assert desk.reference_of("review", "sub-1") == accepted.reference
