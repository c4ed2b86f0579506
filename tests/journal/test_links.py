"""Complaints of one customer or order know of each other, from both ends; nothing is ever merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from allears.journal.links import MOST_OF_ONE, shown_key
from allears.journal.records import Reading
from allears_sdk.complaint import Complaint, Customer, Provenance
from allears_sdk.message import Kind
from normalizer.conversation import Draft, Identifiers
from normalizer.standing import LEVEL, level_source
from tests.journal.desk import Desk, draft, mail, router, said

PHONE, MAILBOX, WECHAT, ORDER = 11, 22, 33, 99


def known(made: Draft, *customers: int, orders: Sequence[int] = (), since: float = 0.0, **facts: Any) -> Draft:
    """With identifiers, and what a file says of the customer."""
    given = Identifiers(customers=customers, orders=tuple(orders), since=since)
    return replace(made, identifiers=given, record=replace(made.record, customer=Customer(**facts)))


async def hear(
    desk: Desk, channel: str, said_as: str, *customers: int, orders: Sequence[int] = (), **facts: Any
) -> str:
    """A complaint that stands alone; its reference."""
    is_mail = channel == "mail"
    message = mail(said_as, who=f"{said_as}@example.cn") if is_mail else said(f"屏幕碎了 {said_as}")
    await desk.accept(channel, desk.raw(said_as, message))
    (stored,) = await desk.take()
    reading = desk.reading(stored)
    assert reading.draft is not None
    await desk.join([replace(reading, draft=known(reading.draft, *customers, orders=orders, **facts))])
    return desk.reference_of(channel, message.external_id or said_as)


async def record(desk: Desk, reference: str) -> Complaint:
    return (await desk.file(reference)).record


async def related(desk: Desk, reference: str) -> set[str]:
    """As the console shows them."""
    file = await desk.file(reference)
    return set(file.related)


async def test_one_customer_on_two_channels_is_linked_from_both_ends(desk: Desk) -> None:
    first = await hear(desk, "mail", "m1", MAILBOX, PHONE)
    second = await hear(desk, "review", "r1", PHONE)
    other = await hear(desk, "review", "r2", WECHAT)
    assert (await record(desk, second)).related == (first,)
    assert await related(desk, first) == {second}
    assert await related(desk, second) == {first}
    assert await related(desk, other) == set()
    assert len({first, second, other}) == 3


async def test_the_customers_key_is_the_same_where_an_identifier_matches(desk: Desk) -> None:
    keys = [
        (await record(desk, await hear(desk, "mail", "m1", MAILBOX, PHONE))).customer.key,
        (await record(desk, await hear(desk, "review", "r1", PHONE, WECHAT))).customer.key,
        (await record(desk, await hear(desk, "review", "r2", WECHAT))).customer.key,
    ]
    assert keys == [shown_key(MAILBOX)] * 3
    assert (await record(desk, await hear(desk, "mail", "m2", 44))).customer.key == shown_key(44)


async def test_a_key_of_the_customers_file_stands(desk: Desk) -> None:
    reference = await hear(desk, "mail", "m1", MAILBOX, key="M001")
    assert (await record(desk, reference)).customer.key == "M001"


async def test_a_key_of_the_customers_file_is_the_same_where_the_file_says_nothing(desk: Desk) -> None:
    """The file knows the mailbox; the chat is known by a phone that the mail named too."""
    await hear(desk, "mail", "m1", MAILBOX, PHONE, key="42")
    assert (await record(desk, await hear(desk, "review", "r1", PHONE))).customer.key == "42"


async def test_an_order_links_complaints_and_makes_nobody_one_customer(desk: Desk) -> None:
    first = await hear(desk, "mail", "m1", MAILBOX, orders=[ORDER])
    second = await hear(desk, "review", "r1", WECHAT, orders=[ORDER])
    assert await related(desk, first) == {second}
    one, two = await record(desk, first), await record(desk, second)
    assert one.customer.key != two.customer.key
    assert two.customer.earlier_contacts == 0


async def test_the_third_complaint_of_a_customer_is_urgent(desk: Desk) -> None:
    references = [await hear(desk, "review", f"r{at}", PHONE) for at in range(3)]
    records = [await record(desk, one) for one in references]
    assert [one.customer.earlier_contacts for one in records] == [0, 1, 2]
    assert [one.priority for one in records] == ["P3", "P3", "P2"]
    assert records[2].provenance["priority"].source == "customer:earlier_contacts"


async def test_several_in_one_step_know_of_each_other(desk: Desk) -> None:
    raws = [desk.raw(f"m{at}", mail(f"m{at}", who=f"a{at}@example.cn")) for at in range(3)]
    await desk.accept("mail", *raws)
    readings: list[Reading] = []
    for stored in await desk.take():
        reading = desk.reading(stored)
        assert reading.draft is not None
        readings.append(replace(reading, draft=known(reading.draft, PHONE)))
    await desk.join(readings)
    references = [desk.reference_of("mail", f"m{at}~digest") for at in range(3)]
    for one in references:
        assert await related(desk, one) == set(references) - {one}
    counts = [(await record(desk, one)).customer.earlier_contacts for one in references]
    assert counts == [0, 1, 2]


async def test_what_many_share_is_nobodys_own(desk: Desk) -> None:
    """A desk that writes down what customers say over the phone, all under its own name."""
    references = [await hear(desk, "review", f"r{at}", PHONE) for at in range(MOST_OF_ONE + 3)]
    last = await record(desk, references[-1])
    assert last.related == ()
    assert (last.customer.earlier_contacts, last.priority) == (0, "P3")
    assert last.customer.key == shown_key(PHONE)


async def test_what_is_long_ago_is_not_linked(desk: Desk) -> None:
    first = await hear(desk, "mail", "m1", PHONE)
    desk.clock.advance(timedelta(days=100))
    await desk.accept("review", desk.raw("r1", said("屏幕又碎了")))
    (stored,) = await desk.take()
    reading = desk.reading(stored)
    assert reading.draft is not None
    since = (desk.clock.now() - timedelta(days=90)).timestamp()
    await desk.join([replace(reading, draft=known(reading.draft, PHONE, since=since))])
    assert (await record(desk, desk.reference_of("review", "r1"))).related == ()
    assert await related(desk, first) == set()


async def test_an_identifier_that_comes_later_links_then(desk: Desk) -> None:
    """In a chat the phone number follows."""
    first = await hear(desk, "mail", "m1", PHONE)
    await desk.accept("chat", desk.raw("c1", said("耳机坏了", thread="room"), thread="room"))
    await chat_settles(desk, WECHAT)
    opened = desk.reference_of("chat", "c1")
    assert (await record(desk, opened)).related == ()
    await desk.accept("chat", desk.raw("c2", said("我的电话 13800138000", thread="room"), thread="room"))
    await chat_settles(desk, PHONE, WECHAT)
    found = await record(desk, opened)
    assert found.related == (first,)
    assert found.customer.key == shown_key(WECHAT), "it has been given, and is kept"
    assert found.customer.earlier_contacts == 1
    assert await related(desk, first) == {opened}


async def chat_settles(desk: Desk, *customers: int, **facts: Any) -> None:
    await desk.read_waiting()
    desk.clock.advance(timedelta(seconds=200))
    for due in await desk.journal.due_conversations(desk.clock.now(), 10):
        made = known(draft(due.messages, due.reference), *customers, **facts)
        assert await desk.journal.file(due, made, router, settles=True)


async def test_what_was_known_of_the_customer_is_kept(desk: Desk) -> None:
    """The file that said VIP has gone, and the words are as harmless as before."""
    await desk.accept("chat", desk.raw("c1", said("耳机坏了", thread="room"), thread="room"))
    await desk.read_waiting()
    desk.clock.advance(timedelta(seconds=200))
    (due,) = await desk.journal.due_conversations(desk.clock.now(), 10)
    made = known(draft(due.messages, due.reference), WECHAT, level="VIP", key="M001")
    marked = replace(made.record, provenance={LEVEL: level_source("customers", matters=True)})
    assert await desk.journal.file(due, replace(made, record=marked), router, settles=True)
    await desk.accept("chat", desk.raw("c2", said("还是没声音", thread="room"), thread="room"))
    await chat_settles(desk, WECHAT)
    found = await record(desk, desk.reference_of("chat", "c1"))
    assert (found.customer.level, found.customer.key, found.priority) == ("VIP", "M001", "P2")
    assert found.provenance["priority"] == Provenance(source="customer:level", score=0.9)


async def test_an_edit_of_a_review_is_no_second_complaint(desk: Desk) -> None:
    first = await hear(desk, "review", "r1", PHONE)
    edited = said("屏幕碎了，客服不理", external_id="r1", revision="2", kind=Kind.EDITED)
    await desk.accept("review", desk.raw("r1-2", edited))
    await desk.read_waiting()
    for due in await desk.journal.due_conversations(desk.clock.now(), 10):
        assert await desk.journal.file(due, known(draft(due.messages, due.reference), PHONE), router, settles=False)
    found = await record(desk, first)
    assert (found.related, found.customer.earlier_contacts) == ((), 0)


@pytest.mark.parametrize("again", [False, True])
async def test_links_outlive_a_restart(desk: Desk, again: bool) -> None:
    first = await hear(desk, "mail", "m1", PHONE)
    if again:
        await desk.reopen()
    second = await hear(desk, "review", "r1", PHONE)
    assert await related(desk, first) == {second}


async def test_reading_it_again_knows_what_was_known(desk: Desk) -> None:
    """Rules alone would say P3; who waits for the third time stays urgent."""
    references = [await hear(desk, "review", f"r{at}", PHONE) for at in range(3)]
    before = await record(desk, references[2])
    (filed,) = [one for one in await desk.journal.anew.filed() if one.record.id == references[2]]
    again = draft(filed.conversation.messages, references[2])
    assert again.record.priority == "P3"
    assert (await desk.journal.anew.compare(filed.conversation, again)).changes == {}
    assert before.priority == "P2"
