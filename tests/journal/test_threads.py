"""Threads of mail as an owner of an old support mailbox, and somebody who means ill, would try them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allears.journal.senders import identity, people, speaker
from allears_sdk.message import Author, Message, Role
from allears_sdk.reference import mail_id
from tests.journal.desk import AMY, LI, Desk, mail

SHOP = "help@shop.cn"


def from_id(message: Message, message_id: str, *thread: str) -> Message:
    """The mail under a Message-ID of its own making."""
    return replace(message, known_as=(message_id,), thread=thread, external_id=f"{message_id}#d")


# Who is the same sender


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("li.lei@mail.example.cn", "Li.Lei@Mail.Example.CN"),
        ("li.lei@mail.example.cn", "li.lei+shop@mail.example.cn"),
        ("jane.doe@gmail.com", "janedoe+orders@googlemail.com"),
        ("li@例子.cn", "li@xn--fsqu00a.cn"),
        ("wm-Li", "wm-Li"),
    ],
)
def test_one_mailbox_under_several_spellings(written: str, same: str) -> None:
    assert identity(written) == identity(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("li@qq.com", "li@vip.qq.com"),
        ("li.lei@example.cn", "lilei@example.cn"),
        ("li@example.cn", "li@example.com"),
        ("li@example.cn", "x@li@example.cn"),
        ("+tag@example.cn", "+other@example.cn"),
        ("wm-li", "wm-LI"),
        ("@", "@@"),
    ],
)
def test_different_mailboxes(one: str, other: str) -> None:
    assert identity(one) != identity(other)


@pytest.mark.parametrize("again", ["LI.LEI@MAIL.EXAMPLE.CN", "li.lei+shop@mail.example.cn"])
async def test_the_same_person_from_another_spelling_goes_on(desk: Desk, again: str) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    assert await desk.hear("mail", "2", mail("2", again, subject="Re: 屏幕碎了", thread=("1",))) == first
    renamed = replace(
        mail("3", subject="Re: 屏幕碎了", thread=("1",)), author=Author(id=LI, email=LI, name="李雷(手机)")
    )
    assert await desk.hear("mail", "3", renamed) == first


async def test_a_colleague_in_copy_is_a_party_and_may_bring_in_another(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", participants=(SHOP, AMY)))
    amy = mail("2", AMY, subject="Re: 屏幕碎了", thread=("1",), participants=(SHOP, "bob@example.com"))
    assert await desk.hear("mail", "2", amy) == first
    bob = mail("3", "bob@example.com", subject="答复: 屏幕碎了", thread=("2", "1"))
    assert await desk.hear("mail", "3", bob) == first
    assert (
        await desk.hear("mail", "4", mail("4", "eve@example.com", subject="Re: 屏幕碎了", thread=("3", "1"))) != first
    )


async def test_mails_of_nobody_never_meet(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", ""))
    second = await desk.hear("mail", "2", mail("2", "", subject="Re: 屏幕碎了", thread=("1",)))
    third = await desk.hear("mail", "3", mail("3", "", subject=f"Re: {first}", thread=("1",)))
    assert len({first, second, third}) == 3
    assert await desk.hear("mail", "4", replace(mail("1", ""), external_id="1~other")) not in {first, second, third}


def form(key: str, customer: str, text: str) -> Message:
    """A contact form on the website: mailed from no-reply, the customer behind Reply-To."""
    said = mail(key, "no-reply@shop.cn", subject="联系我们", text=text, participants=(SHOP, customer))
    return replace(said, original=replace(said, author=Author(id=customer, email=customer)))


async def test_customers_behind_one_form_do_not_enter_each_others_complaints(desk: Desk) -> None:
    first = await desk.hear("mail", "1", form("1", LI, "屏幕碎了，要求退款"))
    assert await desk.hear("mail", "2", form("2", AMY, f"我的编号 {first}，还没有人回")) != first
    assert await desk.hear("mail", "3", form("3", LI, f"我的编号 {first}，还没有人回")) == first
    assert await desk.hear("mail", "4", mail("4", LI, subject=f"Re: {first}")) == first
    assert speaker(form("5", LI, "x")) == LI
    assert "no-reply@shop.cn" not in people(form("5", LI, "x"))


async def test_whose_mail_was_forwarded_may_go_on_himself(desk: Desk) -> None:
    forwarded = replace(
        mail("1", "agent@shop.cn", subject="Fwd: 屏幕碎了", text="请处理\n\n发件人: 李雷"),
        original=Message(text="屏幕碎了", author=Author(id=LI, email=LI)),
    )
    first = await desk.hear("mail", "1", forwarded)
    assert await desk.hear("mail", "2", mail("2", LI, subject=f"{first} 有进展吗")) == first


# The number


@pytest.mark.parametrize(
    "text",
    [
        "编号 {}\n请尽快处理",
        "my complaint number is {lower}, still nothing",
        "{wide}",
        "{spaced}",
        "还没有解决。\n受理编号：{}",
        "ok\n\n> 您的投诉已受理\n> 受理编号：{}\n{}",
    ],
)
async def test_the_number_in_words_of_ones_own_joins(desk: Desk, text: str) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    typed = text.format(
        first, first, lower=first.lower(), spaced=first.replace("-", " "),
        wide="".join(chr(ord(letter) + 0xFEE0) for letter in first),
    )  # fmt: skip
    assert await desk.hear("mail", "2", mail("2", subject="还没有人理我", text=typed)) == first


async def test_the_number_in_the_quoted_acknowledgement_is_found_by_an_answer(desk: Desk) -> None:
    """From a client that sends no References."""
    first = await desk.hear("mail", "1", mail("1"))
    quoted = f"还是不行\n\n在 2026年11月20日，客服 <{SHOP}> 写道：\n> 受理编号：{first}\n> 我们会尽快回复\n"
    assert await desk.hear("mail", "2", mail("2", subject="回复：我们收到了您的来信", text=quoted)) == first


async def test_a_new_subject_above_a_quoted_number_is_another_matter(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    quoted = f"发票也开错了\n\n在 2026年11月20日，客服 <{SHOP}> 写道：\n> 受理编号：{first}\n> 我们会尽快回复\n"
    other = await desk.hear("mail", "2", mail("2", subject="发票开错", text=quoted))
    assert other != first
    assert desk.related(other) == [first]


async def test_an_answer_to_our_acknowledgement_joins_by_its_message_id(desk: Desk) -> None:
    """We never read the acknowledgement ourselves; its id holds the number."""
    first = await desk.hear("mail", "1", mail("1"))
    answer = from_id(mail("2", subject="Re: 已收到"), "a1@qq.com", mail_id(first, "shop.cn"))
    assert await desk.hear("mail", "2", answer) == first
    stranger = from_id(mail("3", AMY, subject="Re: 已收到"), "a2@qq.com", mail_id(first, "shop.cn"))
    assert await desk.hear("mail", "3", stranger) != first


async def test_the_number_in_the_subject_goes_before_the_thread_it_was_written_under(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    other = await desk.hear("mail", "2", mail("2", subject="发票"))
    assert await desk.hear("mail", "3", mail("3", subject=f"Re: {first}", thread=("2",))) == first
    assert other != first


async def test_a_thousand_numbers_cost_little_and_open_one(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    text = " ".join(f"ALE-{number:04}-0000-0000" for number in range(2000)) + f" {first}"
    assert await desk.hear("mail", "2", mail("2", AMY, subject="all of them", text=text)) != first


# Message-IDs


async def test_other_words_under_a_used_message_id_are_a_matter_of_their_own(desk: Desk) -> None:
    """A shop's form that gives every mail the same id."""
    first = await desk.hear("mail", "1", mail("1", subject="退款"))
    again = replace(mail("1", subject="物流太慢"), external_id="1~other")
    second = await desk.hear("mail", "2", again)
    assert second != first
    assert desk.related(second) == [first]
    third = replace(mail("1", AMY, subject="退款"), external_id="1~third")
    assert await desk.hear("mail", "3", third) not in (first, second)


