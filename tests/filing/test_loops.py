"""Mail loops: our own answers coming back, machines that answer machines, rules that forward to ourselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allears_sdk.message import RFC822
from allears_sdk.reference import mail_id
from tests.filing.office import Office

OWN = "kefu@example.com"


@pytest.fixture
async def desk_of_kefu(office: Office) -> Office:
    """The channel knows its own address."""
    mail = office.stage.readers["mail"]
    office.stage.readers = {**office.stage.readers, "mail": replace(mail, facts=replace(mail.facts, own=(OWN,)))}
    return office


async def opened(office: Office) -> str:
    await office.mail("m-0", "屏幕碎了，要求退款")
    await office.settle()
    (file,) = await office.complaints()
    return file.record.id


@pytest.mark.parametrize("marked", [True, False])
async def test_our_acknowledgement_that_comes_back_files_nothing(desk_of_kefu: Office, marked: bool) -> None:
    """By a copy to the mailbox, a Sent folder, or a rule; with all its header or with what a gateway left of it."""
    office = desk_of_kefu
    reference = await opened(office)
    for number in range(5):
        head = [f"From: {OWN}", "To: lilei@mail.example.cn", f"Subject: Re: [{reference}]", f"X-Round: {number}"]
        head += [f"X-Allears: {reference}", "Auto-Submitted: auto-replied"] if marked else []
        head += [f"Message-ID: <{mail_id(reference, 'example.com')}>", "In-Reply-To: <m-0@mail.example.cn>"]
        body = "\r\n".join([*head, "", f"received ({number})"]).encode()
        await office.accept("mail", f"ack-{number}", body, RFC822)
        await office.settle()
    assert len(await office.events()) == 1


async def test_machines_answering_each_other_open_nothing_new(office: Office) -> None:
    """Their system acknowledges our acknowledgement, each time under a number of its own."""
    reference = await opened(office)
    for number in range(10):
        await office.answer(
            f"t-{number}", "m-0", f"Your request ({number}) has been received. This is an automated message.",
            who="support@supplier.example", Subject=f"[Ticket#{number}] Re: [{reference}] 屏幕碎了",
            References=f"<{mail_id(reference, 'example.com')}>",
        )  # fmt: skip
    await office.settle()
    assert len(await office.events()) == 1
    assert sum(one.count for one in await office.desk.journal.unfiled_counts()) >= 1


async def test_the_customers_own_auto_reply_stays_context(office: Office) -> None:
    reference = await opened(office)
    for number in range(10):
        await office.answer(
            f"a-{number}", "m-0", "我正在休假，回来后会尽快回复您。", Subject=f"自动回复: [{reference}] 屏幕碎了"
        )
    await office.settle()
    assert len(await office.events()) == 1
    assert len((await office.desk.file(reference)).messages) == 11
    assert not await office.desk.journal.unfiled()


async def test_a_rule_that_forwards_to_ourselves_ends(desk_of_kefu: Office) -> None:
    """Each round is a new mail with a new Message-ID, one more mark, and one more header block."""
    office = desk_of_kefu
    await opened(office)
    subject, text = "屏幕碎了", "屏幕碎了，要求退款"
    for number in range(20):
        text = f"---------- Forwarded message ---------\nFrom: {OWN}\nSubject: {subject}\n\n{text}"
        if number == 0:
            text = text.replace(OWN, "李雷 <lilei@mail.example.cn>")
        subject = f"Fwd: {subject}"
        await office.mail(f"f-{number}", text, who=OWN, Subject=subject)
        await office.settle()
    complaints = await office.complaints()
    assert len(complaints) <= 3
    assert sum(len(file.events) for file in complaints) <= 4


async def test_the_same_mail_by_another_way_is_the_same_mail(office: Office) -> None:
    """A redirecting rule changes only what stands above the mail."""
    await opened(office)
    (row,) = office.desk.rows("SELECT body FROM raws")
    for number in range(5):
        hops = b"".join(
            b"Received: from mx%d.example.com\r\nDelivered-To: kefu@example.com\r\n" % hop for hop in range(number)
        )
        await office.accept("mail", f"again-{number}", hops + bytes(row[0]), RFC822)
    await office.settle()
    assert len(await office.events()) == 1


async def test_an_agents_answer_in_the_sent_folder_is_context(desk_of_kefu: Office) -> None:
    office = desk_of_kefu
    await opened(office)
    await office.answer("s-0", "m-0", "您好，请提供照片", who=OWN, To="lilei@mail.example.cn")
    await office.settle()
    assert len(await office.events()) == 1
    await office.answer("m-1", "s-0", "照片见附件", References="<m-0@mail.example.cn> <s-0@mail.example.cn>")
    await office.settle()
    assert [len(event.messages) for event in await office.events()] == [1, 2]
