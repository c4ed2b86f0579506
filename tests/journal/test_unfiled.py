"""What deserves no ticket is kept, counted and shown, and a person can have it filed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allears.journal.unfiled import UnfiledCount
from allears_sdk.complaint import EventKind
from allears_sdk.message import Message
from normalizer.conversation import Conversation, Draft, Facts, Heard
from normalizer.derive import derive, deserves_filing
from tests.journal.desk import PRAISE, Desk, mail, router, said

AWAY = replace(
    mail("away", text="屏幕又碎了，我要求退款！", subject="自动回复: 屏幕碎了"),
    is_automatic=True, automatic_reason="subject: 自动回复:",
)  # fmt: skip


def drafted(message: Message, desk: Desk) -> Draft:
    """As a worker derives it, by the real rules."""
    heard = Heard(message=replace(message, revision="1"), received_at=desk.clock.now())
    conversation = Conversation(reference="", opened_at=desk.clock.now(), messages=(heard,))
    record = derive(conversation, Facts(channel="mail", connector="email"))
    return Draft(record=record, files=deserves_filing(record, public=False))


async def hear(desk: Desk, *messages: Message) -> None:
    await desk.accept("mail", *[desk.raw(one.external_id, one) for one in messages])
    readings = [
        replace(desk.reading(stored), draft=drafted(message, desk))
        for stored, message in zip(await desk.take(), messages, strict=True)
    ]
    await desk.join(readings)


async def settle(desk: Desk) -> None:
    while await desk.journal.next_due() is not None:
        for due in await desk.journal.due_conversations(desk.clock.now(), 100):
            conversation = Conversation(
                reference=due.reference, opened_at=due.opened_at, messages=tuple(due.messages), related=()
            )
            record = derive(conversation, Facts(channel=due.channel, connector="email"))
            draft = Draft(record=record, files=deserves_filing(record, public=False))
            await desk.journal.file(due, draft, router, settles=False)


async def test_automatic_mail_is_shown_with_its_sign_and_counted(desk: Desk) -> None:
    await hear(desk, AWAY, mail("praise", text="非常满意，五星好评，物流也快，赞！", subject=""), mail("1"))
    (away,) = await desk.journal.unfiled(nature="automatic")
    assert away.reason == "subject: 自动回复:"
    assert away.reference == desk.reference_of("mail", AWAY.external_id)
    assert UnfiledCount(channel="mail", nature="automatic", count=1) in await desk.journal.unfiled_counts()
    assert not await desk.journal.unfiled(channel="review")
    assert (await desk.journal.complaints())[1] == 1


async def test_wrongly_judged_it_is_filed_by_hand_once(desk: Desk) -> None:
    await hear(desk, AWAY)
    (row,) = await desk.journal.unfiled()
    await desk.journal.file_unfiled(row.reference)
    await settle(desk)
    file = await desk.file(row.reference)
    assert file.record.nature == "complaint"
    assert file.record.expectation == ("refund",)
    assert [event.kind for event in file.events] == [EventKind.OPENED]
    assert not await desk.journal.unfiled()
    with pytest.raises(ValueError, match="nothing unfiled"):
        await desk.journal.file_unfiled(row.reference)
    follow = replace(mail("more", thread=("away",), subject="Re: 屏幕碎了", text="谢谢"), posted_at=None)
    await hear(desk, follow)
    await settle(desk)
    file = await desk.file(row.reference)
    assert len(file.events) == 2
    assert file.record.nature == "complaint", "what a person decided stays"


async def test_praise_wanted_as_a_ticket_is_one_by_a_persons_word(desk: Desk) -> None:
    await hear(desk, mail("p", text="Great service, very happy, thank you so much!", subject=""))
    (row,) = await desk.journal.unfiled()
    await desk.journal.file_unfiled(row.reference)
    await settle(desk)
    record = (await desk.file(row.reference)).record
    assert record.nature == "complaint"
    assert record.provenance["nature"].source == "admin"


async def test_what_becomes_a_complaint_by_itself_is_no_longer_listed(desk: Desk) -> None:
    await desk.accept("mail", desk.raw("1", mail("1", text=PRAISE)))
    await desk.settle()
    assert len(await desk.journal.unfiled()) == 1
    await desk.hear("mail", "2", mail("2", subject="Re: 屏幕碎了", thread=("1",), text="it broke again"))
    assert not await desk.journal.unfiled()


async def test_a_chat_of_thanks_is_listed_once_however_long(desk: Desk) -> None:
    await desk.accept("chat", desk.raw("1", said(PRAISE), thread="wm-li"))
    await desk.settle()
    await desk.accept("chat", desk.raw("2", said(PRAISE), thread="wm-li"))
    await desk.read_waiting()
    assert len(await desk.journal.unfiled()) == 1


async def test_pages_and_a_renamed_channel(desk: Desk) -> None:
    await desk.journal.note_channel("mail", connector="email", state="running")
    thanks = [mail(f"{number}", text=PRAISE) for number in range(7)]
    await desk.accept("mail", *[desk.raw(one.external_id, one) for one in thanks])
    await desk.settle()
    first = await desk.journal.unfiled(limit=4)
    second = await desk.journal.unfiled(limit=4, before=first[-1].id)
    assert (len(first), len(second)) == (4, 3)
    await desk.journal.rename_channel("mail", "post")
    assert {row.channel for row in await desk.journal.unfiled()} == {"post"}