async def test_a_copy_that_a_list_has_put_a_footer_under_stays_in_its_complaint(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    copy = replace(mail("1", text="屏幕碎了，要求退款 1\n--\n客服群组"), external_id="1~footer")
    assert await desk.hear("mail", "2", copy) == first


async def test_a_thousand_references_are_borne(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    long = mail("2", subject="Re: 屏幕碎了", thread=(*(f"x{number}" for number in range(1000)), "1"))
    assert await desk.hear("mail", "2", long) == first


@pytest.mark.parametrize("hostile", ["", " ", "'; DROP TABLE names; --", "%", "\x00", "😀" * 300, "<>", "a" * 5000])
async def test_hostile_ids_are_only_names(desk: Desk, hostile: str) -> None:
    first = await desk.hear("mail", "1", from_id(mail("1"), hostile))
    answer = from_id(mail("2", subject="Re: 屏幕碎了"), "2@mail", hostile)
    assert await desk.hear("mail", "2", answer) == first
    assert await desk.hear("mail", "3", from_id(mail("3", AMY, subject="Re: 屏幕碎了"), "3@mail", hostile)) != first


async def test_thousands_of_strangers_crowd_no_party_out(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1", LI, participants=(SHOP, AMY)))
    flood = [mail(f"s{number}", f"spam{number}@example.com", thread=("1",)) for number in range(300)]
    await desk.accept("mail", *[desk.raw(f"s{number}", one) for number, one in enumerate(flood)])
    await desk.settle()
    assert await desk.hear("mail", "2", mail("2", AMY, subject="Re: 屏幕碎了", thread=("1",))) == first


# Related, late, and bridging mails


async def test_answers_under_the_new_subject_stay_there(desk: Desk) -> None:
    first = await desk.hear("mail", "1", mail("1"))
    other = await desk.hear("mail", "2", mail("2", subject="发票开错了", thread=("1",)))
    assert await desk.hear("mail", "3", mail("3", subject="Re: 发票开错了", thread=("2", "1"))) == other
    assert await desk.hear("mail", "5", mail("5", subject="Re: 屏幕碎了", thread=("1",))) == first


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_to_an_agents_new_subject_belongs_to_what_it_is_about(desk: Desk, late: bool) -> None:
    """The agent's mail we never saw; the customer's first may come after the answer."""
    one = from_id(mail("1", subject="屏幕碎了"), "1@qq.com")
    answer = from_id(mail("2", subject="Re: 关于您的投诉"), "2@qq.com", "77@crm.shop.cn", "1@qq.com")
    mails = [answer, one] if late else [one, answer]
    assert len({await desk.hear("mail", f"{number}", message) for number, message in enumerate(mails)}) == 1


async def test_the_parent_that_comes_late_brings_two_threads_together(desk: Desk) -> None:
    """Its own answer named nothing but it: two complaints, each telling of the other."""
    first = await desk.hear("mail", "1", mail("1"))
    lost = await desk.hear("mail", "3", mail("3", subject="Re: 屏幕碎了", thread=("2",)))
    assert lost != first
    assert await desk.hear("mail", "2", mail("2", subject="Re: 屏幕碎了", thread=("1",))) == first
    assert desk.related(first) == [lost]
    assert desk.related(lost) == [first]
    assert await desk.hear("mail", "4", mail("4", subject="Re: 屏幕碎了", thread=("3", "2", "1"))) in (first, lost)


async def test_the_company_may_write_first_or_be_heard_first(desk: Desk, tmp_path: Path) -> None:
    agent = replace(
        mail("2", subject="Re: 屏幕碎了", thread=("1",), participants=(LI,)), author=Author(id=SHOP, role=Role.COMPANY)
    )
    customer = mail("1", participants=(SHOP,))
    other = await Desk.open(tmp_path / "other")
    for number, message in enumerate((customer, agent)):
        await desk.hear("mail", f"{number}", message)
    for number, message in enumerate((agent, customer)):
        await other.hear("mail", f"{number}", message)
    assert desk.reference_of("mail", "1~digest") == other.reference_of("mail", "1~digest")
    assert other.reference_of("mail", "2~digest") == other.reference_of("mail", "1~digest")
    await other.close()


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_without_subject_belongs_to_its_thread(desk: Desk, late: bool) -> None:
    mails = [mail("1"), mail("2", subject="", thread=("1",))]
    found = {await desk.hear("mail", one.external_id, one) for one in (reversed(mails) if late else mails)}
    assert len(found) == 1


# Order


@st.composite
def inboxes(draw: st.DrawFn) -> tuple[list[Message], list[int]]:
    """Threads of several senders and matters, as clients write them: each answer names the whole path to the root.
    And an order to hear them in: any, but that a new subject under an old thread comes before the answers below it,
    which could else be answers to an agent who changed the subject."""
    mails: list[Message] = []
    begins: dict[int, int] = {}
    for thread in range(draw(st.integers(1, 3))):
        who, subject = draw(st.sampled_from([LI, AMY])), draw(st.sampled_from(["退款", "Broken", "屏幕碎了"]))
        path, begun = [f"{thread}-0"], 0
        mails.append(mail(path[0], who, subject=subject, participants=(SHOP,)))
        for number in range(1, draw(st.integers(1, 5))):
            key = f"{thread}-{number}"
            kind = draw(st.sampled_from(["answer", "unmarked", "stranger", "matter"]))
            if kind == "matter":
                subject, begun = f"新问题 {key}", len(mails)
            begins[len(mails)] = begun
            shown = f"Re: {subject}" if kind == "answer" else subject
            author = f"eve{key}@example.com" if kind == "stranger" else who
            mails.append(mail(key, author, subject=shown, thread=tuple(reversed(path)), participants=(SHOP,)))
            if kind != "stranger":
                path.append(key)
    order = draw(st.permutations(range(len(mails))))
    heard = dict.fromkeys(one for at in order for one in (begins.get(at) or at, at))
    return mails, list(heard)


async def partition(folder: Path, mails: Sequence[Message], *, at_once: bool) -> dict[str, str]:
    desk = await Desk.open(folder)
    for number, message in enumerate(mails):
        await desk.accept("mail", desk.raw(f"{number}", message))
        if not at_once:
            await desk.settle()
    await desk.settle()
    found = {message.external_id: desk.reference_of("mail", message.external_id) for message in mails}
    await desk.close()
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inboxes(), st.booleans())
def test_whatever_the_order_the_conversations_and_their_references_are_the_same(
    inbox: tuple[list[Message], list[int]], at_once: bool
) -> None:
    mails, order = inbox
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        expected = asyncio.run(partition(Path(one), mails, at_once=False))
        heard = asyncio.run(partition(Path(other), [mails[at] for at in order], at_once=at_once))
    assert heard == expected
